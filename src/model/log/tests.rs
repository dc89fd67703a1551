use super::*;

fn one(text: &str) -> Line {
    lines(text).into_iter().next().expect("a line")
}

/// What stands in every shape of the same fatal line.
#[test]
fn every_era_and_every_runtime_gives_the_same_error() {
    let err = "opening storage failed: get segment range: segments are not sequential";
    let shapes = [
        r#"level=error ts=2019-01-01T00:00:00Z caller=main.go:723 err="opening storage failed: get segment range: segments are not sequential""#,
        r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: get segment range: segments are not sequential""#,
        r#"time=2026-11-22T17:48:14.575Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: get segment range: segments are not sequential""#,
        r#"time=2026-11-22T17:48:14.575Z level=ERROR source=main.go:1373 msg="Error running goroutines from run.Group" err="opening storage failed: get segment range: segments are not sequential""#,
        r#"{"caller":"main.go:1127","err":"opening storage failed: get segment range: segments are not sequential","level":"error","ts":"2026-11-22T18:38:49.103Z"}"#,
        r#"{"time":"2026-11-22T18:38:49.143645547Z","level":"ERROR","source":"main.go:1373","msg":"Fatal error","err":"opening storage failed: get segment range: segments are not sequential"}"#,
        r#"prometheus-1  | ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: get segment range: segments are not sequential""#,
        r#"Feb  6 10:00:00 host prometheus[7749]: level=error ts=2026-02-06T10:00:00Z caller=main.go:723 err="opening storage failed: get segment range: segments are not sequential""#,
        r#"2026-11-22T17:48:03.564Z stderr F ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: get segment range: segments are not sequential""#,
        r#"{"log":"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err=\"opening storage failed: get segment range: segments are not sequential\"\n","stream":"stderr","time":"2026-11-22T17:48:03.6Z"}"#,
        "\u{1b}[31mts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err=\"opening storage failed: get segment range: segments are not sequential\"\u{1b}[0m\r",
    ];
    for shape in shapes {
        let all = lines(shape);
        let fatal = fatal(&all).unwrap_or_else(|| panic!("no fatal line in {shape}"));
        assert_eq!((fatal.err(), fatal.level()), (err, "error"), "{shape}");
        assert!(!fatal.ts().is_empty(), "{shape}");
        assert!(!fatal.raw().contains('\u{1b}'));
    }
}

#[test]
fn plain_text_ends_a_run_after_any_prefix() {
    for (text, own) in [
        ("panic: preallocate: no space left on device", None),
        ("prometheus-1 | panic: Unable to create mmap-ed active query log", Some("panic: Unable")),
        ("2026-11-22T17:48:03.564Z fatal error: fault", Some("fatal error: fault")),
        ("[pod/p-0/prometheus] fatal error: fault", Some("fatal error: fault")),
        ("Feb  6 10:00:00 host prometheus[7]: panic: x", Some("panic: x")),
        ("parse external URL \"\": address 127.0.0.1: missing port in address", None),
        ("{\"log\":\"panic: x\\n\",\"stream\":\"stderr\"}", Some("panic: x")),
    ] {
        let all = lines(text);
        let line = fatal(&all).unwrap_or_else(|| panic!("no fatal line in {text}"));
        assert!(line.is_plain() && line.text().starts_with(own.unwrap_or(text)), "{text}");
    }
    assert_eq!(fatal(&lines("goroutine 1 [running]:\n\tmain.main()")), None);
}

