//! States of pods, owners and Services, and what they are called.

use serde_json::json;

use super::fixture::{World, healthy, put};
use crate::classes::{ALL, Given};
use crate::model::{Kind, Next, Severity};

const REPLAY: &str = "time=2026-11-22T17:46:30.875Z level=INFO source=head.go:752 msg=\"Replaying WAL, this may take a while\" component=tsdb\n\
time=2026-11-22T17:46:30.882Z level=INFO source=head.go:825 msg=\"WAL segment loaded\" component=tsdb segment=1 maxSegment=5 duration=4ms";
pub const READY: &str = "time=2026-11-22T17:46:31.000Z level=INFO source=main.go:1 msg=\"Server is ready to receive web requests.\"";
const SIGTERM: &str = "time=2026-11-22T17:46:32.000Z level=WARN source=main.go:1 msg=\"Received an OS signal, exiting gracefully...\" signal=terminated";
const GAP: &str = "ts=x caller=main.go:1127 level=error err=\"opening storage failed: get segment range: segments are not sequential\"";
pub const DENIED: &str = "time=x level=ERROR source=q.go:1 msg=\"Error opening query log file\" component=activeQueryTracker file=/prometheus/queries.active err=\"open /prometheus/queries.active: permission denied\"\npanic: Unable to create mmap-ed active query log";
const ROFS: &str = "time=x level=ERROR source=main.go:1 msg=\"Fatal error\" err=\"opening storage failed: open /prometheus/wal: read-only file system\"";

