//! Keeps a broken replica from starting while its volume is worked on: nothing of it runs, nothing of
//! it comes back, and its siblings serve on.
//!
//! A pod of a StatefulSet is deleted while a finalizer holds its name, so that its set makes no other
//! of that name; the set, its owner and its replicas stay as they are. A Deployment makes another
//! pod under another name, so it is scaled to none.

use serde_json::{Value, json};

use super::pod;
use super::rivals::{self, Rivals};
use super::rollout::{patch_step, rolled_out, uncounted, wait};
use super::volume::{Store, store};
use super::{Subject, frozen, repair};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::{Change, Op, guarded};
use crate::model::plan::{Action, Blocked, FREEZE, Impact, Plan, Step, Undo, Until};
use crate::model::receipt::HOLD;
use crate::model::{Finding, Severity, Snapshot, Unknown};

/// Of a pod that does not serve, the start under way may come to the damage within its own grace
/// period: a replay does not heed SIGTERM. Nothing is lost with it that the log does not hold.
const AT_ONCE: u32 = 1;

/// How a pod is kept from starting.
#[derive(Clone, Copy, Debug)]
enum Way<'a> {
    /// Its name is held.
    Name,
    /// It is held already.
    Held,
    /// Its Deployment is scaled to none.
    Scale(&'a Value),
    /// It is already, from so many.
    Scaled(&'a Value, i64),
}

/// A pod that can be held.
#[derive(Clone, Debug)]
pub struct Hold<'a> {
    subject: &'a Subject,
    pod: &'a Value,
    way: Way<'a>,
    /// Who would start it all the same.
    rivals: Rivals,
    /// What lets those go on that were paused when it was scaled to none.
    paused: Vec<Step>,
}

/// Whether a pod's name is held.
pub fn is_held(pod: &Value) -> bool {
    let held = pod.list("/metadata/finalizers").iter().any(|f| f.as_str() == Some(HOLD));
    held && pod::is_terminating(pod)
}

/// What the plan of a freeze holds: its pod, or its Deployment.
pub fn held_by(plan: &Plan) -> Option<&ObjectRef> {
    let deletes = plan.steps.iter().find_map(|step| match &step.action {
        Action::Delete { object, .. } => Some(object),
        _ => None,
    });
    deletes.or_else(|| Some(&plan.target).filter(|of| of.kind == Kind::Deployment))
}

/// Whether it holds that still, as it is now: whoever lets it go, or makes it anew, ends it.
pub fn holds(plan: &Plan, live: &Value) -> bool {
    let deletes = plan.steps.iter().find_map(|step| match &step.action {
        Action::Delete { uid, .. } => Some(uid),
        _ => None,
    });
    match deletes {
        Some(uid) => live.uid() == uid && is_held(live),
        None => live.uid() == plan.target_uid && live.number("/spec/replicas") == Some(0),
    }
}

/// How this pod can be kept from starting, or why it cannot.
pub fn of<'a>(subject: &'a Subject, seen: &Snapshot, pod: &'a Value) -> Result<Hold<'a>, Blocked> {
    let short = pod::reference(pod).short();
    let cannot = |why: &str, ways: &[&str]| {
        Err(Blocked::no_safe_plan(format!("{short} cannot be held: {why}"), ways))
    };
    let hold = |way| Ok(Hold { subject, pod, way, rivals: Rivals::default(), paused: Vec::new() });
    if is_held(pod) {
        return hold(Way::Held);
    }
    if let Store::EmptyDir { .. } | Store::None = store(subject, pod) {
        return cannot(
            "its data directory ends with the pod",
            &["copy it from the node first; the kubelet keeps it as long as the pod is there"],
        );
    }
    if ephemeral(subject, pod) {
        return cannot(
            "its claim is deleted with the pod",
            &["take a snapshot of the volume first, or copy it from the node"],
        );
    }
    if pod::is_terminating(pod) {
        return cannot("it is being deleted already", &["look again when it is gone"]);
    }
    if let Some(other) = finalizers(pod).iter().find(|name| **name != HOLD) {
        return cannot(
            &format!("the finalizer {} of somebody else is on it", other.as_str().unwrap_or("?")),
            &["wait until that is gone, or have it taken off"],
        );
    }
    let owner = pod.controller();
    match owner.as_ref().map(|owner| owner.kind.as_str()) {
        Some("StatefulSet") => hold(Way::Name),
        Some("ReplicaSet") => {
            let replica_set = owner.as_ref().map_or("", |owner| owner.name.as_str());
            match deployment(subject, replica_set) {
                Some(workload) => {
                    let rivals = scalable(subject, seen, workload)?;
                    Ok(Hold { rivals, ..hold(Way::Scale(workload))? })
                }
                None => cannot("its Deployment was not found", &[]),
            }
        }
        Some(kind) => cannot(
            &format!("a {kind} makes another in its place"),
            &["stop it on its node, or take its node's label away"],
        ),
        None => cannot("nothing would make it again", &["delete it; create it again afterwards"]),
    }
}

