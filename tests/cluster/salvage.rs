//! A damaged log is mended on the cluster: what can be read is served again, under its own series and
//! at its own times, and all of it can be taken back.

use std::fs;

use serde_json::Value;

use super::audit::Mark;
use super::damage::{Damage, Files, LOAD, Samples, Server, files, lost, samples};
use super::install::{Install, Kind, ROOMY, serve};
use super::keeper::Keeper;
use super::left::nothing_is_left;
use super::life::{first, until_told};
use super::scene::{Said, Scene, essence, kubectl, until};
use super::turns::{VERSIONS, in_each_release};

/// Bytes of the last record of a segment: a part of one scrape.
const CUT: usize = 50;
/// It can be ended without its pod.
const LIFECYCLE: &[&str] = &["--web.enable-lifecycle"];
/// Named as Thanos' own, and with its word; it asks for a page that is not there, for ever.
const SIDECAR: &[&str] = &["initContainers: [{name: thanos-sidecar, image: \"busybox:1\", \
      restartPolicy: Always, command: [probe, sidecar, 2s, \"0\"]}]"];

/// Mended, every sample that could be read is there, and none that was not.
pub fn served_again(server: &Server<'_>, damage: Damage, before: &Samples) {
    let after = samples(server.scene, &server.pod());
    let last = before.keys().map(|(_, at)| *at).max().expect("samples");
    let lost = lost(before, &after);
    let (from, to) = (server.ends[0], server.ends[1]);
    let kind = server.install.kind;
    match damage {
        Damage::HeadChunks => assert!(lost.is_empty(), "{lost:?}"),
        // Of the segment that was cut, its last scrape.
        Damage::Gap => {
            let gone = |at: &i64| (from..to).contains(at) || kind == Kind::Resource && *at == last;
            assert!(lost.iter().all(gone), "{lost:?}");
        }
        // One record: one scrape at the most. What a start deleted nothing brings back.
        Damage::Flip | Damage::Checkpoint | Damage::Crash => {
            let mut times = lost.clone();
            if damage == Damage::Crash {
                times.retain(|at| *at < from);
            }
            times.sort_unstable();
            times.dedup();
            assert!(times.len() <= 1, "{times:?}");
        }
    }
    assert!(after.keys().any(|(_, at)| *at > last), "and it takes samples");
}

/// Where the damage is, and of what was uploaded what is noted, before anything moves.
fn told_of_the_files(shown: &Value, damage: Damage, before: &Samples) {
    let directory = shown.pointer("/reports/0/directories/0").expect("it was looked at");
    let rows = directory["map"]["rows"].as_array().expect("a map");
    let odd: Vec<&Value> = rows.iter().filter(|row| row["state"] != "whole").collect();
    let uploads = &directory["uploads"];
    match damage {
        Damage::Gap => {
            assert!(
                odd.iter().any(|row| row["state"] == "missing" && row["first"] == 1),
                "{odd:?}"
            );
            assert_eq!(uploads["newest"]["made"], 1_469_922_850_259_i64, "{uploads}");
            let end = uploads["head"]["last"].as_i64().expect("samples");
            let last = before.keys().map(|(_, at)| *at).max().expect("samples");
            assert!(end >= last, "{end} {last}");
            let data = first(shown, "/plan/impact/data");
            let made = "uploaded was made 2016-07-30 23:54:10Z, and is not here any more; only on \
                        this volume is the log from ";
            assert!(data.contains(made), "{data}");
        }
        Damage::Flip | Damage::Checkpoint | Damage::Crash => {
            let row = odd.iter().find(|row| row["state"] == "damaged").expect("it is damaged");
            assert_eq!(row["fault"]["kind"], "checksum", "{row}");
            assert!(row["costs"]["unreadableBytes"].as_u64() > Some(0), "{row}");
        }
        Damage::HeadChunks => {
            // Starts that ended before they wrote.
            assert!(odd.iter().all(|row| row["state"] == "empty"), "{odd:?}");
            assert!(uploads.is_null(), "{uploads}");
        }
    }
}

/// From here on the namespace admits no pod that may do more than PodSecurity's strictest allows.
fn restricted(scene: &Scene, install: Install) -> Install {
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &scene.ns, level]).expect(0);
    let refused = scene.kubectl(&["run", "other", "--image=busybox:1"]).expect(1);
    assert!(refused.stderr.contains("violates PodSecurity"), "{}", refused.stderr);
    let nothing = "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";
    let security = install.security.replace('}', ", seccompProfile: {type: RuntimeDefault}}");
    Install { security, of_container: nothing, ..install }
}

/// What a row is beside its owner, its version and its damage.
fn of_row(scene: &Scene, kind: Kind, image: &str, damage: Damage) -> Install {
    let install = Install::new(kind, image, ROOMY);
    match (kind, damage) {
        (Kind::Set, Damage::Gap) => restricted(scene, install),
        // An operator gives it that by itself, and takes no second.
        (Kind::Resource, Damage::Crash) => install,
        (_, Damage::Crash) => Install { arguments: LIFECYCLE, ..install },
        (Kind::Deployment, Damage::Gap) => Install { of_pod: SIDECAR, ..install },
        _ => install,
    }
}

