//! The closed set: what a plan may contain at all, whoever wrote it. A plan comes from a class of
//! this program, from a file that somebody edited, or from a receipt that anybody with the right
//! to ConfigMaps may have written; its digest proves only that it hangs together.

mod created;
mod pods;
mod rivals;
mod stand_in;

use serde_json::Value;

use super::error::Error;
use crate::model::object::{Kind, ObjectRef};
use crate::model::patch::Op;
use crate::model::plan::{Action, Plan, Server, Step, Undo, Until};

/// Refuses a plan with a step that this program would never make, or cannot do.
pub fn check(plan: &Plan) -> Result<(), Error> {
    if !is_name(&plan.target.name) || !is_name(&plan.target.namespace) {
        return Err(Error::NotAllowed { step: 0, why: "its target has no valid name".into() });
    }
    for (index, step) in plan.steps.iter().enumerate() {
        if matches!(step.action, Action::Exec { .. }) {
            return Err(Error::NoExec { step: index + 1 });
        }
        let refused = |why| Error::NotAllowed { step: index + 1, why };
        one(plan, index, step).map_err(refused)?;
    }
    Ok(())
}

fn one(plan: &Plan, index: usize, step: &Step) -> Result<(), String> {
    let object = step.action.object();
    place(plan, index, &step.action)?;
    match &step.action {
        Action::Patch { object, patch } => {
            for op in patch {
                untouchable(object, patch, op)?;
                unprivileged(op)?;
            }
        }
        Action::Create { object, body } => {
            created::check(object, body)?;
            if object.kind == Kind::Pod {
                let check = if stand_in::is(body) { stand_in::check } else { pods::check };
                check(plan, index, object, body)
                    .map_err(|why| format!("{} {why}", object.short()))?;
            }
        }
        Action::Delete { object, uid, .. } => {
            let own = plan.steps.iter().take(index).any(
                |s| matches!(&s.action, Action::Create { object: made, .. } if made == object),
            );
            if !own && object.kind != Kind::Pod {
                return Err(format!("it deletes {}, which is no pod", object.short()));
            }
            // A helper that another plan of ours has left at work.
            let left = plan.undoes.is_some() && object.name.starts_with(created::OWN);
            if !own && !left && (uid.is_empty() || !plan.impact.restarts.contains(&object.name)) {
                return Err(format!(
                    "{} is not among the pods it says it restarts",
                    object.short()
                ));
            }
        }
        Action::Wait { until: Until::Ingests { prefix, .. }, .. }
        | Action::Wait {
            until: Until::RolledOut { server: Some(Server { prefix, .. }) }, ..
        } => {
            let odd = |c: char| c.is_whitespace() || c.is_control() || "?#%".contains(c);
            if !prefix.starts_with('/') || prefix.contains("..") || prefix.contains(odd) {
                return Err(format!("{prefix:?} is no route prefix"));
            }
        }
        Action::Wait { .. } | Action::Exec { .. } => {}
    }
    undone(object, step)
}

/// What an undo may do: take away what its step has made, write what its step has written.
fn undone(object: &ObjectRef, step: &Step) -> Result<(), String> {
    let short = object.short();
    let ops = match &step.undo {
        Undo::Words(_) => return Ok(()),
        Undo::Delete | Undo::Restore(_) => {
            let creates = matches!(step.action, Action::Create { .. });
            let why = || format!("its undo removes {short}, which it does not make");
            return creates.then_some(()).ok_or_else(why);
        }
        Undo::Patch(ops) => ops,
    };
    let Action::Patch { patch, .. } = &step.action else {
        return Err(format!("its undo writes {short}, which it does not"));
    };
    // It may bring back what was there, whatever that was: its own patch has seen it there.
    let seen = |op: &Op| {
        matches!(op, Op::Add { path, value } | Op::Replace { path, value }
            if patch.contains(&Op::Test { path: path.clone(), value: value.clone() }))
    };
    for op in ops {
        untouchable(object, ops, op)?;
        if !seen(op) {
            unprivileged(op)?;
        }
    }
    Ok(())
}

/// Only objects beside the target: nothing of the whole cluster, and of another namespace only
/// whoever writes the target from there, and a pod that asks in a client's stead.
fn place(plan: &Plan, index: usize, action: &Action) -> Result<(), String> {
    let object = action.object();
    if !is_name(&object.name) {
        return Err(format!("{:?} is no name of an object", object.name));
    }
    let elsewhere = || match action {
        Action::Patch { .. } => rivals::is_elsewhere(object.kind),
        _ => stand_in::made(plan, index, object),
    };
    let there =
        object.namespace == plan.target.namespace || (is_name(&object.namespace) && elsewhere());
    if !there || !object.kind.namespaced() {
        return Err(format!("{} is not in the namespace of its target", object.short()));
    }
    Ok(())
}