#[test]
fn quotes_and_escapes_within_a_value() {
    let line = one(r#"ts=x level=warn msg="say \"hi\" \\ \u0041" err="a\nb" segment=7 flag"#);
    assert_eq!(line.msg(), "say \"hi\" \\ A");
    assert_eq!(line.err(), "a\nb");
    assert_eq!(line.field("segment"), Some("7"));
    assert_eq!(line.field("none"), None);
    // Cut off by a limit on the log's length.
    assert_eq!(one("level=warn msg=\"half a li").msg(), "half a li");
}

#[test]
fn what_ended_an_earlier_run_did_not_end_this_one() {
    let text =
        "panic: x\nlevel=info msg=\"Starting Prometheus\" version=\"(version=2.6.0, branch=y)\"";
    let all = lines(text);
    assert_eq!(fatal(&all), None);
    assert_eq!(version(&all).as_deref(), Some("2.6.0"));
}

#[test]
fn progress_of_a_replay() {
    let all = lines(
        "time=2026-11-22T17:46:30.875Z level=INFO source=head.go:752 msg=\"Replaying WAL, this may take a while\" component=tsdb\n\
         time=2026-11-22T17:46:30.880Z level=INFO source=head.go:790 msg=\"WAL checkpoint loaded\" component=tsdb\n\
         time=2026-11-22T17:46:30.882Z level=INFO source=head.go:825 msg=\"WAL segment loaded\" component=tsdb segment=1 maxSegment=5 duration=4.197531ms",
    );
    let seen = replay(&all);
    assert!(seen.in_progress() && seen.checkpoint_loaded);
    assert_eq!((seen.segment, seen.max_segment), (Some(1), Some(5)));

    let all = lines(
        "{\"time\":\"2026-11-22T17:46:30Z\",\"level\":\"INFO\",\"msg\":\"WAL segment loaded\",\"segment\":5,\"maxSegment\":5}\n\
         {\"time\":\"2026-11-22T17:46:30Z\",\"level\":\"INFO\",\"msg\":\"WAL replay completed\",\"total_replay_duration\":\"1m2.5s\"}\n\
         {\"time\":\"2026-11-22T17:46:31Z\",\"level\":\"INFO\",\"msg\":\"Server is ready to receive web requests.\"}",
    );
    let seen = replay(&all);
    assert!(seen.done && seen.ready && !seen.in_progress());
    assert_eq!((seen.segment, seen.seconds), (Some(5), Some(62.5)));
    assert!(replay(&lines("level=info ts=x msg=\"replaying WAL, this may take awhile\"")).started);
    assert_eq!(cut::seconds("29.410427ms").map(|s| (s * 1e6).round()), Some(29410.0));
    assert_eq!(cut::seconds("2h3x"), None);
}

#[test]
fn remarks_at_the_start_and_the_end() {
    let all = lines(
        "time=2026-11-22T18:34:17.550Z level=INFO source=memlimit.go:198 msg=\"GOMEMLIMIT is updated\" component=automemlimit GOMEMLIMIT=226492416 previous=9223372036854775807\n\
         time=2026-11-22T18:34:17.550Z level=INFO source=main.go:700 msg=\"Starting Prometheus Server\" mode=server version=\"(version=3.5.3, branch=HEAD)\"\n\
         time=2026-11-22T18:34:17.550Z level=INFO source=query_logger.go:88 msg=\"These queries didn't finish in prometheus' last run:\" component=activeQueryTracker queries=\"[{\\\"query\\\":\\\"up\\\",\\\"timestamp_sec\\\":1}]\"\n\
         time=2026-11-22T18:01:51.983Z level=WARN source=dir_locker.go:76 msg=\"A lockfile from a previous execution already existed. It was replaced\" component=tsdb file=/prometheus/lock\n\
         time=2026-11-22T18:01:51.983Z level=WARN source=main.go:1 msg=\"Received an OS signal, exiting gracefully...\" signal=terminated",
    );
    assert_eq!(gomemlimit(&all), Some(226_492_416));
    assert_eq!(version(&all).as_deref(), Some("3.5.3"));
    assert_eq!(
        unfinished_queries(&all).as_deref(),
        Some("[{\"query\":\"up\",\"timestamp_sec\":1}]")
    );
    assert!(unclean_start(&all) && stop_signal(&all));
    assert!(!stop_signal(&lines("level=info msg=Stopping")));
}

#[test]
fn a_quote_is_short_and_whole_characters() {
    let line = one(&format!("panic: {}", "é".repeat(300)));
    assert_eq!(line.quote().chars().count(), 243);
}