/// A segment loses its end between the plan and its execution: nobody agreed to what a salvage of
/// that would lose. The files as they are now.
fn differs(server: &Server<'_>, digest: &str) -> Files {
    let Server { scene, install, .. } = server;
    let target = install.target();
    let plan = scene.plugin(&["wal", target, "--inspect", "-o", "plan"]).expect(2).stdout;
    assert!(plan.contains(digest), "the same plan comes again: {plan}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), plan).expect("written");
    let path = file.path().to_str().expect("a plain path");
    let segment = server.segment(2);
    let bytes = fs::read(&segment).expect("a segment");
    // Prometheus fills the last page with zeros when it ends.
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .and_then(|file| file.set_len((last - CUT) as u64))
        .expect("cut");
    let cut = files(&server.data);

    let said = scene.plugin(&["apply", "-f", path, "--yes"]).expect(5);
    let words = said.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("nothing was written: "), "{}", said.stderr);
    assert!(words.contains("it stays held, and does not start"), "{}", said.stderr);
    let again = format!("kubectl prom-fix wal {target} -n {} --inspect", scene.ns);
    let back = format!("kubectl prom-fix undo {digest} -n {}", scene.ns);
    assert!(words.contains(&again) && words.contains(&back), "{}", said.stderr);
    assert_eq!(files(&server.data), cut, "nothing was written");
    let held = scene.field(&format!("pod/{}", server.pod()), ".metadata.finalizers");
    assert!(held.contains("prom-fix.github.io/hold"), "{held}");
    cut
}

/// Without consent to a look nothing is planned, nor anything written.
fn without_consent(scene: &Scene, target: &str) {
    let mark = Mark::now();
    scene.plugin(&["wal", target]).expect(2);
    scene.plugin(&["wal", target, "--apply", "--yes"]).expect(3);
    mark.only_reads(&scene.ns);
}

fn run(kind: Kind, image: &str, damage: Damage) {
    let began = std::time::Instant::now();
    let scene = Scene::new("salvage");
    serve(&scene, "load", LOAD);
    let install = of_row(&scene, kind, image, damage);
    let (server, before) = Server::with_log(&scene, install);
    let target = server.install.target();
    let whole = essence(&scene.get(target));
    server.damage(damage);
    let told = match damage {
        Damage::Gap => "wal/gap",
        Damage::HeadChunks => "wal/corrupt-head-chunks",
        Damage::Flip | Damage::Checkpoint | Damage::Crash => "other/repair-unfinished",
    };
    let asks = until_told(&scene, target, &[told]);
    if (kind, damage) == (Kind::Deployment, Damage::Gap) {
        let says = "container thanos-sidecar is given no bucket, and uploads nothing";
        assert!(asks.to_string().contains(says), "{asks:#}");
    }
    let mut broken = files(&server.data);

    without_consent(&scene, target);
    let mark = Mark::now();
    let shown = scene.plugin(&["wal", target, "--inspect", "-o", "json"]).expect(2).json();
    mark.only_our_own(&scene.ns);
    told_of_the_files(&shown, damage, &before);
    let mut digest = first(&shown, "/plan/digest");
    if (kind, damage) == (Kind::Resource, Damage::Gap) {
        broken = differs(&server, &digest);
        // From where it is held.
        let anew = scene.plugin(&["wal", target, "--inspect", "-o", "json"]).expect(2).json();
        digest = first(&anew, "/plan/digest");
    }
    let args = ["wal", target, "--inspect", "--apply", "--confirm", &digest, "--settle", "6s"];
    let applied = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(0);
    is_proved(&applied, damage);
    served_again(&server, damage, &before);
    assert_eq!(essence(&scene.get(target))["spec"], whole["spec"], "its owner is as it was");
    nothing_is_left(&scene);

    let undo = ["undo", &digest, "--yes"];
    let refused = scene.plugin(&undo).expect(3);
    assert!(refused.stderr.contains("has written since"), "{}", refused.stderr);
    // The old files, before anything starts on them.
    let data = server.data.display();
    let keeper = Keeper::new(&format!("cp -r {data}/wal {data}/chunks_head $here/"));
    let helper_is_done = if kind == Kind::Deployment { "step-5-did" } else { "step-6-did" };
    let stop = [("PROM_FIX_FAULT", helper_is_done), ("PROM_FIX_FAULT_RUN", &*keeper.program())];
    scene.plugin_with(&[&undo[..], &["--force"]].concat(), &stop).expect(0);
    assert_eq!(files(keeper.folder()), broken, "to the last byte");
    if kind == Kind::Deployment && told == "other/repair-unfinished" {
        // What froze it, by its replicas, stands too.
        scene.plugin(&["undo", target, "--yes"]).expect(0);
    }
    assert_eq!(essence(&scene.get(target)), whole, "values and owners are as before");
    match damage {
        Damage::Gap | Damage::HeadChunks => {
            assert_eq!(files(&server.data), broken, "no start gets past it");
            until_told(&scene, target, &[told]);
        }
        Damage::Flip => has_cut_its_log(&scene, target, image),
        Damage::Checkpoint | Damage::Crash => {}
    }
    nothing_is_left(&scene);
    eprintln!("{kind:?} {image} {damage:?}: {} s", began.elapsed().as_secs());
}

