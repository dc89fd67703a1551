//! A plan for other tools: the bare patch, and what to commit.

use crate::model::plan::Snippet;
use crate::model::{Action, Plan};

use super::clean::clean;

/// The RFC 6902 list of a plan that is one patch and waits; else one line that says what to use.
pub fn patch(plan: &Plan) -> Result<String, String> {
    let mut only = None;
    let count = plan.steps.len();
    let refused = || {
        let plural = if count == 1 { "" } else { "s" };
        format!("this plan has {count} step{plural}; use -o plan")
    };
    for step in &plan.steps {
        match &step.action {
            Action::Patch { patch, .. } if only.is_none() => only = Some(patch),
            Action::Wait { .. } => {}
            Action::Patch { .. }
            | Action::Create { .. }
            | Action::Delete { .. }
            | Action::Exec { .. } => return Err(refused()),
        }
    }
    let ops = only.ok_or_else(refused)?;
    let text = serde_json::to_string_pretty(ops).map_err(|error| error.to_string())?;
    Ok(format!("{text}\n"))
}

/// What to commit so that the change lasts, each place under its title.
pub fn commit(plan: &Plan) -> String {
    if plan.commit.is_empty() {
        return format!(
            "# nothing to commit: no manager of {} is known to write these values\n",
            clean(&plan.target.short())
        );
    }
    let mut parts = Vec::new();
    for Snippet { title, language, text } in &plan.commit {
        let sort =
            if language == "yaml" { String::new() } else { format!(" ({})", clean(language)) };
        let lines: Vec<String> = text.lines().map(clean).collect();
        parts.push(format!("# {}{sort}\n{}\n", clean(title), lines.join("\n")));
    }
    // Documents of one stream where all are YAML, so that it parses as it stands.
    let all_yaml = plan.commit.iter().all(|snippet| snippet.language == "yaml");
    parts.join(if all_yaml { "---\n" } else { "\n" })
}