/// A name goes into the path of a request: letters, digits, `-` and `.`, as Kubernetes has it.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= 253
        && text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|c| inner(c) || c == '-' || c == '.')
}

/// Fields that no plan writes, as parts of a pointer.
const NEVER: &[&str] = &["volumeClaimTemplates", "serviceName", "podManagementPolicy"];

fn untouchable(object: &ObjectRef, patch: &[Op], op: &Op) -> Result<(), String> {
    rivals::check(object, patch, op)?;
    let path = op.path();
    if op.is_guard() {
        return Ok(());
    }
    let refused = || Err(format!("it writes {path:?} of {}", object.short()));
    let mut parts = path.split('/').skip(1);
    let (first, second) = (parts.next(), parts.next());
    // What holds everything holds what may not be written.
    if matches!(
        (first, second),
        (None | Some("" | "status"), _) | (Some("spec" | "metadata"), None)
    ) {
        return refused();
    }
    let selects = object.kind != Kind::Service && second == Some("selector");
    if selects || path.split('/').any(|part| NEVER.contains(&part)) {
        return refused();
    }
    if (first, second) == (Some("metadata"), Some("finalizers")) && object.kind != Kind::Pod {
        return refused();
    }
    let identity = ["name", "namespace", "uid", "ownerReferences", "managedFields"];
    if first == Some("metadata") && second.is_some_and(|s| identity.contains(&s)) {
        return refused();
    }
    Ok(())
}

/// No write gives a container the rights of the node, however deep its pointer goes.
fn unprivileged(op: &Op) -> Result<(), String> {
    let (Op::Add { path, value } | Op::Replace { path, value }) = op else { return Ok(()) };
    let whole =
        path.rsplit('/').filter(|part| !part.is_empty()).fold(value.clone(), |value, key| {
            Value::Object([(key.to_owned(), value)].into_iter().collect())
        });
    match forbidden("", &whole) {
        Some(what) => Err(format!("it sets {what}")),
        None => Ok(()),
    }
}

