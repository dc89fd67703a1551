//! What is asked before anything is done, and what a code means.

use crate::model::plan::Impact;
use crate::model::report::Context;
use crate::model::{CodeDoc, Plan, Stage};

use super::clean::clean;
use super::page::Page;
use super::style::{Role, Style};

/// The prompt: object, context, server, user, outage, data, then `(y/N) `.
pub fn question(plan: &Plan, context: &Context) -> String {
    let style = Style::plain();
    let mut page = Page::new(&style);
    let Context { name, server, user, flags: _, bundle: _, applying: _ } = context;
    let Impact { restarts, outage, stops_serving, data, loses_data, serving: _, beyond: _ } =
        &plan.impact;
    page.line(&format!("Plan {}: {}", plan.digest(), clean(&plan.title)));
    let target = &plan.target;
    let stops = if *stops_serving { "; nothing serves while it lasts" } else { "" };
    let loses = if *loses_data { "; this cannot be taken back" } else { "" };
    let place = match target.namespace.as_str() {
        "" => clean(&target.short()),
        namespace => format!("{} -n {}", clean(&target.short()), clean(namespace)),
    };
    let rows = [
        ("object", place),
        ("context", clean(name)),
        ("server", clean(server)),
        ("user", clean(user)),
        ("restarts", restarts.iter().map(|pod| clean(pod)).collect::<Vec<_>>().join(", ")),
        ("outage", format!("{}{stops}", clean(outage))),
        ("data", format!("{}{loses}", clean(data))),
        ("undo", clean(&plan.undo)),
    ];
    for (label, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
        page.flow(&format!("  {label:<8}  "), Role::Plain, 12, text);
    }
    let count = plan.steps.len();
    let plural = if count == 1 { "this step" } else { "these steps" };
    format!("{}Carry out {plural} ({count})? (y/N) ", page.finish())
}

/// What `explain CODE` prints.
pub fn explain(doc: &CodeDoc) -> String {
    let CodeDoc { code, stage, meaning, proof, plan, risk } = doc;
    let style = Style::plain();
    let mut page = Page::new(&style);
    page.line(code.0);
    let rows = [
        ("Meaning", *meaning),
        ("Strikes", stage_words(*stage)),
        ("Proof", *proof),
        ("Plan", *plan),
        ("Risk", *risk),
    ];
    for (label, text) in rows {
        page.flow(&format!(" {label:<8}  "), Role::Plain, 11, text);
    }
    page.finish()
}

fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Owner => "before the pod: its operator or controller does not act",
        Stage::Placement => "before the pod starts: node, volume or admission",
        Stage::Container => "when the container is made",
        Stage::Config => "at the start, when flags and configuration are read",
        Stage::FirstWrite => "at the start, at the first file that is written",
        Stage::Listen => "at the start, when the socket is opened",
        Stage::Storage => "at the start, when the storage is opened",
        Stage::Replay => "at the start, while the WAL is replayed",
        Stage::Serving => "while it serves",
        Stage::Reach => "while it runs, on the way to it",
    }
}
