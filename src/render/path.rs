//! The way from who asks to a pod, one line a step, the first broken one marked.

use crate::model::{Passage, Path, PathStep};

use super::clean::clean;
use super::page::Page;
use super::style::Role;

/// Further lines of a step start here: behind the mark and the longest name.
const INDENT: usize = 14;

/// Of several ways each step is told once: they share those from the address to the probes.
pub(super) fn write(page: &mut Page<'_>, paths: &[Path]) {
    let mut told: Vec<&PathStep> = Vec::new();
    let mut last = None;
    for path in paths {
        let Path { from, to, steps } = path;
        let fresh = |step: &&PathStep| step.passage != Passage::NotReached && !told.contains(step);
        if !told.is_empty() && !steps.iter().any(|step| fresh(&step)) {
            page.line(&format!("Path from {}, the same steps: {}", clean(from), in_short(path)));
            continue;
        }
        page.gap();
        let place = match last.replace(to) == Some(to) {
            true => String::new(),
            false => format!(" to {}", clean(&to.short())),
        };
        page.line(&format!("Path from {}{place}: {}", clean(from), in_short(path)));
        let (mut above, mut left) = (Vec::new(), Vec::new());
        for step in steps {
            if step.passage == Passage::NotReached {
                left.push(step.name);
            } else if told.contains(&step) {
                above.push(step.name);
            } else {
                one(page, step);
                told.push(step);
            }
        }
        write_names(page, "as above: ", &above);
        write_names(page, "not reached: ", &left);
    }
}

fn in_short(path: &Path) -> String {
    if let Some(step) = path.broken() {
        return format!("broken at {}", step.name);
    }
    let open = path.steps.iter().filter(|step| step.passage == Passage::NotKnown);
    let open: Vec<&str> = open.map(|step| step.name).collect();
    match open.as_slice() {
        [] => "every step ok".to_owned(),
        names => format!("nothing broken; not known: {}", names.join(", ")),
    }
}

fn one(page: &mut Page<'_>, step: &PathStep) {
    let PathStep { name, passage, says, code } = step;
    let (mark, role) = match passage {
        Passage::Ok => ('+', Role::Good),
        Passage::Broken => ('x', Role::Bad),
        Passage::NotKnown => ('?', Role::Warn),
        Passage::NotReached => ('.', Role::Dim),
    };
    let code = code.map(|code| format!(" ({})", code.0)).unwrap_or_default();
    let here = if *passage == Passage::Broken { " <- broken here" } else { "" };
    let lead = format!(" {mark} {name:<9}  ");
    page.flow(&lead, role, INDENT, &format!("{}{code}{here}", clean(says)));
}

fn write_names(page: &mut Page<'_>, lead: &str, names: &[&str]) {
    if !names.is_empty() {
        page.flow(&format!(" . {lead}"), Role::Dim, INDENT, &names.join(", "));
    }
}
