//! A pod, or its container, that is refused for the user it wants to run as.

use serde_json::{Value, json};

use super::super::check::admission::{LEVEL, RANGE};
use super::Case;
use super::landing;
use crate::model::object::{Kind, ObjectExt};
use crate::model::patch::Change;
use crate::model::{Blocked, Plan};
use crate::subject::identity;
use crate::subject::repair::Draft;
use crate::subject::template::{self, SPEC};

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    if case.root.object.kind == Kind::Pod {
        return numbered(case);
    }
    let level = case.root.evidence.iter().find(|e| e.field == LEVEL).map(|e| e.value.as_str());
    match level {
        Some("restricted") => restricted(case),
        Some(level) => {
            Err(case.blocked(format!("the level {level} refuses what no user can mend")))
        }
        None => Err(match case.range().filter(|_| by_range(case)) {
            Some(range) => case.out_of_range(&range),
            None => case.blocked("who refuses it asks for what only they know"),
        }),
    }
}

fn by_range(case: &Case<'_>) -> bool {
    case.root.evidence.iter().any(|e| e.field == RANGE)
}

/// runAsNonRoot, and a user that the image gives by name.
fn numbered(case: &Case<'_>) -> Result<Plan, Blocked> {
    let mut draft = Draft::default();
    draft.doubts.extend(case.takes_numbers()?);
    let spec = case.template();
    let refused = case.root.evidence.iter().find_map(|e| e.field.strip_prefix("container "));
    let name = refused.unwrap_or(&case.subject.container);
    let list = spec.list("/containers");
    let index = list.iter().position(|c| c.text("/name") == name);
    let container = index.and_then(|index| list.get(index)).unwrap_or(&Value::Null);
    let image = container.text("/image");
    let (Some(index), Some(user)) = (index, identity::of_image(image)) else {
        return Err(case.blocked(format!("which number the user of {name} has is not known")));
    };
    let title = format!("run {name} as user {user}, the number of its image's user");
    let wanted = if case.subject.is_operated() {
        landing::in_security_context(case.subject, &[("runAsUser", json!(user))], &title)?
    } else {
        let at = format!("{SPEC}/containers/{index}/securityContext/runAsUser");
        template::wanted(case.subject, vec![Change::set(at, user)], &title)?
    };
    case.draft(title, wanted, draft)
}

/// What the level `restricted` asks of a pod (kubernetes docs "Pod Security Standards"), as far as a
/// Prometheus can have it without being another program.
fn restricted(case: &Case<'_>) -> Result<Plan, Blocked> {
    let spec = case.template();
    if let Some(why) = beyond(spec) {
        return Err(case.blocked(why));
    }
    let mut changes = Vec::new();
    let mut set = |at: String, value: Value| {
        if spec.pointer(&at) != Some(&value) {
            changes.push(Change::set(format!("{SPEC}{at}"), value));
        }
    };
    set("/securityContext/runAsNonRoot".into(), json!(true));
    if spec.pointer("/securityContext/seccompProfile").is_none() {
        set("/securityContext/seccompProfile".into(), json!({"type": "RuntimeDefault"}));
    }
    let own = template::container(case.subject, spec);
    for list in ["initContainers", "containers"] {
        for (index, container) in spec.list(&format!("/{list}")).iter().enumerate() {
            let at = format!("/{list}/{index}/securityContext");
            set(format!("{at}/allowPrivilegeEscalation"), json!(false));
            set(format!("{at}/capabilities/drop"), json!(["ALL"]));
            let numbered = identity::set(spec, container.text("/name"), "runAsUser").is_some();
            let user = identity::of_image(container.text("/image"));
            if let Some(user) = user.filter(|_| !numbered && own == Some(index)) {
                set(format!("{at}/runAsUser"), json!(user));
            }
        }
    }
    let mut draft = Draft::default();
    if changes.iter().any(|change| change.pointer.ends_with("/runAsUser")) {
        draft.doubts.extend(case.takes_numbers()?);
    }
    let of_pods = format!("{SPEC}/securityContext/");
    let lands =
        |change: &Change| !case.subject.is_operated() || change.pointer.starts_with(&of_pods);
    if changes.is_empty() || !changes.iter().all(lands) {
        return Err(case.blocked(
            "what the level asks for beyond the pods' own security context is set where its \
             containers come from",
        ));
    }
    let title = "give the pods what the level restricted asks for".to_owned();
    let wanted = if case.subject.is_operated() {
        let pods = "/securityContext/";
        let values: Vec<(&str, Value)> = changes
            .iter()
            .filter_map(|c| {
                let name = c.pointer.strip_prefix(SPEC)?.strip_prefix(pods)?;
                Some((name, c.value.clone()?))
            })
            .collect();
        landing::in_security_context(case.subject, &values, &title)?
    } else {
        template::wanted(case.subject, changes, &title)?
    };
    case.draft(title, wanted, draft)
}

/// What the level refuses and no security context can mend.
fn beyond(spec: &Value) -> Option<&'static str> {
    let host = ["hostNetwork", "hostPID", "hostIPC"];
    if host.iter().any(|field| spec.is_true(&format!("/{field}"))) {
        return Some("it uses a namespace of its node, which this level never allows");
    }
    if spec.list("/volumes").iter().any(|v| v.get("hostPath").is_some()) {
        return Some("it mounts a folder of its node, which this level never allows");
    }
    let all = spec.list("/containers").iter().chain(spec.list("/initContainers"));
    let root = |c: &Value| c.number("/securityContext/runAsUser") == Some(0);
    let roots = spec.number("/securityContext/runAsUser") == Some(0) || all.clone().any(root);
    if roots {
        return Some("it runs as root, which this level never allows: give it a user first");
    }
    let more = |c: &Value| {
        c.list("/securityContext/capabilities/add").iter().any(|right| right != "NET_BIND_SERVICE")
            || c.list("/ports").iter().any(|port| port.number("/hostPort").unwrap_or(0) != 0)
            || c.pointer("/securityContext/runAsNonRoot").is_some_and(|v| v == false)
            || c.text("/securityContext/seccompProfile/type") == "Unconfined"
    };
    if all.clone().any(more) || spec.text("/securityContext/seccompProfile/type") == "Unconfined" {
        return Some(
            "a container asks for what this level never allows (rights, host ports, root)",
        );
    }
    let privileged = |c: &Value| c.is_true("/securityContext/privileged");
    all.clone()
        .any(privileged)
        .then_some("a container is privileged, which this level never allows")
}