/// The first setting, at any depth, that no plan makes.
fn forbidden(key: &str, value: &Value) -> Option<String> {
    let bad = match key {
        "runAsUser" => value.as_f64() == Some(0.0),
        "privileged" | "hostPID" | "hostIPC" | "hostNetwork" | "allowPrivilegeEscalation" => {
            value == true
        }
        "hostPath" | "serviceAccountName" | "serviceAccount" => !value.is_null(),
        "capabilities" => value.get("add").is_some(),
        _ => false,
    };
    if bad {
        return Some(format!("{key}: {value}"));
    }
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| forbidden(key, value)),
        Value::Array(items) => items.iter().find_map(|item| forbidden("", item)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::tests::plans;
    use serde_json::json;

    fn add(path: &str, value: Value) -> Op {
        Op::Add { path: path.into(), value }
    }

    fn said(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = plans::memory();
        change(&mut plan);
        check(&plan).map_or_else(|error| error.to_string(), |()| "fits".into())
    }

    fn first(action: Action) -> String {
        said(|plan| {
            if let Some(step) = plan.steps.first_mut() {
                if !matches!(action, Action::Patch { .. }) {
                    step.undo = Undo::Words(String::new());
                }
                step.action = action;
            }
        })
    }

    fn patched(path: &str, value: Value) -> String {
        let object = crate::effects::tests::set();
        first(Action::Patch { object, patch: vec![add(path, value)] })
    }

    #[test]
    fn a_plan_of_this_program_fits() {
        assert_eq!(said(|_| {}), "fits");
    }

    #[test]
    fn a_patch_stays_away_from_what_no_plan_writes() {
        for path in [
            "",
            "/spec",
            "/spec/serviceName",
            "/spec/selector/matchLabels/a",
            "/metadata/uid",
            "/spec/volumeClaimTemplates/0/spec/resources",
            "/spec/podManagementPolicy",
            "/status/x",
        ] {
            assert_eq!(
                patched(path, json!({})),
                format!("step 1 is not what a plan does: it writes {path:?} of sts/prom")
            );
        }
        let path = "/spec/template/spec/securityContext";
        assert_eq!(patched(path, json!({"fsGroup": 1})), "fits");
        assert_eq!(
            patched(path, json!({"runAsUser": 0})),
            "step 1 is not what a plan does: it sets runAsUser: 0"
        );
        let context = json!([{"securityContext": {"privileged": true}}]);
        assert!(patched("/spec/template/spec/containers", context).ends_with("privileged: true"));
    }

    #[test]
    fn only_pods_that_it_names_are_deleted_and_only_beside_the_target() {
        let gone = |kind, namespace: &str, name: &str| {
            let object = ObjectRef::new(kind, namespace, name);
            first(Action::Delete { object, uid: "u".into(), grace: None })
        };
        assert_eq!(gone(Kind::Pod, "mon", "prom-0"), "fits");
        assert!(gone(Kind::Pod, "mon", "other-0").contains("not among the pods"));
        assert!(gone(Kind::PersistentVolumeClaim, "mon", "data").contains("which is no pod"));
        assert!(gone(Kind::Pod, "kube-system", "prom-0").contains("not in the namespace"));
        assert!(gone(Kind::Node, "", "n").contains("not in the namespace"));
        assert!(gone(Kind::Pod, "mon", "../../nodes/n").contains("no name of an object"));
    }

    #[test]
    fn of_who_else_writes_the_target_only_a_pause_is_written() {
        let patch = |kind, op: Op| {
            said(|plan| {
                let object = ObjectRef::new(kind, "gitops", "a");
                plan.steps.truncate(1);
                plan.steps[0].action = Action::Patch { object, patch: vec![op] };
                plan.steps[0].undo = Undo::Words("it goes on".into());
            })
        };
        let automated = "/spec/syncPolicy/automated";
        assert_eq!(patch(Kind::Application, Op::Remove { path: automated.into() }), "fits");
        assert_eq!(patch(Kind::HelmRelease, add("/spec/suspend", json!(true))), "fits");
        let source = patch(Kind::Application, add("/spec/source/repoURL", json!("x")));
        assert!(source.contains("it writes"), "{source}");
        let chart = patch(Kind::HelmRelease, add("/spec/values", json!({})));
        assert!(chart.contains("it writes"), "{chart}");
        let scaled = patch(Kind::ScaledObject, add("/metadata/annotations", json!({})));
        assert!(scaled.contains("not in the namespace"), "{scaled}");
        let object = ObjectRef::new(Kind::ScaledObject, "mon", "a");
        let patch = vec![add("/metadata/annotations", json!({"a": "b"}))];
        assert!(first(Action::Patch { object, patch }).contains("it writes"));
    }

    #[test]
    fn a_wait_asks_only_below_a_prefix_of_routes() {
        let wait = |prefix: &str| {
            let server = Some(Server { port: 9090, prefix: prefix.into() });
            let object = plans::memory().target;
            first(Action::Wait { object, until: Until::RolledOut { server } })
        };
        assert_eq!(wait("/p"), "fits");
        for odd in ["p", "/../../secrets", "/p?x=1"] {
            assert!(wait(odd).contains("is no route prefix"), "{odd}: {}", wait(odd));
        }
    }

    #[test]
    fn of_other_kinds_nothing_is_created() {
        let object = ObjectRef::new(Kind::Service, "mon", "s");
        assert!(first(Action::Create { object, body: json!({}) }).contains("creates svc/s"));
    }

    /// What a receipt says that a step has made is removed by its undo.
    #[test]
    fn no_undo_removes_what_its_step_does_not_make() {
        let undo = |object: ObjectRef, undo: Undo| {
            said(|plan| {
                plan.steps.truncate(1);
                plan.steps[0].action =
                    Action::Wait { object: object.clone(), until: Until::Completed };
                plan.steps[0].undo = undo.clone();
            })
        };
        let claim = || ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data");
        assert_eq!(undo(claim(), Undo::Words(String::new())), "fits");
        for other in [Undo::Delete, Undo::Restore(Vec::new())] {
            assert!(undo(claim(), other).contains("its undo removes"));
        }
        let elsewhere = ObjectRef::new(Kind::Application, "gitops", "a");
        assert!(undo(elsewhere, Undo::Words(String::new())).contains("not in the namespace"));
    }

    #[test]
    fn a_deeper_pointer_sets_no_more_than_a_shallow_one() {
        let spec = "/spec/template/spec";
        for (path, value) in [
            ("containers/0/securityContext/capabilities/add", json!(["SYS_ADMIN"])),
            ("containers/0/securityContext/capabilities/add/-", json!("SYS_ADMIN")),
            ("volumes/0/hostPath/path", json!("/")),
            ("serviceAccountName", json!("other")),
            ("hostNetwork", json!(true)),
        ] {
            assert!(patched(&format!("{spec}/{path}"), value).contains("it sets"), "{path}");
        }
    }

    #[test]
    fn an_undo_brings_back_what_its_step_has_seen_and_no_more() {
        let path = "/spec/template/spec/hostNetwork";
        let undo = |seen: Vec<Op>| {
            said(|plan| {
                if let Some(step) = plan.steps.first_mut() {
                    let object = crate::effects::tests::set();
                    step.action = Action::Patch { object, patch: seen };
                    step.undo = Undo::Patch(vec![add(path, json!(true))]);
                }
            })
        };
        assert!(undo(Vec::new()).contains("it sets hostNetwork"));
        assert_eq!(undo(vec![Op::Test { path: path.into(), value: json!(true) }]), "fits");
    }
}
