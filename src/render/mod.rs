//! Values to text. Knows how a report, a plan, a receipt look; decides nothing, reads nothing,
//! prints nothing. Untrusted text (logs, names, answers of the server) is neutralised here.
//!
//! Every text ends with a line feed, except [`question`], which waits for an answer, and the small
//! parts [`clean`], [`ago`], [`shell_quote`]. Same values, same bytes: there is no clock in here.

use crate::model::report::Rehearsal;

mod aside;
mod changes;
mod clean;
mod commands;
mod diff;
mod directory;
mod export;
mod findings;
mod headline;
mod json;
mod list;
mod page;
mod path;
mod plan;
mod plan_file;
mod question;
mod receipts;
mod shell;
mod steps;
pub mod style;
mod text;
mod yaml;

#[cfg(test)]
mod tests;

pub use aside::aside;
pub use clean::{ago, clean};
pub use commands::commands;
pub use diff::unified_diff;
pub use export::{commit, patch};
pub use json::{Head, json, json_of_plan};
pub use list::{short, sweep};
pub use plan_file::{PlanFileError, plan_file, read_plan};
pub use question::{explain, question};
pub use receipts::{receipt, receipts};
pub use shell::shell_quote;
pub use style::Style;
pub use text::text;
pub use yaml::yaml;

/// Every step of a plan, what it costs and what takes it back, where there is no report around it.
pub fn plan(plan: &crate::model::Plan, rehearsal: &[Rehearsal], style: &Style) -> String {
    plan::alone(plan, rehearsal, style)
}
