//! What a salvage promised against what a server says of itself.

use serde_json::{Value, json};

use crate::model::object::{Kind, ObjectRef};
use crate::model::plan::{Action, Plan, Step, Undo, Until};
use crate::model::receipt::{Progress, Receipt, State};
use crate::model::{Fact, Need, Seen, Snapshot};
use crate::subject::Subject;
use crate::subject::promised;
use crate::subject::rollout::impact::tests::{pod, subject};

const BEGAN: &str = "2026-11-26T10:00:00Z";
const DONE: &str = "level=info msg=\"WAL replay completed\" total=1s\n";

fn receipt(said: &Value) -> Receipt {
    let helper = ObjectRef::new(Kind::Pod, "mon", "prom-fix-salvage-c");
    let claim = json!({"name": "data", "persistentVolumeClaim": {"claimName": "c"}});
    let words = |word: &str| Undo::Words(word.into());
    let create =
        Action::Create { object: helper.clone(), body: json!({"spec": {"volumes": [claim]}}) };
    let step = |action, undo| Step { why: String::new(), action, undo };
    let steps = vec![
        step(create, Undo::Restore(vec!["restore".into()])),
        step(Action::Wait { object: helper, until: Until::Completed }, words("none")),
    ];
    let root = ObjectRef::new(Kind::StatefulSet, "mon", "p");
    let plan = Plan {
        title: String::new(),
        class: "wal".into(),
        cluster: "c".into(),
        target: root,
        target_uid: "root".into(),
        steps,
        impact: crate::model::plan::Impact::default(),
        forecast: Vec::new(),
        commit: Vec::new(),
        inputs: Vec::new(),
        undo: String::new(),
        takes: String::new(),
        doubts: Vec::new(),
        undoes: None,
        frees: None,
    };
    let text = String::new;
    Receipt {
        api_version: text(),
        digest: text(),
        plan,
        state: State::Applied,
        proved: false,
        who: text(),
        context: text(),
        server: text(),
        version: text(),
        began: text(),
        ended: None,
        steps: vec![
            Progress::default(),
            Progress { said: Some(said.clone()), ..Progress::default() },
        ],
        undone: Vec::new(),
        held: None,
        freed: None,
    }
}

fn server() -> Subject {
    let mut pod = pod("p-0", "s", true);
    pod["status"]["containerStatuses"] =
        json!([{"name": "prometheus", "state": {"running": {"startedAt": BEGAN}}}]);
    subject(Kind::StatefulSet, vec![pod])
}

/// What an agent of an older version reports.
fn told(metrics: Fact, log: &str) -> Result<String, String> {
    let said = json!({"outcome": "salvaged",
        "kept": {"series": 5, "samples": 100}, "orphans": {"samples": 2}});
    told_of(&said, metrics, log)
}

/// What is said of a server with these metrics and this log.
fn told_of(said: &Value, metrics: Fact, log: &str) -> Result<String, String> {
    told_by(&receipt(said), metrics, log)
}

fn told_by(receipt: &Receipt, metrics: Fact, log: &str) -> Result<String, String> {
    let subject = server();
    let [promise] = promised::of(receipt).try_into().expect("one");
    let [http, of_log] = promised::needs(&subject, std::slice::from_ref(&promise))
        .try_into()
        .expect("both of the one pod");
    let mut seen = Snapshot::new(jiff::Timestamp::UNIX_EPOCH);
    seen.facts.insert(http, metrics);
    assert!(matches!(of_log, Need::Log { .. }));
    seen.facts.insert(of_log, Fact::Known(Seen::Log(log.into())));
    promised::held(&subject, &seen, &promise)
}

/// The head begins so many milliseconds after the container.
fn metrics(corruptions: u32, after: i64) -> Fact {
    let began: jiff::Timestamp = BEGAN.parse().expect("a time");
    let body = format!(
        "prometheus_tsdb_wal_corruptions_total {corruptions}\nprometheus_tsdb_head_series 4\n\
         prometheus_tsdb_head_min_time {}\n",
        began.as_millisecond() + after
    );
    Fact::Known(Seen::Http { status: 200, body })
}

#[test]
fn a_promise_is_held_or_it_is_said_why_that_is_not_proved() {
    let unknown = |samples: u32| {
        format!("msg=\"Unknown series references\" samples={samples} exemplars=0\n{DONE}")
    };
    let held = told(metrics(0, -5000), &unknown(2)).expect("held");
    assert!(held.contains("4 series (5 Series records were kept)"), "{held}");
    let forbidden = Fact::Unreadable("forbidden".into());
    let rows = [
        (metrics(1, -5000), DONE.to_owned(), "met 1 corruptions"),
        (
            metrics(0, -5000),
            unknown(3),
            "left out 3 samples of unknown series, and 2 were foreseen",
        ),
        (metrics(0, 5000), DONE.to_owned(), "begins with this start"),
        (metrics(0, -5000), "level=info msg=x\n".to_owned(), "does not reach back"),
        (forbidden, DONE.to_owned(), "not read, forbidden"),
        (Fact::Known(Seen::Http { status: 401, body: String::new() }), DONE.to_owned(), "401"),
    ];
    for (metrics, log, why) in rows {
        let said = told(metrics, &log).expect_err(why);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_head_is_held_to_its_series_and_to_where_it_begins() {
    let began: jiff::Timestamp = BEGAN.parse().expect("a time");
    let said = json!({"outcome": "salvaged", "headSeries": 4, "begins": began.as_millisecond() - 3000,
        "kept": {"series": 5, "samples": 100}, "orphans": {"samples": 0}});
    let told = |made: u32, cut: u32, after: i64| {
        let Fact::Known(Seen::Http { status, body }) = metrics(0, after) else { panic!("known") };
        let body = format!(
            "{body}prometheus_tsdb_head_series_created_total {made}\n\
             prometheus_tsdb_head_truncations_total {cut}\n"
        );
        told_of(&said, Fact::Known(Seen::Http { status, body }), DONE)
    };
    let held = told(6, 0, -5000).expect("held");
    assert!(held.contains("reaches back to 2026-11-26 09:59:55Z (2026-11-26 09:59:57Z"), "{held}");
    assert!(held.contains("4 series (6 made since this start, of 4 that were kept)"), "{held}");
    let few = told(3, 0, -5000).expect_err("too few");
    assert!(few.contains("loaded 3 series, and 4 were kept"), "{few}");
    let late = told(6, 0, -2000).expect_err("too late");
    assert!(late.contains("begins at 2026-11-26 09:59:58Z, and samples from before"), "{late}");
    let cut = told(6, 1, -2000).expect("it lost nothing");
    assert!(cut.contains("was written to blocks"), "{cut}");
    // A later start reads what is left of the log by then.
    let Fact::Known(Seen::Http { status, body }) = metrics(0, -2000) else { panic!("known") };
    let body = format!("{body}prometheus_tsdb_head_series_created_total 3\n");
    let again = Fact::Known(Seen::Http { status, body });
    let earlier = Receipt { ended: Some("2026-11-26T09:00:00Z".into()), ..receipt(&said) };
    let later = told_by(&earlier, again, DONE).expect("its own numbers");
    assert!(later.contains("5 Series records were kept"), "{later}");
    // An answer without these numbers proves nothing.
    assert!(told_of(&said, metrics(0, -5000), DONE).is_err());
}

#[test]
fn nothing_is_promised_where_nothing_was_written() {
    assert_eq!(promised::of(&receipt(&json!({"outcome": "clean"}))), []);
}
