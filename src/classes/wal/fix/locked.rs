//! What to do about a data directory that another process has. Of a Deployment that starts the new
//! pod beside the old one: the old one is stopped first. All else only a person can decide.

use serde_json::{Value, json};

use super::ways;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::Change;
use crate::model::plan::{Action, Next, Plan, Step, Undo, Until};
use crate::model::{Blocked, Finding, Got, Need, Snapshot};
use crate::subject::repair::{self, Draft};
use crate::subject::rollout::{self, Wanted};
use crate::subject::sharers::{self, Sharer};
use crate::subject::{Subject, pod};

/// The new pod has not come past the lock: should it run by now after all, nothing is lost with it
/// that the log does not hold.
const AT_ONCE: u32 = 1;

/// Of one pod that cannot get the lock, those that may have it.
struct Scene<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    pod: &'a Value,
    claim: String,
    holders: Vec<Sharer<'a>>,
    unread: Option<String>,
}

impl<'a> Scene<'a> {
    fn of(subject: &'a Subject, seen: &'a Snapshot, root: &Finding) -> Option<Scene<'a>> {
        let pod = subject.pods.iter().find(|p| p.name() == root.object.name)?;
        let sharers::Sharers { claim, mut all, unread } = sharers::of(subject, seen, pod)?;
        all.retain(|sharer| sharer.may_have_it(seen));
        Some(Scene { subject, seen, pod, claim, holders: all, unread })
    }

    /// The one pod that may have it, of the same Prometheus.
    fn old(&self) -> Option<&Sharer<'a>> {
        match self.holders.as_slice() {
            [one] if one.own && self.unread.is_none() => Some(one),
            _ => None,
        }
    }

    /// The Deployment that made the pod and the one that has the directory, from two templates.
    fn rolled(&self) -> Option<(&'a Value, &Sharer<'a>)> {
        let old = self.old().filter(|old| !pod::is_terminating(old.pod))?;
        let set = |p: &Value| p.controller().filter(|o| o.kind == "ReplicaSet").map(|o| o.uid);
        let both = (set(self.pod)?, set(old.pod)?);
        let deployment = &self.subject.root_object;
        let single = deployment.number("/spec/replicas").unwrap_or(1) == 1;
        let rolls = self.subject.root.kind == Kind::Deployment && single;
        let surges = deployment.text("/spec/strategy/type") != "Recreate";
        (rolls && surges && both.0 != both.1).then_some((deployment, old))
    }

    fn short(&self, pod: &Value) -> String {
        pod::reference(pod).short()
    }
}

/// Which template is the newer one, and whether the node of a pod that should be gone reports.
pub(super) fn needs(subject: &Subject, seen: &Snapshot, root: &Finding) -> Vec<Need> {
    let mut out = Vec::new();
    let Some(pod) = subject.pods.iter().find(|p| p.name() == root.object.name) else { return out };
    let Some(sharers) = sharers::of(subject, seen, pod) else { return out };
    for sharer in &sharers.all {
        let node = sharer.pod.text("/spec/nodeName");
        if pod::is_terminating(sharer.pod) && !node.is_empty() {
            out.push(Need::object(Kind::Node, "", node));
        }
    }
    if let Some(scene) = Scene::of(subject, seen, root)
        && let Some((_, old)) = scene.rolled()
    {
        out.extend(repair::needs(subject, seen));
        out.extend([scene.pod, old.pod].into_iter().filter_map(set_of).map(Need::Object));
    }
    out
}

fn set_of(pod: &Value) -> Option<ObjectRef> {
    let owner = pod.controller()?;
    Some(ObjectRef::new(Kind::ReplicaSet, pod.namespace(), &owner.name))
}

pub(super) fn next(subject: &Subject, seen: &Snapshot, root: &Finding) -> Next {
    let Some(scene) = Scene::of(subject, seen, root) else {
        let why = "another process on the volume has it, and its data is on no claim that would \
                   tell which pods mount it";
        return Next::Blocked(with_ways(why.to_owned(), ways::NOBODY));
    };
    let followed = scene.rolled().map(|(deployment, old)| over(&scene, deployment, old));
    followed.or_else(|| ending(&scene)).unwrap_or_else(|| Next::Blocked(blocked(&scene)))
}

/// The Deployment's new pod waits for the old one, which is only stopped once the new one is Ready.
fn over(scene: &Scene<'_>, deployment: &Value, old: &Sharer<'_>) -> Next {
    let name = scene.subject.root.short();
    if deployment.is_true("/spec/paused") {
        let namespace = scene.subject.namespace();
        let resume = format!("kubectl rollout resume {name} -n {namespace}");
        return Next::Blocked(Blocked::no_safe_plan(
            format!("{name} is paused between two templates: it carries nothing out"),
            &[&resume],
        ));
    }
    if !is_newer(scene.seen, scene.pod, old.pod) {
        return Next::Wait(format!(
            "{} is of an older template than {}, which has the directory: {name} ends it when that \
             is Ready",
            scene.short(scene.pod),
            scene.short(old.pod),
        ));
    }
    match plan(scene, old) {
        Ok(plan) => Next::Fix(plan),
        Err(blocked) => Next::Blocked(blocked),
    }
}

