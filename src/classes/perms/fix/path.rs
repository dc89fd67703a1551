//! A data directory that lies beside the volume: the argument is led to the mount. Never the mount to
//! the argument: sidecars know the volume by where it is mounted, an operator renders the mount, and
//! what the volume holds would be found nowhere by what was told the old path.

use serde_json::Value;

use super::Case;
use crate::model::object::ObjectExt;
use crate::model::{Blocked, Plan};
use crate::subject::repair::Draft;
use crate::subject::template;

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    let spec = case.template();
    let index = template::container(case.subject, spec)
        .ok_or_else(|| case.blocked("its container is not in the template"))?;
    let container = spec.pointer(&format!("/containers/{index}")).unwrap_or(&Value::Null);
    let mount = only_store(spec, container).map_err(|why| case.blocked(why))?;
    let flag = if case.subject.agent { "storage.agent.path" } else { "storage.tsdb.path" };
    let changes = template::set_flag(container, index, flag, mount).ok_or_else(|| {
        case.blocked("its arguments are not in its template: its command says them")
    })?;
    let title = format!("store on the volume: --{flag}={mount}");
    let why = format!("{title}; that is where its claim is mounted");
    let wanted = template::wanted(case.subject, changes, &why)?;
    let mut plan = case.draft(title, wanted, Draft::default())?;
    // The place that it leaves was refused, or is not there.
    plan.impact.data = "untouched: nothing could be written where it stores now".into();
    plan.impact.loses_data = false;
    Ok(plan)
}

/// The one mount of a volume that lasts and may be written.
fn only_store<'a>(template: &'a Value, container: &'a Value) -> Result<&'a str, &'static str> {
    let claims =
        template.list("/volumes").iter().filter(|v| v.get("persistentVolumeClaim").is_some());
    let mut names: Vec<&str> = claims.map(|v| v.text("/name")).collect();
    // In a template of a set a claim is no volume of its own.
    let mounts = container.list("/volumeMounts").iter();
    let undeclared = mounts
        .clone()
        .map(|m| m.text("/name"))
        .filter(|name| !template.list("/volumes").iter().any(|v| v.text("/name") == *name));
    names.extend(undeclared);
    let stores: Vec<&Value> =
        mounts.filter(|m| names.contains(&m.text("/name")) && !m.is_true("/readOnly")).collect();
    match stores.as_slice() {
        [store] if store.text("/mountPath") != "/" => Ok(store.text("/mountPath")),
        [] => Err("no claim is mounted in its container: there is no place that lasts"),
        _ => Err("several claims are mounted in its container: which is for the data is not known"),
    }
}
