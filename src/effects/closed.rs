//! The closed set: what a plan may contain at all, whoever wrote it. A plan comes from a class of
//! this program, from a file that somebody edited, or from a receipt that anybody with the right
//! to ConfigMaps may have written; its digest proves only that it hangs together.

use serde_json::Value;

use super::error::Error;
use crate::model::inside::{AGENT, REFERENCE};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::Op;
use crate::model::plan::{Action, Plan, Step, Undo, Until};

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
    place(plan, object)?;
    match &step.action {
        Action::Patch { object, patch } => {
            for op in patch {
                untouchable(object, op)?;
                unprivileged(op)?;
            }
        }
        Action::Create { object, body } => {
            created(object, body)?;
            if object.kind == Kind::Pod && changes_owners(body) && !brings_agent(plan, index, body)
            {
                return Err(format!("{} runs as root, and not our agent", object.short()));
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
            let left = plan.undoes.is_some() && object.name.starts_with("prom-fix-");
            if !own && !left && (uid.is_empty() || !plan.impact.restarts.contains(&object.name)) {
                return Err(format!(
                    "{} is not among the pods it says it restarts",
                    object.short()
                ));
            }
        }
        Action::Wait { until: Until::Ingests { prefix, .. }, .. } => {
            let odd = |c: char| c.is_whitespace() || c.is_control() || "?#%".contains(c);
            if !prefix.starts_with('/') || prefix.contains("..") || prefix.contains(odd) {
                return Err(format!("{prefix:?} is no route prefix"));
            }
        }
        Action::Wait { .. } | Action::Exec { .. } => {}
    }
    if let Undo::Patch(ops) = &step.undo {
        // It may bring back what was there, whatever that was.
        ops.iter().try_for_each(|op| untouchable(object, op))?;
    }
    Ok(())
}