/// A Deployment that is held already; `pod` is the one that it would make.
pub fn of_frozen<'a>(
    subject: &'a Subject,
    seen: &Snapshot,
    pod: &'a Value,
    replicas: i64,
) -> Result<Hold<'a>, Blocked> {
    let workload = &subject.root_object;
    let rivals = rivals::of(subject, seen, workload)?;
    let paused = frozen::paused(subject, seen);
    Ok(Hold { subject, pod, way: Way::Scaled(workload, replicas), rivals, paused })
}

fn ephemeral(subject: &Subject, pod: &Value) -> bool {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let name = super::volume::mount(subject, spec).map_or("", |mount| mount.text("/name"));
    let volume = spec.list("/volumes").iter().find(|v| v.text("/name") == name);
    volume.is_some_and(|volume| volume.get("ephemeral").is_some())
}

/// The Deployment of a ReplicaSet, by its name: `NAME-HASH`.
fn deployment<'a>(subject: &'a Subject, replica_set: &str) -> Option<&'a Value> {
    let own = |w: &&Value| {
        let rest = replica_set.strip_prefix(w.name());
        w.text("/kind") == "Deployment" && rest.is_some_and(|rest| rest.starts_with('-'))
    };
    subject.workloads.iter().filter(own).max_by_key(|w| w.name().len())
}

/// Refuses where others would be stopped with it, or where somebody sets the replicas again.
fn scalable(subject: &Subject, seen: &Snapshot, workload: &Value) -> Result<Rivals, Blocked> {
    let replicas = workload.number("/spec/replicas").unwrap_or(1);
    if replicas != 1 {
        return Err(repair::elsewhere(
            subject,
            &format!("all {replicas} of its replicas would be stopped to hold one"),
            &["scale it to 1 first"],
        ));
    }
    rivals::of(subject, seen, workload)
}

impl<'a> Hold<'a> {
    /// Until nothing of it runs: its volume is free.
    pub fn down(&self) -> Vec<Step> {
        let Hold { pod, way, rivals, .. } = self;
        let object = pod::reference(pod);
        let stopped = || Until::Held { uid: pod.uid().into() };
        let ended = wait(&object, stopped(), "until its containers have ended");
        match way {
            Way::Held => vec![ended],
            Way::Scaled(..) => rivals.pause(),
            Way::Name => {
                let change = [Change::set("/metadata/finalizers", json!([HOLD]))];
                let delete = Action::Delete {
                    object: object.clone(),
                    uid: pod.uid().into(),
                    grace: (!pod::is_ready(pod)).then_some(AT_ONCE),
                };
                // Killed after it: it is there already.
                let marked = finalizers(pod).contains(&json!(HOLD));
                let mark = (!marked).then(|| held(pod, &object, &change));
                let rest = [
                    Step {
                        why: "it stops, and no other of its name is made".into(),
                        action: delete,
                        undo: Undo::Words("let go, its set makes it again".into()),
                    },
                    ended,
                ];
                mark.into_iter().chain(rest).collect()
            }
            Way::Scale(workload) => {
                let change = [Change::set("/spec/replicas", 0)];
                let why = "nothing of it runs from here on";
                let gone = Until::Gone { uid: pod.uid().into() };
                let stop = [
                    patch_step(workload, &deployment_of(workload), &change, 0, why),
                    wait(&object, gone, "until its containers have ended"),
                ];
                rivals.pause().into_iter().chain(stop).collect()
            }
        }
    }

    /// It starts again, and is waited for; then whoever was paused goes on.
    pub fn up(&self) -> Vec<Step> {
        let Hold { subject, pod, way, .. } = self;
        let waits = match way {
            Way::Name | Way::Held => {
                let until = Until::Ingests {
                    not_uid: pod.uid().into(),
                    port: subject.flags.port(),
                    prefix: subject.flags.prefix(),
                };
                wait(&pod::reference(pod), until, "until it is Ready and takes samples")
            }
            Way::Scale(workload) | Way::Scaled(workload, _) => {
                wait(&deployment_of(workload), rolled_out(subject), "until it is Ready")
            }
        };
        [vec![self.let_go(), waits], self.go_on()].concat()
    }

    /// Whoever was paused goes on.
    pub fn go_on(&self) -> Vec<Step> {
        [self.rivals.go_on(), self.paused.clone()].concat()
    }

    /// Flags that make the same plan again.
    pub fn inputs(&self) -> Vec<String> {
        self.rivals.inputs()
    }

    /// What is not known of who may start it.
    pub fn doubts(&self) -> Vec<Unknown> {
        self.rivals.doubts.clone()
    }

