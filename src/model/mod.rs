//! Values only: what was asked for, what was read, what it means, what would be done, what was
//! done. No clock, no files, no network, no printing.

pub mod address;
pub mod code;
pub mod exposition;
pub mod fact;
pub mod finding;
pub mod fold;
pub mod folder;
pub mod image;
pub mod inside;
pub mod log;
pub mod object;
pub mod patch;
pub mod path;
pub mod plan;
pub mod probe;
pub mod quantity;
pub mod receipt;
pub mod report;
pub mod rules;

pub use code::{Code, CodeDoc, Stage};
pub use fact::{Fact, Got, Need, Seen, Snapshot};
pub use finding::{Evidence, Finding, Severity, Unknown, Verdict};
pub use object::{Kind, ObjectRef};
pub use path::{Passage, Path, PathStep};
pub use plan::{Action, Blocked, BlockedReason, Next, Plan, Step, Undo, Until};