/// By numbers: of the series, and of the time back to which its head reaches; not of that where samples lost
/// their series with the checkpoint.
#[track_caller]
fn is_proved(applied: &Said, damage: Damage) {
    assert_eq!(applied.json().pointer("/reports/0/outcome/proved"), Some(&Value::Bool(true)));
    let says = ["that were kept)", ", and reaches back to 20", " was promised)"];
    let is_checkpoint = matches!(damage, Damage::Checkpoint | Damage::Crash);
    for says in &says[..if is_checkpoint { 1 } else { 3 }] {
        assert!(applied.stderr.contains(says), "{says}: {}", applied.stderr);
    }
}

/// Left to itself, its start cuts the log at the damage, and both lines that say so are quoted.
fn has_cut_its_log(scene: &Scene, target: &str, image: &str) {
    let mut told = String::new();
    until("the cut is told", 120, || {
        told = scene.plugin(&["diagnose", target, "-o", "json"]).stdout;
        told.contains("wal/repaired-with-loss")
    });
    assert!(told.contains("Deleting all segments newer than corrupted segment"), "{told}");
    // 2.42 logs no success.
    let done = if image.starts_with("v2.42") {
        "Rewrite corrupted segment"
    } else {
        "uccessfully repaired WAL"
    };
    assert!(told.contains(done), "{told}");
}

const KINDS: [Kind; 4] = [Kind::Set, Kind::Deployment, Kind::Resource, Kind::Release];
const DAMAGES: [Damage; 5] =
    [Damage::Gap, Damage::HeadChunks, Damage::Flip, Damage::Checkpoint, Damage::Crash];

/// Of every damage under every owner the release that always has its turn, such that each release has
/// every damage and every owner.
fn always(kind: Kind, damage: Damage) -> &'static str {
    let at = |found: Option<usize>| found.expect("it is one of them");
    let number = at(KINDS.iter().position(|one| *one == kind))
        + at(DAMAGES.iter().position(|one| *one == damage));
    VERSIONS[(number + 1) % VERSIONS.len()]
}

#[test]
fn the_cover_is_pairwise() {
    for version in VERSIONS {
        let has = |kind: Kind, damage: Damage| always(kind, damage) == version;
        assert!(DAMAGES.iter().all(|damage| KINDS.iter().any(|kind| has(*kind, *damage))));
        assert!(KINDS.iter().all(|kind| DAMAGES.iter().any(|damage| has(*kind, *damage))));
    }
}

fn of_release(kind: Kind, damage: Damage) -> impl Fn(&str) {
    let bare = matches!(kind, Kind::Set | Kind::Resource)
        && matches!(damage, Damage::Flip | Damage::Checkpoint | Damage::Crash);
    let distroless = if bare { "-distroless" } else { "" };
    move |version| run(kind, &format!("{version}{distroless}"), damage)
}

macro_rules! salvages {
    ($($name:ident: $kind:expr, $damage:expr;)*) => {
        in_each_release! {
            $($name: always($kind, $damage), of_release($kind, $damage);)*
        }
    };
}

salvages! {
    a_gap_in_a_set: Kind::Set, Damage::Gap;
    a_gap_in_a_deployment: Kind::Deployment, Damage::Gap;
    a_gap_in_a_resource: Kind::Resource, Damage::Gap;
    a_gap_in_a_release: Kind::Release, Damage::Gap;
    bad_head_chunks_in_a_set: Kind::Set, Damage::HeadChunks;
    bad_head_chunks_in_a_deployment: Kind::Deployment, Damage::HeadChunks;
    bad_head_chunks_in_a_resource: Kind::Resource, Damage::HeadChunks;
    bad_head_chunks_in_a_release: Kind::Release, Damage::HeadChunks;
    a_flipped_byte_in_a_set: Kind::Set, Damage::Flip;
    a_flipped_byte_in_a_deployment: Kind::Deployment, Damage::Flip;
    a_flipped_byte_in_a_resource: Kind::Resource, Damage::Flip;
    a_flipped_byte_in_a_release: Kind::Release, Damage::Flip;
    a_torn_checkpoint_in_a_set: Kind::Set, Damage::Checkpoint;
    a_torn_checkpoint_in_a_deployment: Kind::Deployment, Damage::Checkpoint;
    a_torn_checkpoint_in_a_resource: Kind::Resource, Damage::Checkpoint;
    a_torn_checkpoint_in_a_release: Kind::Release, Damage::Checkpoint;
    a_crash_over_the_checkpoint_of_a_set: Kind::Set, Damage::Crash;
    a_crash_over_the_checkpoint_of_a_deployment: Kind::Deployment, Damage::Crash;
    a_crash_over_the_checkpoint_of_a_resource: Kind::Resource, Damage::Crash;
    a_crash_over_the_checkpoint_of_a_release: Kind::Release, Damage::Crash;
}
