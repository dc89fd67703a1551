//! Last words of a run, and what they are called. Lines of our own making, by running damaged
//! data on 2.42, 2.53 and 3.5, and the wording of other releases in their shapes.

use super::fixture::healthy;

#[rustfmt::skip]
const PERMS: &[(&str, &str)] = &[
    ("perms/fsgroup-mismatch", r#"ts=2026-11-22T17:49:40.329Z caller=query_logger.go:91 level=error component=activeQueryTracker msg="Error opening query log file" file=/prometheus/queries.active err="open /prometheus/queries.active: permission denied"
panic: Unable to create mmap-ed active query log"#),
    ("perms/fsgroup-mismatch", r#"time=2026-11-22T17:49:58.643Z level=ERROR source=query_logger.go:113 msg="Error opening query log file" component=activeQueryTracker file=/prometheus/queries.active err="open /prometheus/queries.active: permission denied"
panic: Unable to create mmap-ed active query log"#),
    ("perms/fsgroup-mismatch", r#"time=2026-11-22T17:49:58.643Z level=ERROR source=query_logger.go:113 msg="Error opening query log file" component=activeQueryTracker file=/prometheus/queries.active err="open /prometheus/queries.active: permission denied"
time=2026-11-22T17:49:58.643Z level=ERROR source=main.go:990 msg="failed to initialize active query tracker" err="create mmap-ed active query log: open /prometheus/queries.active: permission denied""#),
    ("disk/io-error", r#"time=2026-11-22T17:49:58.643Z level=ERROR source=query_logger.go:113 msg="Error opening query log file" component=activeQueryTracker file=/prometheus/queries.active err="open /prometheus/queries.active: read-only file system"
panic: Unable to create mmap-ed active query log"#),
    ("perms/fsgroup-mismatch", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: lock DB directory: open /prometheus/lock: permission denied""#),
    ("perms/fsgroup-mismatch", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: open /prometheus/lock: permission denied""#),
    ("perms/fsgroup-mismatch", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: create dir: mkdir /prometheus/wal: permission denied""#),
    ("perms/fsgroup-mismatch", r#"level=error ts=x caller=main.go:323 msg="Opening storage failed" err="open DB in /prometheus: open /prometheus/724784799: permission denied""#),
    ("perms/owner-mismatch", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: open /prometheus/wal/00000005: permission denied""#),
    ("perms/owner-mismatch", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: migrate WAL: list sequence files: open /prometheus/wal: permission denied""#),
    ("perms/owner-mismatch", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: remove tmp dirs: open /prometheus/wal: permission denied""#),
    ("perms/owner-mismatch", r#"time=2026-11-22T17:49:59.895Z level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="open WAL segment: 2: open /prometheus/wal/00000002: permission denied"
time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: cannot handle error: open WAL segment: 2: open /prometheus/wal/00000002: permission denied""#),
    ("perms/owner-mismatch", r#"panic: open temp file: open /prometheus/chunks_head/000001.tmp: permission denied"#),
    ("perms/owner-mismatch", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: try lock file: open /prometheus/01M827CT0DKCN5KG2K87TH0H4J/index: permission denied""#),
    ("perms/owner-mismatch", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: open /prometheus/chunks_head: permission denied""#),
    ("perms/path-mismatch", r#"ts=2026-11-22T17:49:40.329Z caller=query_logger.go:91 level=error component=activeQueryTracker msg="Error opening query log file" file=data/queries.active err="open data/queries.active: permission denied"
panic: Unable to create mmap-ed active query log"#),
    ("perms/path-mismatch", r#"ts=2026-11-22T17:49:40.329Z caller=query_logger.go:91 level=error component=activeQueryTracker msg="Error opening query log file" file=/data/queries.active err="open /data/queries.active: permission denied"
panic: Unable to create mmap-ed active query log"#),
    ("perms/path-mismatch", r#"ts=2026-11-26T22:47:04.311Z caller=query_logger.go:113 level=error component=activeQueryTracker msg="Failed to create directory for logging active queries"
ts=2026-11-26T22:47:04.311Z caller=query_logger.go:91 level=error component=activeQueryTracker msg="Error opening query log file" file=/var/lib/x/queries.active err="open /var/lib/x/queries.active: no such file or directory"
panic: Unable to create mmap-ed active query log"#),
    ("perms/fsgroup-mismatch", r#"ts=2026-11-26T22:47:03.225Z caller=query_logger.go:138 level=error component=activeQueryTracker msg="Failed to create directory for logging active queries"
ts=2026-11-26T22:47:03.225Z caller=query_logger.go:114 level=error component=activeQueryTracker msg="Error opening query log file" file=/prometheus/queries.active err="open /prometheus/queries.active: no such file or directory"
panic: Unable to create mmap-ed active query log"#),
    ("perms/path-mismatch", r#"ts=x caller=q.go:1 level=error component=activeQueryTracker msg="Failed to create directory for logging active queries" err="mkdir /srv/data: no such file or directory"
panic: Unable to create mmap-ed active query log"#),
    ("perms/fsgroup-mismatch", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="creating WAL: create dir: mkdir /prometheus/wal: permission denied""#),
];

#[rustfmt::skip]
const REST: &[(&str, &str)] = &[
    ("bind/address-unusable", r#"ts=2026-11-22T18:16:38.496Z caller=main.go:802 level=error msg="Unable to start web listener" err="listen tcp 127.0.0.1:19099: bind: address already in use""#),
    ("bind/address-unusable", r#"time=2026-11-22T18:16:51.272Z level=ERROR source=main.go:996 msg="Unable to start web listener" err="listen tcp 10.1.2.3:9090: bind: cannot assign requested address""#),
    ("bind/address-unusable", r#"time=2026-11-22T18:16:51.272Z level=ERROR source=main.go:996 msg="Unable to start web listener" err="listen tcp 127.0.0.1:80: bind: permission denied""#),
    ("bind/address-unusable", r#"time=2026-11-22T18:16:51.272Z level=ERROR source=main.go:996 msg="Unable to start web listener" err="listen tcp: address 99999: invalid port""#),
    ("bind/address-unusable", r#"ts=x caller=main.go:600 level=error err="error starting web server: listen tcp :9090: bind: address already in use""#),
    ("bind/address-unusable", r#"parse external URL "": address 127.0.0.1: missing port in address"#),
    ("bind/address-unusable", r#"parse external URL "": address http://0.0.0.0:1: too many colons in address"#),
    ("bind/address-unusable", r#"Error parsing command line arguments: flag 'web.listen-address' cannot be repeated"#),
    ("bind/address-unusable", r#"time=x level=ERROR source=main.go:996 msg="Unable to start web listener" err="listen tcp 0.0.0.0:9090: bind: Only one usage of each socket address (protocol/network address/port) is normally permitted.""#),
    ("wal/locked", r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: resource temporarily unavailable""#),
    ("wal/corrupt-block", r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: reloadBlocks: corrupted block 01M827CT0DKCN5KG2K87TH0H4J: invalid magic number 7b0a0922""#),
    ("wal/corrupt-segment", r#"Feb  6 10:00:00 node prometheus[7749]: time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: cannot handle error: invalid record type 255""#),
    ("wal/gap", r#"{"log":"time=x level=ERROR source=main.go:1373 msg=\"Fatal error\" err=\"opening storage failed: get segment range: segments are not sequential\"\n","stream":"stderr"}"#),
    ("wal/overlapping-blocks", r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: invalid block sequence: block time ranges overlap: [mint: 1, maxt: 2]""#),
    ("bind/scheme-or-path", r#"time=2026-11-22T18:20:57.225Z level=ERROR source=main.go:1002 msg="Unable to validate web configuration file" err="failed to read cert_file (/nope): open /nope: no such file or directory""#),
    ("other/config-error", r#"ts=x caller=main.go:500 level=error msg="Error loading config (--config.file=/etc/prometheus/prometheus.yml)" file=/etc/prometheus/prometheus.yml err="parsing YAML file: yaml: line 1""#),
    ("other/config-error", r#"time=x level=ERROR source=main.go:600 msg="Error loading config (--config.file=/etc/prometheus/prometheus.yml)" err="open /etc/prometheus/prometheus.yml: permission denied""#),
    ("other/config-error", r#"level=error ts=x caller=main.go:400 err="error loading config from \"/etc/p.yml\": couldn't load configuration""#),
    ("other/config-error", r#"Error parsing command line arguments: unknown long flag '--nope'"#),
    ("disk/full", r#"unexpected fault address 0x7f9d91646000
fatal error: fault
[signal SIGBUS: bus error code=0x2 addr=0x7f9d91646000 pc=0x49c2a6]"#),
    ("disk/full", r#"time=x level=INFO source=main.go:1 msg="Starting Prometheus Server" version="(version=3.5.3)"
fatal error: fault
[signal SIGBUS: bus error code=0x2]
github.com/prometheus/prometheus/promql.NewActiveQueryTracker({0x7})"#),
    ("other/crash", r#"time=x level=INFO source=main.go:1 msg="Starting TSDB ..."
fatal error: fault
[signal SIGBUS: bus error code=0x2]
github.com/prometheus/prometheus/tsdb/index.(*Decoder)"#),
    ("disk/full", r#"panic: preallocate: no space left on device"#),
    ("disk/full", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: open /prometheus/lock: no space left on device""#),
    ("disk/full", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: open /prometheus/wal/00000500: no space left on device""#),
    ("disk/full", r#"time=x level=ERROR source=q.go:1 msg="Error allocating query log file." err="write /prometheus/queries.active: no space left on device"
time=x level=ERROR source=main.go:990 msg="failed to initialize active query tracker" err="write /prometheus/queries.active: no space left on device""#),
    ("disk/io-error", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: cannot handle error: read /prometheus/wal/00000002: input/output error""#),
    ("disk/unsupported-fs", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: no locks available""#),
    ("disk/unsupported-fs", r#"panic: rename /prometheus/chunks_head/000021.tmp /prometheus/chunks_head/000021: operation not permitted"#),
    ("other/address-space", r#"panic: mmap, size 134217728: cannot allocate memory"#),
    ("other/crash", r#"panic: runtime error: invalid memory address or nil pointer dereference"#),
    ("other/crash", r#"ts=x caller=main.go:1127 level=error err="something nobody has seen""#),
    ("other/crash", r#"just a line without keys"#),
];

pub fn check(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(code, log)| {
            let (root, all, _) = healthy().crashed(1, "Error", log).diagnose();
            let told: Vec<_> = all.iter().map(|f| f.code.0).collect();
            (root != Some(*code))
                .then(|| format!("{log}\n  wanted {code}, got {root:?} of {told:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refusals_are_not_damage() {
    check(PERMS);
}

#[test]
fn listener_disk_configuration_damage_and_the_unknown() {
    check(REST);
}

#[test]
fn a_log_that_was_read_as_it_ended_may_lack_its_last_line() {
    let log = "time=x level=INFO source=main.go:1 msg=\"operational information\"";
    let ended = |at: &str| {
        let finished = "/status/containerStatuses/0/lastState/terminated/finishedAt";
        healthy().crashed(1, "Error", log).set(finished, at.into()).diagnose()
    };
    assert_eq!(ended("2026-11-22T17:59:50Z").0, Some("other/crash"));
    let (root, found, unknown) = ended("2026-11-22T17:59:58Z");
    assert_eq!((root, found.len(), unknown.len()), (None, 0, 1));
    assert!(unknown[0].vital);
}