pub fn check(rows: Vec<(&str, World)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(wanted, world)| {
            let (root, _, unknown) = world.diagnose();
            let root = root.unwrap_or("none");
            let told = world.told();
            (root != wanted).then(|| format!("wanted {wanted}, got {root} of {told:?} {unknown:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn waiting(reason: &str, message: &str) -> World {
    healthy().not_ready().set(
        "/status/containerStatuses/0/state",
        json!({"waiting": {"reason": reason, "message": message}}),
    )
}

fn claim(volume: serde_json::Value, driver: Option<&str>) -> World {
    let world = healthy()
        .crashed(2, "Error", DENIED)
        .object(Kind::PersistentVolumeClaim, "data-p-0", json!({"spec": {"volumeName": "v"}}))
        .object(Kind::PersistentVolume, "v", json!({"metadata": {"name": "v"}, "spec": volume}));
    match driver {
        Some(policy) => {
            world.object(Kind::CsiDriver, "d", json!({"spec": {"fsGroupPolicy": policy}}))
        }
        None => world,
    }
}

fn no_group(world: World) -> World {
    world.set("/spec/securityContext", json!({}))
}

#[test]
fn a_healthy_one_is_left_alone() {
    let world = healthy();
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.diagnose().2, Vec::new());
    let given = Given::new();
    for class in ALL {
        assert_eq!(class.job(&world.subject, &given).next(&world.seen, &[]), Next::Done);
    }
}

#[test]
fn why_the_group_does_not_help() {
    let csi = json!({"csi": {"driver": "d", "fsType": "ext4"}, "accessModes": ["ReadWriteOnce"]});
    let shared = json!({"csi": {"driver": "d"}, "accessModes": ["ReadWriteMany"]});
    check(vec![
        ("perms/fsgroup-unset", no_group(claim(csi.clone(), Some("File")))),
        ("perms/fsgroup-unset", no_group(claim(csi.clone(), Some("ReadWriteOnceWithFSType")))),
        ("perms/fsgroup-unset", no_group(healthy().crashed(2, "Error", DENIED))),
        ("perms/fsgroup-ignored", claim(csi.clone(), Some("None"))),
        ("perms/fsgroup-ignored", no_group(claim(shared, Some("ReadWriteOnceWithFSType")))),
        ("perms/fsgroup-ignored", claim(json!({"nfs": {"server": "s"}}), None)),
        ("perms/fsgroup-ignored", claim(json!({"hostPath": {"path": "/d"}}), None)),
        ("perms/fsgroup-mismatch", claim(csi.clone(), Some("File"))),
        (
            "perms/owner-mismatch",
            claim(csi, Some("File"))
                .set("/spec/securityContext/fsGroupChangePolicy", json!("OnRootMismatch")),
        ),
        (
            "perms/fsgroup-ignored",
            healthy().crashed(2, "Error", DENIED).object(
                Kind::PersistentVolumeClaim,
                "data-p-0",
                json!({"metadata": {"annotations": {
                    "volume.kubernetes.io/storage-provisioner": "k8s.io/minikube-hostpath"}}}),
            ),
        ),
    ]);
}

#[test]
fn read_only_by_spec_or_by_failure() {
    let read_only = json!([{"name": "data", "mountPath": "/prometheus", "readOnly": true}]);
    check(vec![
        ("disk/io-error", healthy().crashed(1, "Error", ROFS)),
        (
            "perms/read-only",
            healthy().crashed(1, "Error", ROFS).set("/spec/containers/0/volumeMounts", read_only),
        ),
        (
            "perms/read-only",
            healthy()
                .crashed(1, "Error", ROFS)
                .set("/spec/containers/0/volumeMounts", json!([]))
                .set("/spec/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
        ),
    ]);
}

#[test]
fn kills_by_their_killer() {
    let startup = "Container prometheus failed startup probe, will be restarted";
    let liveness = "Container prometheus failed liveness probe, will be restarted";
    let served = format!("{REPLAY}\n{READY}");
    let stopped = format!("{served}\n{SIGTERM}");
    check(vec![
        (
            "wal/probe-kills-replay",
            healthy().crashed(137, "Error", REPLAY).pod_event("Killing", startup),
        ),
        (
            "wal/probe-kills-replay",
            healthy().crashed(0, "Completed", REPLAY).pod_event("Killing", liveness),
        ),
        // No events: 900 s are what the startup probe allows; it ran 960.
        (
            "wal/probe-kills-replay",
            healthy().crashed(137, "Error", REPLAY).set(
                "/status/containerStatuses/0/lastState/terminated/startedAt",
                json!("2026-11-22T17:43:00Z"),
            ),
        ),
        (
            "other/killed-by-probe",
            healthy().crashed(137, "Error", &served).pod_event("Killing", liveness),
        ),
        (
            "other/killed-by-probe",
            healthy().crashed(0, "Completed", &stopped).pod_event("Killing", liveness),
        ),
        ("other/killed-by-grace-period", healthy().crashed(137, "Error", &stopped)),
        ("other/killed-by-grace-period", healthy().crashed(137, "Error", &served)),
        // A probe that kills, and is told 401: the login explains the kill.
        (
            "bind/scheme-or-path",
            healthy().crashed(137, "Error", &served).pod_event("Killing", liveness).pod_event(
                "Unhealthy",
                "Liveness probe failed: HTTP probe failed with statuscode: 401",
            ),
        ),
    ]);
}

/// Memory has its own class: no other calls such an end by a name.
#[test]
fn an_end_for_memory_is_nobody_elses() {
    let replaying = "time=x level=WARN source=db.go:1 msg=\"Encountered WAL read error, attempting repair\" err=\"read records: corruption in segment /prometheus/wal/00000002 at 1: last record is torn\"";
    for log in [REPLAY, READY, "", replaying] {
        let told = healthy().crashed(137, "OOMKilled", log).told();
        let foreign: Vec<_> =
            told.iter().filter(|t| t.starts_with("error") && !t.contains("oom/")).collect();
        assert!(foreign.is_empty(), "{log}: {foreign:?}");
    }
    let evicted = healthy()
        .crashed(137, "Error", READY)
        .set("/status/reason", json!("Evicted"))
        .set("/status/message", json!("The node was low on resource: memory."));
    assert!(!evicted.told().iter().any(|t| t.contains("other/") || t.contains("disk/")));
}

#[test]
fn pods_that_never_started() {
    let unscheduled = |message: &str| {
        healthy().not_ready().set("/spec/nodeName", json!("")).set("/status/containerStatuses", json!([])).set(
            "/status/conditions",
            json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]),
        )
    };
    let creating = || waiting("ContainerCreating", "");
    let nobody = "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is non-root";
    check(vec![
        ("other/unschedulable", unscheduled("0/3 nodes are available: 3 Insufficient memory.")),
        ("other/volume-stuck", unscheduled("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.")),
        ("other/image", waiting("ImagePullBackOff", "Back-off pulling image")),
        ("perms/security-context-rejected", waiting("CreateContainerConfigError", nobody)),
        ("other/config-error", waiting("CreateContainerConfigError", "configmap \"x\" not found")),
        ("other/crash", waiting("RunContainerError", "exec: no such file")),
        (
            "other/volume-stuck",
            creating().pod_event("FailedAttachVolume", "Multi-Attach error for volume \"v\" Volume is already exclusively attached to one node"),
        ),
        ("other/volume-stuck", creating().pod_event("FailedMount", "MountVolume.SetUp failed for volume \"v\"")),
        (
            "other/node-lost",
            healthy().set("/status/conditions/0/status", json!("False")).object(
                Kind::Node,
                "n1",
                json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}]}}),
            ),
        ),
        (
            "other/repair-unfinished",
            healthy()
                .not_ready()
                .set("/metadata/deletionTimestamp", json!("2026-11-22T17:00:00Z"))
                .set("/metadata/finalizers", json!(["prom-fix.github.io/hold"])),
        ),
        (
            "disk/full",
            healthy()
                .not_ready()
                .set("/status/reason", json!("Evicted"))
                .set("/status/message", json!("The node was low on resource: ephemeral-storage.")),
        ),
    ]);
}