    /// It may start again.
    pub fn let_go(&self) -> Step {
        let Hold { pod, way, .. } = self;
        let stays = || Undo::Words("it runs, as it did".into());
        match way {
            Way::Name | Way::Held => {
                let object = pod::reference(pod);
                let action = Action::Patch { object, patch: self.release() };
                let why = "its name is let go: its set makes it again".to_owned();
                Step { why, action, undo: stays() }
            }
            Way::Scale(workload) => {
                let stopped = guarded(workload, &[Change::set("/spec/replicas", 0)], 0).after;
                let count = workload.number("/spec/replicas").unwrap_or(1);
                Step { undo: stays(), ..run_again(&stopped, count, 1) }
            }
            Way::Scaled(workload, count) => {
                Step { undo: stays(), ..run_again(workload, *count, 0) }
            }
        }
    }

    /// The finalizer goes. No test of the generation: the deletion has raised it.
    fn release(&self) -> Vec<Op> {
        let mut free = (*self.pod).clone();
        if let Some(metadata) = free.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("finalizers");
        }
        guarded(&free, &[Change::set("/metadata/finalizers", json!([HOLD]))], 0).undo
    }

    /// Whether it was stopped before, and nothing starts it.
    pub fn is_held(&self) -> bool {
        matches!(self.way, Way::Held | Way::Scaled(..))
    }

    /// What stopping it does to service.
    pub fn impact(&self) -> Impact {
        if let Way::Scaled(..) = self.way {
            return Impact {
                outage: "none that is not there already: it is held".into(),
                data: "untouched".into(),
                ..Impact::default()
            };
        }
        let serves = pod::is_ready(self.pod);
        let set = |pod: &Value| pod.controller().map(|owner| owner.uid);
        let mates = self.subject.serving().filter(|p| set(p) == set(self.pod));
        let others = mates.filter(|p| p.uid() != self.pod.uid()).count();
        let name = self.pod.name().to_owned();
        let outage = match (serves, others) {
            (false, 0) => "none that is not there already: no replica serves".into(),
            (_, 1..) => "none: another replica serves throughout".into(),
            (true, 0) => format!("{name} serves now, and nothing does until it is let go"),
        };
        Impact {
            // Before it is stopped it is looked whether the other still serves.
            serving: if serves && others > 0 { vec![name.clone()] } else { Vec::new() },
            restarts: vec![name],
            outage,
            stops_serving: serves && others == 0,
            data: "untouched".into(),
            ..Impact::default()
        }
    }
}

/// `ahead`: patches of the same plan before this one.
fn run_again(stopped: &Value, count: i64, ahead: i64) -> Step {
    let change = [Change::set("/spec/replicas", count)];
    patch_step(stopped, &deployment_of(stopped), &change, ahead, "it runs again")
}

/// The status of a pod in a crash loop moves all the time.
fn held(pod: &Value, object: &ObjectRef, change: &[Change]) -> Step {
    uncounted(patch_step(pod, object, change, 0, "its name is held from here on"))
}

fn finalizers(pod: &Value) -> Vec<Value> {
    pod.list("/metadata/finalizers").to_vec()
}

fn deployment_of(workload: &Value) -> ObjectRef {
    ObjectRef::new(Kind::Deployment, workload.namespace(), workload.name())
}

/// The plan that only holds a pod.
pub fn freeze(subject: &Subject, seen: &Snapshot, pod: &Value) -> Result<Plan, Blocked> {
    let hold = of(subject, seen, pod)?;
    let short = pod::reference(pod).short();
    if let Way::Held = hold.way {
        return Err(Blocked::no_safe_plan(
            format!("{short} is held already"),
            &[
                &format!(
                    "mend its data:  kubectl prom-fix wal {short} -n {} --inspect",
                    pod.namespace()
                ),
                &format!("let it start:  kubectl prom-fix undo -n {}", pod.namespace()),
            ],
        ));
    }
    let title = format!("keep {short} from starting");
    let mut plan = repair::beside(subject, seen, FREEZE, &title, hold.down());
    plan.impact = hold.impact();
    plan.inputs = hold.inputs();
    plan.doubts = hold.doubts();
    plan.undo = "yes; it starts again, as it is".into();
    Ok(plan)
}

/// Of the pods that may be meant, the one to hold: in danger before broken before any.
pub fn candidate<'a>(
    subject: &'a Subject,
    danger: Option<&ObjectRef>,
    found: &[Finding],
) -> Result<&'a Value, Vec<String>> {
    let by_name = |name: &str| subject.pods.iter().find(|p| p.name() == name);
    if let Some(pod) = danger.and_then(|pod| by_name(&pod.name)) {
        return Ok(pod);
    }
    let broken = found.iter().filter(|f| f.severity == Severity::Error && f.because.is_none());
    let broken = broken.filter_map(|f| by_name(&f.object.name)).filter(|p| !pod::is_ready(p));
    let mut broken: Vec<&Value> = broken.collect();
    broken.dedup_by_key(|p| p.uid());
    match (broken.as_slice(), subject.pods.as_slice()) {
        ([one], _) => Ok(*one),
        ([], [one]) => Ok(one),
        _ => Err(subject.pods.iter().map(|p| pod::reference(p).short()).collect()),
    }
}