/// Only objects beside the target: nothing of another namespace or of the whole cluster.
fn place(plan: &Plan, object: &ObjectRef) -> Result<(), String> {
    if !is_name(&object.name) {
        return Err(format!("{:?} is no name of an object", object.name));
    }
    if object.namespace != plan.target.namespace || !object.kind.namespaced() {
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

fn untouchable(object: &ObjectRef, op: &Op) -> Result<(), String> {
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

/// No write gives a container the rights of the node.
fn unprivileged(op: &Op) -> Result<(), String> {
    let (Op::Add { path, value } | Op::Replace { path, value }) = op else { return Ok(()) };
    let key = path.rsplit('/').next().unwrap_or_default();
    match forbidden(key, value) {
        Some(what) => Err(format!("it sets {what}")),
        None => Ok(()),
    }
}

/// The first setting, at any depth, that no plan makes.
fn forbidden(key: &str, value: &Value) -> Option<String> {
    let bad = match key {
        "runAsUser" => value.as_f64() == Some(0.0),
        "privileged" | "hostPID" | "hostIPC" | "allowPrivilegeEscalation" => value == true,
        "hostPath" => !value.is_null(),
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

/// Only our own: helpers, what they run, policies.
fn created(object: &ObjectRef, body: &Value) -> Result<(), String> {
    let short = object.short();
    if !matches!(object.kind, Kind::Pod | Kind::ConfigMap | Kind::NetworkPolicy) {
        return Err(format!("it creates {short}"));
    }
    let is = Kind::of(body.text("/apiVersion"), body.text("/kind"));
    let there = ["", object.namespace.as_str()].contains(&body.namespace());
    if is != Some(object.kind) || body.name() != object.name || !there {
        return Err(format!("what it creates as {short} is another object"));
    }
    let rest = if changes_owners(body) { without_user(body) } else { body.clone() };
    if let Some(what) = forbidden("", &rest) {
        return Err(format!("{short} has {what}"));
    }
    if !body.text("/spec/serviceAccountName").is_empty() {
        return Err(format!("{short} has a service account"));
    }
    if body.is_true("/spec/hostNetwork") {
        return Err(format!("{short} has hostNetwork: true"));
    }
    Ok(())
}

/// Whether a pod is the one of ours that runs as root: it runs our agent, which gives files to
/// another user, with the rights that this takes.
fn changes_owners(body: &Value) -> bool {
    const RIGHTS: [&str; 3] = ["CHOWN", "DAC_OVERRIDE", "FOWNER"];
    const POD: [&str; 12] = [
        "restartPolicy",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "activeDeadlineSeconds",
        "terminationGracePeriodSeconds",
        "affinity",
        "tolerations",
        "imagePullSecrets",
        "securityContext",
        "containers",
        "volumes",
        "nodeSelector",
    ];
    const CONTAINER: [&str; 7] = [
        "name",
        "image",
        "imagePullPolicy",
        "command",
        "resources",
        "securityContext",
        "volumeMounts",
    ];
    let only = |value: Option<&Value>, keys: &[&str]| {
        value
            .and_then(Value::as_object)
            .is_some_and(|map| map.keys().all(|k| keys.contains(&k.as_str())))
    };
    let [container] = body.list("/spec/containers") else { return false };
    if !only(body.get("spec"), &POD) || !only(Some(container), &CONTAINER) {
        return false;
    }
    let words = container.list("/command");
    let word = |at: usize| words.get(at).and_then(Value::as_str);
    let added = container.list("/securityContext/capabilities/add");
    let within = added.iter().all(|right| right.as_str().is_some_and(|r| RIGHTS.contains(&r)));
    let mounts = container.list("/volumeMounts").iter();
    let mounts: Vec<_> = mounts.map(|m| (m.text("/name"), m.text("/mountPath"))).collect();
    let carried = mounts == [("data", "/data"), ("agent", "/agent")] && carrier(body).is_some();
    let back = word(1) == Some("restore") && word(3) == Some("--of") && word(4) == Some("chown");
    word(0) == Some("/agent/prom-fix-agent")
        && (word(1) == Some("chown") || back)
        && container.list("/securityContext/capabilities/drop") == ["ALL"]
        && within
        && carried
}

/// The ConfigMap that a helper has its agent from.
fn carrier(body: &Value) -> Option<&str> {
    let [data, agent] = body.list("/spec/volumes") else { return None };
    let fits = data.text("/name") == "data" && data.get("persistentVolumeClaim").is_some();
    let name = agent.text("/configMap/name");
    (fits && agent.text("/name") == "agent" && !name.is_empty()).then_some(name)
}

/// Whether the plan itself makes that ConfigMap, with one of our agents in it and nothing else.
fn brings_agent(plan: &Plan, index: usize, body: &Value) -> bool {
    let Some(name) = carrier(body) else { return false };
    plan.steps.iter().take(index).any(|step| match &step.action {
        Action::Create { object, body }
            if object.kind == Kind::ConfigMap && object.name == name =>
        {
            let held = body.get("binaryData").and_then(Value::as_object);
            let named = held.and_then(|held| held.get(AGENT)).and_then(Value::as_str);
            body.get("data").is_none()
                && held.is_some_and(|held| held.len() == 1)
                && named.is_some_and(|named| named.starts_with(REFERENCE))
        }
        _ => false,
    })
}

fn without_user(body: &Value) -> Value {
    let mut rest = body.clone();
    if let Some(Value::Object(security)) = rest.pointer_mut("/spec/securityContext") {
        security.remove("runAsUser");
    }
    let rights = rest.pointer_mut("/spec/containers/0/securityContext/capabilities");
    if let Some(Value::Object(rights)) = rights {
        rights.remove("add");
    }
    rest
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
    fn what_is_created_is_ours_and_has_no_rights() {
        let pod = |spec: Value| {
            let body = json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "helper", "namespace": "mon"}, "spec": spec});
            first(Action::Create { object: ObjectRef::new(Kind::Pod, "mon", "helper"), body })
        };
        assert_eq!(pod(json!({"containers": []})), "fits");
        assert!(pod(json!({"volumes": [{"hostPath": {"path": "/"}}]})).contains("hostPath"));
        assert!(pod(json!({"hostNetwork": true})).contains("hostNetwork"));
        assert!(pod(json!({"securityContext": {"runAsUser": 0}})).contains("runAsUser: 0"));
        let root = |command: Value, add: &str, held: Value| {
            let pod = json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "helper", "namespace": "mon"}, "spec": {
                "securityContext": {"runAsUser": 0},
                "containers": [{
                    "command": command,
                    "securityContext": {"capabilities": {"drop": ["ALL"], "add": [add]}},
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {"name": "agent", "mountPath": "/agent"},
                    ],
                }],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "c"}},
                    {"name": "agent", "configMap": {"name": "a"}},
                ],
            }});
            let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "a", "namespace": "mon"}});
            for (key, value) in held.as_object().into_iter().flatten() {
                map[key] = value.clone();
            }
            said(|plan| {
                let create = |kind, name: &str, body| Step {
                    why: String::new(),
                    action: Action::Create { object: ObjectRef::new(kind, "mon", name), body },
                    undo: Undo::Delete,
                };
                plan.steps =
                    vec![create(Kind::ConfigMap, "a", map), create(Kind::Pod, "helper", pod)];
            })
        };
        let own = || json!(["/agent/prom-fix-agent", "chown", "/data"]);
        let agent = || json!({"binaryData": {AGENT: "sha256:00"}});
        assert_eq!(root(own(), "CHOWN", agent()), "fits");
        assert!(root(own(), "SYS_ADMIN", agent()).contains("has capabilities"));
        assert!(root(json!(["/bin/sh", "chown"]), "CHOWN", agent()).contains("has capabilities"));
        let script = json!({"data": {AGENT: "#!/bin/sh"}});
        assert!(root(own(), "CHOWN", script).contains("not our agent"));
        let object = ObjectRef::new(Kind::Service, "mon", "s");
        assert!(first(Action::Create { object, body: json!({}) }).contains("creates svc/s"));
    }
}