#[test]
fn owners_that_do_not_act() {
    let without_pods = || {
        let mut world = healthy();
        world.subject.pods.clear();
        world
    };
    let mut scaled = without_pods();
    put(&mut scaled.subject.workloads[0], "/spec/replicas", json!(0));
    let refused = "create Pod p-0 in StatefulSet p failed error: pods \"p-0\" is forbidden: violates PodSecurity \"restricted:latest\"";
    let quota = "create Pod p-0 in StatefulSet p failed error: pods \"p-0\" is forbidden: exceeded quota: q";
    let resource = |spec: serde_json::Value, made: bool| {
        let mut world = healthy();
        world.subject.root.kind = Kind::Prometheus;
        world.subject.root_object = spec;
        if !made {
            world.subject.workloads.clear();
            world.subject.pods.clear();
        }
        world
    };
    let rejected = json!({"status": {"conditions": [{"type": "Reconciled", "status": "False", "reason": "ReconciliationFailed", "message": "bad"}]}});
    let paused = json!({"spec": {"paused": true}});
    check(vec![
        ("other/scaled-to-zero", scaled),
        (
            "perms/security-context-rejected",
            without_pods().event("StatefulSet", "p", "FailedCreate", refused),
        ),
        ("other/unschedulable", without_pods().event("StatefulSet", "p", "FailedCreate", quota)),
        ("other/owner-rejected", resource(rejected.clone(), false)),
        ("none", resource(rejected, true)),
        ("other/paused", resource(paused.clone(), false)),
        ("none", resource(paused, true)),
    ]);
}