/// By the revisions that the Deployment gave its ReplicaSets; else by who was made later.
fn is_newer(seen: &Snapshot, pod: &Value, than: &Value) -> bool {
    let revision = |p: &Value| -> Option<i64> {
        let Got::Known(set) = seen.object(&set_of(p)?) else { return None };
        set.annotation("deployment.kubernetes.io/revision")?.parse().ok()
    };
    let made = |p: &Value| pod::time(p, "/metadata/creationTimestamp");
    match (revision(pod), revision(than)) {
        (Some(mine), Some(other)) => mine > other,
        _ => made(pod) > made(than),
    }
}

/// The controller scales the old template's set to none at once, and leaves the new pod as it is
/// (pkg/controller/deployment/recreate.go; seen on 1.34): that one would wait for its next try, up
/// to five minutes, with nothing that serves. So it is replaced as soon as the directory is free.
fn plan(scene: &Scene<'_>, old: &Sharer<'_>) -> Result<Plan, Blocked> {
    let Scene { subject, seen, pod, .. } = scene;
    let name = subject.root.short();
    let changes = vec![Change::set("/spec/strategy", json!({"type": "Recreate"}))];
    let wanted = Wanted {
        rendered: changes.clone(),
        changes,
        why: "Recreate: the old pod is stopped, and only then a new one starts".into(),
        ..Wanted::default()
    };
    let title = "stop the old pod before the new one starts".to_owned();
    let mut plan =
        repair::plan(subject, seen, Draft { class: "wal", title, wanted, ..Draft::default() })?;
    let (old, new) = (pod::reference(old.pod), pod::reference(pod));
    let uid = |of: &ObjectRef| -> String {
        let mut pods = subject.pods.iter();
        pods.find(|p| p.name() == of.name).map_or("", |p| p.uid()).to_owned()
    };
    let free = [
        rollout::wait(&old, Until::Stopped { uid: uid(&old) }, "until the directory is free"),
        Step {
            why: "it waits up to 5 min for its next try: another one starts at once".into(),
            action: Action::Delete { object: new.clone(), uid: uid(&new), grace: Some(AT_ONCE) },
            undo: Undo::Words("the pod comes back by itself".into()),
        },
    ];
    plan.steps.splice(1..1, free);
    plan.impact.restarts = vec![old.name, new.name];
    plan.undo = format!(
        "yes; it restarts nothing. Should the new template not start:  kubectl rollout undo {name} \
         -n {}",
        subject.namespace()
    );
    Ok(plan)
}

/// A pod that is being deleted, within the time that it has for it.
fn ending(scene: &Scene<'_>) -> Option<Next> {
    let [one] = scene.holders.as_slice() else { return None };
    let left = one.seconds_left(scene.seen).filter(|left| *left >= 0)?;
    if scene.unread.is_some() || one.silent(scene.seen).is_some() {
        return None;
    }
    Some(Next::Wait(format!(
        "{} has the directory until it has stopped, in {left} s at the latest",
        one.whose()
    )))
}

fn with_ways(why: String, ways: &[&str]) -> Blocked {
    Blocked::no_safe_plan(why, &[ways, &[ways::LOCK_FILE]].concat())
}

/// Who has it, and what a person can do.
fn blocked(scene: &Scene<'_>) -> Blocked {
    let Scene { subject, seen, claim, holders, unread, .. } = scene;
    let name = subject.root.short();
    let namespace = subject.namespace();
    let told: Vec<String> =
        holders.iter().map(|h| format!("{}, which {}", h.whose(), h.does(seen))).collect();
    let told = told.join("; and ");
    if let Some(late) = holders.iter().find(|h| pod::is_terminating(h.pod)) {
        let look = format!("kubectl get {} -n {namespace} -o yaml", scene.short(late.pod));
        let ways = [&[look.as_str()], ways::LATE].concat();
        return with_ways(format!("claim {claim} is mounted by {told}"), &ways);
    }
    if let Some(why) = unread {
        let known = if told.is_empty() { "" } else { &format!("; known is {told}") };
        let why = format!("which pods mount claim {claim} is not known ({why}){known}");
        return with_ways(why, ways::UNREAD);
    }
    if holders.is_empty() {
        let why = format!(
            "no pod of {namespace} that runs writes on claim {claim}: who had it is gone by now, or \
             is not to be seen"
        );
        let again = format!("kubectl delete {} -n {namespace}", scene.short(scene.pod));
        let first = "it tries again within 5 min; at once where its pod is made anew:";
        return with_ways(why, &[&[first, again.as_str()], ways::NOBODY].concat());
    }
    if holders.iter().all(|h| h.own) && subject.wanted <= 1 {
        let why = format!("{name} is to have one pod, and its controller has not ended {told}");
        let events = format!("kubectl describe {name} -n {namespace}");
        return with_ways(why, &["see what holds its controller up:", &events]);
    }
    if holders.iter().all(|h| h.own) {
        let why = format!(
            "several pods of {name} write one directory, on claim {claim}, which one alone can: \
             {told}"
        );
        return with_ways(why, ways::REPLICAS);
    }
    let why = format!("{name} is not alone on claim {claim}: it is mounted by {told}");
    with_ways(why, ways::RIVALS)
}
