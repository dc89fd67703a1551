//! A data directory that lies beside the volume: the argument is led to the mount.

use serde_json::{Value, json};

use super::Case;
use super::landing::{self, TEMPLATE};
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::{Blocked, Plan};
use crate::subject::repair::Draft;

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    let template = case.template();
    let index = landing::container(case.subject, template)
        .ok_or_else(|| case.blocked("its container is not in the template"))?;
    let container = template.pointer(&format!("/containers/{index}")).unwrap_or(&Value::Null);
    let mount = only_store(template, container).map_err(|why| case.blocked(why))?;
    let flag = if case.subject.agent { "--storage.agent.path" } else { "--storage.tsdb.path" };
    let argument = format!("{flag}={mount}");
    let changes = changes(container, index, flag, &argument).ok_or_else(|| {
        case.blocked("its arguments are not in its template: its command says them")
    })?;
    let title = format!("store on the volume: {argument}");
    let why = format!("{title}; that is where its claim is mounted");
    let wanted = landing::in_template(case.subject, changes, &why)?;
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

/// The argument in the place of the one there is, in either form; else behind the others.
fn changes(container: &Value, index: usize, flag: &str, argument: &str) -> Option<Vec<Change>> {
    // Without arguments those of the image count, which one more would replace.
    let list = ["args", "command"].into_iter().find(|list| {
        let starts = |word: &Value| word.as_str().is_some_and(|word| word.starts_with('-'));
        container.list(&format!("/{list}")).iter().any(starts)
    })?;
    let words = container.list(&format!("/{list}"));
    let at = |place: usize| format!("{TEMPLATE}/containers/{index}/{list}/{place}");
    let equals = format!("{flag}=");
    let text = |word: &Value| word.as_str().unwrap_or("").to_owned();
    if let Some(place) = words.iter().position(|word| text(word).starts_with(&equals)) {
        return Some(vec![Change::set(at(place), json!(argument))]);
    }
    if let Some(place) = words.iter().position(|word| text(word) == flag) {
        let value = argument.strip_prefix(&equals).unwrap_or(argument);
        return Some(vec![Change::set(at(place + 1), json!(value))]);
    }
    Some(vec![Change::set(at(words.len()), json!(argument))])
}