#[test]
fn a_replay_is_no_fault() {
    let since = "2026-11-22T17:58:00Z";
    let body = r#"{"status":"success","data":{"min":0,"max":120,"current":60}}"#;
    for world in [
        healthy().running(since, REPLAY),
        healthy().running(since, "level=info ts=x msg=\"Starting TSDB ...\"").walreplay(body),
    ] {
        assert_eq!(world.told(), ["info wal/replaying"]);
        assert_eq!(world.diagnose().2, Vec::new());
    }
    let world = healthy().running(since, REPLAY).walreplay(body);
    let (_, findings, _) = world.diagnose();
    let said: Vec<_> = findings[0].evidence.iter().map(|e| e.value.as_str()).take(2).collect();
    let left = "about 117 s: by the time since its start, with all that it did before it came to \
                segments; of those to come the newest counts half, and the one that this start made \
                nothing";
    assert_eq!(said, ["segment 60 of 120 (50 %)", left]);
    // Its log says when each was loaded: 4 s the first of ten, 36 s ago, and 4 s each since.
    let segment = |at: u32| {
        let at_second = at * 4;
        format!(
            "ts=2026-11-22T17:59:{at_second:02}Z level=info msg=\"WAL segment loaded\" \
             segment={at} maxSegment=120\n"
        )
    };
    let log: String = (0..10).map(segment).collect();
    let (_, findings, _) = healthy().running(since, &log).diagnose();
    let left = "about 8 min: 4.0 s a segment, as the 9 in its log; of those to come the newest \
                counts half, and the one that this start made nothing; the one that it reads now \
                takes longer";
    assert_eq!(findings[0].evidence[1].value, left);
    // It has come to the out-of-order log, which is counted from its own first number.
    let log =
        "ts=2026-11-22T17:59:00Z level=info msg=\"WAL segment loaded\" segment=9 maxSegment=9";
    let wbl = r#"{"status":"success","data":{"min":0,"max":4,"current":1}}"#;
    let (_, findings, _) = healthy().running(since, log).walreplay(wbl).diagnose();
    assert!(findings[0].evidence.iter().all(|one| one.field != "left"));
    let given = Given::new();
    let wal = ALL.iter().find(|c| c.name() == "wal").expect("a class");
    assert!(matches!(wal.job(&world.subject, &given).next(&world.seen, &findings), Next::Wait(_)));
    // Its last words are there before the kubelet says that it has ended.
    let denied = "level=error ts=x msg=\"Opening storage failed\" err=\"open WAL segment: 0: open \
                  /prometheus/wal/00000000: permission denied\"";
    let world = healthy().running(since, &format!("{REPLAY}\n{denied}"));
    assert_eq!(world.told(), ["error perms/owner-mismatch"]);
    // Past the lock by now: what ended the run before is no error any more.
    let locked = GAP.replace(
        "get segment range: segments are not sequential",
        "lock DB directory: resource temporarily unavailable",
    );
    let world = healthy().crashed(1, "Error", &locked).running(since, REPLAY).log(true, &locked);
    assert_eq!(world.told(), ["warn wal/locked", "info wal/replaying"]);
}

