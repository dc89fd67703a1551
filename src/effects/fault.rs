//! Places where a test can kill this program, to show that any of them leaves a state from which
//! `resume` and `undo` work. Release builds carry none.

use std::fmt::Display;

/// Every place, `{n}` standing for a step's number. Set `PROM_FIX_FAULT=step-2-sent` and a debug
/// build aborts there; with `PROM_FIX_FAULT_RUN=PROGRAM` it waits for that program instead, and goes
/// on.
pub const POINTS: &[&str] = &[
    // The receipt is written, nothing else is.
    "journal-created",
    // The receipt says that the step begins; nothing was sent.
    "step-{n}-began",
    // The API server did it; the receipt does not know.
    "step-{n}-sent",
    // The receipt knows.
    "step-{n}-did",
    // All steps done, the receipt still open.
    "journal-open",
    // The receipt says that taking back the step begins.
    "undo-{n}-began",
    // The values are back, prom-fix still owns fields.
    "undo-{n}-sent",
    // Values and ownership are back, the receipt does not know.
    "undo-{n}-fields",
    "undo-{n}-did",
];

#[cfg(all(debug_assertions, not(test)))]
pub(super) fn fault(point: impl Display) {
    if std::env::var("PROM_FIX_FAULT").is_ok_and(|wanted| wanted == point.to_string()) {
        match std::env::var_os("PROM_FIX_FAULT_RUN").map(|p| std::process::Command::new(p).status())
        {
            Some(Ok(ended)) if ended.success() => {}
            Some(_) | None => std::process::abort(),
        }
    }
}

#[cfg(not(any(debug_assertions, test)))]
pub(super) fn fault(_point: impl Display) {}

#[cfg(test)]
thread_local! {
    /// The unit tests' stand-in for the environment: where to unwind instead of aborting.
    pub(super) static WANTED: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

#[cfg(test)]
pub(super) fn fault(point: impl Display) {
    if WANTED.with_borrow(|wanted| *wanted == point.to_string()) {
        std::panic::resume_unwind(Box::new(point.to_string()));
    }
}
