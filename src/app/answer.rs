//! The answer of a run that ended without a look at a Prometheus: an error, a plan that was
//! refused, one that was taken back. People get a line on stderr; a script that asked for JSON or
//! YAML gets a report with the same line as its `message`, never nothing.

use serde_json::Value;

use super::{Done, Run};
use crate::cli::{Output, Typed};
use crate::exit::Exit;
use crate::model::Plan;
use crate::model::plan::Blocked;
use crate::model::report::{Context, Rehearsal};
use crate::render;

/// What is told of a plan, with no look at its target.
pub struct Answer<'a> {
    pub plan: &'a Plan,
    pub rehearsal: &'a [Rehearsal],
    pub exit: Exit,
    pub message: String,
    pub blocked: Option<&'a Blocked>,
}

impl Answer<'_> {
    /// For scripts as asked; for people `text`.
    pub fn done(&self, run: &Run<'_>, text: String) -> Done {
        let Answer { plan, rehearsal, exit, message, blocked } = self;
        let head = head(run.typed, Some(&run.context), *exit, message);
        let value = || render::json_of_plan(&head, plan, rehearsal, *blocked);
        Done::new(*exit, scripted(run.typed.read.output, value).unwrap_or(text))
    }
}

/// Nothing was done with this plan, and why: exit 3.
pub fn blocked(run: &Run<'_>, plan: &Plan, rehearsal: &[Rehearsal], why: &Blocked) -> Done {
    run.screen.fail(&format!("nothing was changed: {}", render::clean(&why.why)));
    for way in &why.ways {
        run.screen.say(&format!("  {}", render::clean(way)));
    }
    let message = format!("nothing was changed: {}", why.why);
    let exit = Exit::Blocked;
    Answer { plan, rehearsal, exit, message, blocked: Some(why) }.done(run, String::new())
}

/// The run ended in an error, or could not see whether there is a Prometheus.
pub fn failed(typed: &Typed, context: Option<&Context>, exit: Exit, message: &str) -> Done {
    let head = head(typed, context, exit, message);
    let value = || render::json(&head, &[]);
    Done::new(exit, scripted(typed.read.output, value).unwrap_or_default())
}

fn head<'a>(
    typed: &Typed,
    context: Option<&'a Context>,
    exit: Exit,
    message: &'a str,
) -> render::Head<'a> {
    let message = Some(message);
    render::Head { command: typed.job.command(), exit: exit.code(), context, message }
}

fn scripted(output: Output, value: impl Fn() -> Value) -> Option<String> {
    match output {
        Output::Json => Some(format!("{:#}\n", value())),
        Output::Yaml => Some(render::yaml(&value())),
        Output::Text
        | Output::Short
        | Output::Plan
        | Output::Patch
        | Output::Commit
        | Output::Commands => None,
    }
}