#[test]
fn repairs_of_its_own() {
    let attempt = |at: &str, what: &str| {
        format!(
            "time=x level=WARN source=db.go:1019 msg=\"Encountered WAL read error, attempting repair\" component=tsdb err=\"read records: corruption in segment /prometheus/wal/{at} at 7: {what}\""
        )
    };
    let rest = "time=x level=WARN source=w.go:1 msg=\"Deleting all segments newer than corrupted segment\" component=tsdb segment=2\n\
        time=x level=INFO source=db.go:1023 msg=\"Successfully repaired WAL\" component=tsdb";
    let cut = format!("{}\n{rest}\n{READY}", attempt("00000002", "unexpected checksum"));
    let torn = format!("{REPLAY}\n{}\n{rest}\n{READY}", attempt("00000004", "last record is torn"));
    let chunks = format!(
        "time=x level=ERROR source=head.go:727 msg=\"Loading on-disk chunks failed\" component=tsdb err=\"iterate on on-disk chunks: corruption in head chunk file /prometheus/chunks_head/000002: checksum mismatch\"\n{READY}"
    );
    let snapshot = format!(
        "time=x level=ERROR source=head.go:703 msg=\"Failed to load chunk snapshot\" component=tsdb err=\"read records: corruption in segment /prometheus/chunk_snapshot.000005.0000000000/00000000 at 1110: unexpected checksum\"\n{READY}"
    );
    let block = format!(
        "time=x level=ERROR source=db.go:1676 msg=\"Failed to read meta.json for a block during reloadBlocks. Skipping\" component=tsdb dir=/prometheus/01M err=\"unexpected end of JSON input\"\n{READY}"
    );
    let denied = block.replace("unexpected end of JSON input", "open meta.json: permission denied");
    let failing = format!(
        "{READY}\ntime=x level=ERROR source=db.go:1 msg=\"compaction failed\" component=tsdb err=\"WAL truncation in Compact: create checkpoint: read segments: corruption in segment /prometheus/wal/00087017 at 5537792: unexpected checksum fc00dfaf, expected f9476e1d\""
    );
    let nfs = format!(
        "time=x level=WARN source=main.go:1487 msg=\"This filesystem is not supported and may lead to data corruption and data loss.\" fs_type=NFS_SUPER_MAGIC\n{READY}"
    );
    for (wanted, log) in [
        ("warn wal/repaired-with-loss", &cut),
        ("info wal/self-healed", &torn),
        ("info wal/self-healed", &chunks),
        ("info wal/self-healed", &snapshot),
        ("warn wal/corrupt-block", &block),
        ("warn perms/owner-mismatch", &denied),
        ("error wal/checkpoint-failing", &failing),
        ("warn disk/unsupported-fs", &nfs),
    ] {
        assert_eq!(healthy().log(false, log).told(), [wanted], "{log}");
    }
    // The start after the crash on the checkpoint: the loss is the news.
    let crash = "ts=x caller=main.go:1127 level=error err=\"opening storage failed: repair corrupted WAL: rename /prometheus/wal/00000000 /prometheus/wal/00000000.repair: no such file or directory\"";
    let world = healthy().crashed(1, "Error", crash).recovered(&cut);
    assert_eq!(world.told(), ["warn wal/repaired-with-loss"]);
}

#[test]
fn forbidden_logs_are_unknown_not_guessed() {
    let mut world = healthy().crashed(1, "Error", "");
    world.seen.facts.clear();
    let world = world.unreadable_log(false).unreadable_log(true);
    let (root, _, unknown) = world.diagnose();
    assert_eq!(root, None);
    let all: Vec<_> = unknown.iter().map(|u| (u.get.as_str(), u.vital)).collect();
    assert_eq!(all, [("the verb get on pods/log", true)]);
    // The kubelet's copy of the log's end will do.
    let world = world.set("/status/containerStatuses/0/lastState/terminated/message", json!(GAP));
    assert_eq!(world.diagnose().0, Some("wal/gap"));
}

#[test]
fn few_questions_are_asked() {
    assert!(healthy().needs().len() <= 5, "{:?}", healthy().needs());
    let world = healthy().crashed(1, "Error", GAP);
    assert!(world.needs().len() <= 6, "{:?}", world.needs());
    let world = healthy().running("2026-11-22T17:58:00Z", REPLAY);
    assert!(world.needs().len() <= 8, "{:?}", world.needs());
}

#[test]
fn every_code_is_documented_once_and_errors_have_ways() {
    let docs: Vec<_> = ALL.iter().flat_map(|c| c.docs()).collect();
    for doc in &docs {
        assert_eq!(docs.iter().filter(|d| d.code == doc.code).count(), 1, "{}", doc.code);
        let texts = [doc.meaning, doc.proof, doc.plan, doc.risk];
        assert!(texts.iter().all(|t| !t.is_empty() && !t.contains("  ")), "{}", doc.code);
    }
    let world = healthy().crashed(1, "Error", GAP);
    let (_, findings, _) = world.diagnose();
    assert_eq!(findings[0].severity, Severity::Error);
    assert_eq!(findings[0].stops, ["p-0"]);
    let given = Given::new();
    let wal = ALL.iter().find(|c| c.name() == "wal").expect("a class");
    let Next::Look(look) = wal.job(&world.subject, &given).next(&world.seen, &findings) else {
        panic!("no way on")
    };
    assert!(look.ways.iter().any(|way| way.contains("empty file")));
}
