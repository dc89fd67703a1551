//! A plan as plain kubectl commands, for someone without the plugin.

use serde_json::Value;

use crate::model::object::Kind;
use crate::model::report::Context;
use crate::model::{Action, ObjectRef, Plan, Until};

use super::changes;
use super::clean::clean;
use super::shell::{Command, quote};
use super::yaml::yaml;

/// How long a wait may take before kubectl gives up.
const TIMEOUT: &str = "--timeout=15m";

/// The plan as commands, in order; what kubectl cannot do is said in a comment.
pub fn commands(plan: &Plan, context: &Context) -> String {
    let mut out = format!(
        "# {}\n# plan {} for {}; no receipt is written, so undo will not know of it\n",
        clean(&plan.title),
        plan.digest(),
        clean(&plan.target.short())
    );
    for (place, step) in plan.steps.iter().enumerate() {
        out.push_str(&format!("\n# step {}: {}\n", place + 1, clean(&step.why)));
        match &step.action {
            Action::Patch { object, patch } => {
                let ops = serde_json::to_value(patch).unwrap_or(Value::Null);
                let command = start(&["patch", &name(object)], object, context)
                    .piece(&["--type=json", "-p", &ascii(&ops)])
                    .piece(&["--field-manager=prom-fix"]);
                line(&mut out, &command);
            }
            Action::Create { object, body } => create(&mut out, object, body, context),
            Action::Delete { object, uid, grace } => {
                delete(&mut out, object, uid, *grace, context);
            }
            Action::Exec { object, container, argv } => {
                let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
                let command = start(&["exec", &name(object)], object, context)
                    .piece(&["-c", container, "--"])
                    .piece(&argv);
                line(&mut out, &command);
            }
            Action::Wait { object, until } => wait(&mut out, object, until, context),
        }
    }
    out
}

fn start(words: &[&str], object: &ObjectRef, context: &Context) -> Command {
    Command::new(&["kubectl"]).piece(words).place(object, context)
}

fn line(out: &mut String, command: &Command) {
    out.push_str(&command.whole());
    out.push('\n');
}

/// `prometheuses.monitoring.coreos.com/k8s`: the group keeps forks of a kind apart.
fn name(object: &ObjectRef) -> String {
    let ObjectRef { kind, namespace: _, name } = object;
    match (kind.group(), kind) {
        ("", Kind::Pod) => format!("pod/{name}"),
        ("", kind) => format!("{}/{name}", kind.plural()),
        (group, kind) => format!("{}.{group}/{name}", kind.plural()),
    }
}

/// JSON in ASCII: a shell and a terminal take it for what it is.
fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for one in value.to_string().chars() {
        if one.is_ascii() && !one.is_ascii_control() {
            out.push(one);
        } else {
            let mut units = [0; 2];
            for unit in one.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn create(out: &mut String, object: &ObjectRef, body: &Value, context: &Context) {
    let text = yaml(body);
    let mut end = "END".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('D');
    }
    let command =
        start(&["create", "-f", "-"], object, context).piece(&["--field-manager=prom-fix"]);
    out.push_str(&format!("{} <<'{end}'\n{text}{end}\n", command.whole()));
}

/// kubectl cannot delete by uid: the shell compares it first.
fn delete(out: &mut String, object: &ObjectRef, uid: &str, grace: Option<u32>, context: &Context) {
    let get =
        start(&["get", &name(object)], object, context).piece(&["-o", "jsonpath={.metadata.uid}"]);
    let mut command = start(&["delete", &name(object)], object, context);
    if let Some(seconds) = grace {
        command = command.piece(&[&format!("--grace-period={seconds}"), "--wait=false"]);
    }
    out.push_str(&format!("# only the one with uid {}; if it is gone, go on\n", clean(uid)));
    out.push_str(&format!("[ \"$({})\" = {} ] &&\n", get.whole(), quote(uid)));
    line(out, &command);
}

fn wait(out: &mut String, object: &ObjectRef, until: &Until, context: &Context) {
    let wait = |condition: &str| {
        start(&["wait", condition, &name(object)], object, context).piece(&[TIMEOUT])
    };
    match until {
        Until::Ingests { .. } => {
            line(out, &wait("--for=create"));
            line(out, &wait("--for=condition=Ready"));
            out.push_str(
                "# that it takes samples needs the plugin, or a look at its targets page\n",
            );
        }
        Until::Ready { .. } => {
            line(out, &wait("--for=create"));
            line(out, &wait("--for=condition=Ready"));
        }
        Until::Gone { .. } => line(out, &wait("--for=delete")),
        Until::RolledOut { .. } if rolls(object.kind) => {
            let command = start(&["rollout", "status", &name(object)], object, context);
            line(out, &command.piece(&[TIMEOUT]));
        }
        Until::RolledOut { .. } => needs_plugin(out, object, context),
        Until::Rendered { pointer, value } if !value.is_object() && !value.is_array() => {
            let path = format!("--for=jsonpath={{{}}}", json_path(pointer));
            line(out, &wait(&format!("{path}={}", changes::plain(value))));
        }
        Until::Rendered { .. } => needs_plugin(out, object, context),
        // A pod whose name is held stays after its containers have ended.
        Until::Stopped { .. } | Until::Held { .. } => {
            out.push_str("# or Failed, which is as good\n");
            line(out, &wait("--for=jsonpath={.status.phase}=Succeeded"));
        }
        Until::Completed => line(out, &wait("--for=jsonpath={.status.phase}=Succeeded")),
    }
}

fn rolls(kind: Kind) -> bool {
    matches!(kind, Kind::StatefulSet | Kind::Deployment | Kind::DaemonSet)
}

fn needs_plugin(out: &mut String, object: &ObjectRef, context: &Context) {
    out.push_str("# this needs the plugin:\n");
    let command = Command::new(&["kubectl", "prom-fix", "wait", &object.short()]);
    line(out, &command.place(object, context));
}

/// `.spec.containers[1].name`, dots in keys escaped.
fn json_path(pointer: &str) -> String {
    let part = |part: &str| match part.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{}", part.replace("~1", "/").replace("~0", "~").replace('.', "\\.")),
    };
    pointer.split('/').skip(1).map(part).collect()
}
