//! The whole life of a repair: broken, told, rehearsed, carried out, proved, put back.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::audit::{Mark, Rung};
use super::install::{Install, Kind};
use super::scene::{Scene, essence, pause, until};
use super::writable::all_may_be_written;

/// For a failure to come about and to be told.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is broken, and what the repair changes.
#[derive(Clone, Copy, Debug)]
pub struct Ailment<'a> {
    /// The sub-command that repairs it.
    pub class: &'a str,
    /// The causes that may be told.
    pub roots: &'a [&'a str],
    /// Where the target is changed.
    pub pointer: &'a str,
}

/// Runs it for an install that is killed for memory by now.
#[track_caller]
pub fn live(scene: &Scene, install: &Install, roots: &[&str]) -> Value {
    live_with(scene, install, Ailment { class: "oom", roots, pointer: install.memory() })
}

/// Runs it for an install that is broken by now. Returns what `--apply` reported.
#[track_caller]
pub fn live_with(scene: &Scene, install: &Install, ailment: Ailment<'_>) -> Value {
    let Ailment { class, roots, pointer } = ailment;
    let target = install.target();
    let before = essence(&scene.get(target));
    let old = before.pointer(pointer).cloned();

    until_told(scene, target, roots);
    look(scene, class, target, roots);
    rehearse(scene, target);
    // Between two kills a looping server may be Ready, and is then one that serves.
    let report = carry_out_as(class, scene, target, &["--allow-downtime"]);

    if install.itself {
        took_samples(&report);
    }
    let new = scene.get(target).pointer(pointer).cloned();
    assert_ne!(new, old, "{pointer} was changed");
    let healthy = scene.plugin(&["diagnose", target, "-o", "json"]).expect(0).json();
    assert_eq!(first(&healthy, "/verdict"), "healthy");

    scene.plugin(&["undo", target, "--yes"]).expect(0);
    assert_eq!(essence(&scene.get(target)), before, "values and owners are as before");
    if install.kind == Kind::Deployment {
        until("one pod is left, of the old template", 60, || {
            let updated = scene.field(target, ".status.updatedReplicas");
            install.pods(scene).len() == 1 && updated == "1"
        });
    }
    owner_may_write(scene, install);
    report
}

/// What an apply reported: its proof saw the head grow.
#[track_caller]
pub fn took_samples(report: &Value) {
    let intake = text(report, "/reports/0/outcome/intake");
    let words: Vec<&str> = intake.split(' ').collect();
    let ["the", "head", "took", samples, "samples", "more"] = words.as_slice() else {
        panic!("{report:#}")
    };
    assert!(samples.parse::<u64>().is_ok_and(|samples| samples > 100), "{intake}");
}

/// Waits until a diagnosis names one of these root causes.
#[track_caller]
pub fn until_told(scene: &Scene, target: &str, roots: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        let said = scene.plugin(&["diagnose", target, "-o", "json"]);
        let report = serde_json::from_str::<Value>(&said.stdout).unwrap_or_default();
        if roots.contains(&first(&report, "/rootCause").as_str()) {
            keep(scene, target);
            return report;
        }
        assert!(began.elapsed() < PATIENCE, "{target} is not told to be {roots:?}: {said:#?}");
        pause(began);
    }
}

/// With `PROM_FIX_RECORD_CASES` naming a folder, a bundle of each failure that is told is kept there,
/// and the command that tells it: what a case of `tests/cases` is made of.
fn keep(scene: &Scene, target: &str) {
    let Some(folder) = std::env::var_os("PROM_FIX_RECORD_CASES") else { return };
    let case = std::path::Path::new(&folder).join(&scene.ns);
    std::fs::create_dir_all(&case).expect("a folder for cases");
    let bundle = case.join("bundle");
    let to = bundle.to_str().expect("a plain path");
    scene.plugin(&["diagnose", target, "--record", to]);
    let session = format!("$ diagnose {target} -n {} --bundle BUNDLE\n", scene.ns);
    std::fs::write(case.join("session"), session).expect("written");
}

/// A diagnosis is told by number and word, and only reads; so does the command of the class.
#[track_caller]
fn look(scene: &Scene, class: &str, target: &str, roots: &[&str]) {
    let mark = Mark::now();
    let report = scene.plugin(&["diagnose", target, "-o", "json"]).expect(2).json();
    assert!(roots.contains(&first(&report, "/rootCause").as_str()), "{report:#}");
    assert_eq!(first(&report, "/verdict"), "broken");
    assert!(report.pointer("/reports/0/plan/digest").is_some(), "{report:#}");
    // Between two kills a looping server may be Ready: what it is told to be is not asked here.
    scene.plugin(&[class, target]);
    mark.only_reads(&scene.ns);
}

/// A rehearsal also sends writes, each with dryRun=All, and the server takes them.
#[track_caller]
fn rehearse(scene: &Scene, target: &str) {
    let args = ["diagnose", target, "--dry-run=server", "-o", "json"];
    let mut mark = Mark::now();
    let mut report = scene.plugin(&args).expect(2).json();
    // Between two kills a looping server may serve for a moment, and then there is no plan.
    for _ in 0..5 {
        if report.pointer("/reports/0/plan/steps").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_secs(2));
        mark = Mark::now();
        report = scene.plugin(&args).expect(2).json();
    }
    let rungs = mark.rungs_with(&scene.ns, Rung::Rehearsal);
    assert!(rungs.contains_key(&Rung::Rehearsal), "{rungs:#?}");
    assert!(rungs.keys().all(|r| matches!(r, Rung::Read | Rung::Rehearsal)), "{rungs:#?}");
    let steps = report.pointer("/reports/0/plan/steps").and_then(Value::as_array).expect("steps");
    let words = |step: &Value| text(step, "/rehearsal");
    assert!(steps.iter().any(|s| words(s).starts_with("accepted")), "{steps:#?}");
    assert!(!steps.iter().any(|s| words(s).starts_with("rejected")), "{steps:#?}");
}

/// `oom --apply` ends proved and healthy.
#[track_caller]
pub fn carry_out(scene: &Scene, target: &str, consents: &[&str]) -> Value {
    carry_out_as("oom", scene, target, consents)
}

/// `--apply` of a class ends proved and healthy.
#[track_caller]
pub fn carry_out_as(class: &str, scene: &Scene, target: &str, consents: &[&str]) -> Value {
    let mut args = vec![class, target, "--apply", "--yes", "--settle", "8s", "--timeout", "4m"];
    args.extend(["-o", "json"]);
    args.extend(consents);
    let report = scene.plugin(&args).expect(0).json();
    assert_eq!(first(&report, "/verdict"), "healthy", "{report:#}");
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&Value::Bool(true)));
    let steps = report.pointer("/reports/0/outcome/steps").and_then(Value::as_array);
    assert!(steps.is_some_and(|all| all.iter().all(|s| text(s, "/state") == "did")), "{report:#}");
    // What may be written again is: each install that these are for scrapes itself.
    if class == "perms" {
        took_samples(&report);
        all_may_be_written(scene);
    }
    report
}

/// After an undo the object's own manager writes the field again, and nobody is in its way.
#[track_caller]
pub fn owner_may_write(scene: &Scene, install: &Install) {
    let anew = install.with_limit("222Mi");
    match install.kind {
        Kind::Release => drop(anew.release(scene).expect(0)),
        Kind::Set | Kind::Deployment | Kind::Resource => scene.apply(&anew.manifest()),
    }
}

/// A text in the first report.
pub fn first(report: &Value, tail: &str) -> String {
    text(report, &format!("/reports/0{tail}"))
}

pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned()
}
