//! What a look inside saw of the files, in the lines in which the agent tells it (`--data`).

use crate::agent;
use crate::model::quantity::{show_bytes, show_count};
use crate::model::report::{Directory, Inventory, Memory};

use super::clean::clean;
use super::page::Page;

pub(super) fn write(page: &mut Page<'_>, directories: &[Directory]) {
    for directory in directories {
        let Directory { claim, map, faults: _, uploads, inventory } = directory;
        let lines = agent::map_lines(map);
        if !lines.is_empty() {
            page.gap();
            page.line(&format!("Map of the log on {}, by number", clean(&claim.short())));
            lines.iter().for_each(|line| page.line(&clean(line)));
        }
        if let Some(uploads) = uploads {
            page.gap();
            let lines = agent::uploads_lines(uploads);
            lines.iter().for_each(|line| page.line(&clean(line)));
        }
        if let Some(inventory) = inventory {
            page.gap();
            head(page, &claim.short(), inventory);
        }
    }
}

fn head(page: &mut Page<'_>, claim: &str, inventory: &Inventory) {
    let Inventory { series, metrics, jobs, labels, pairs: _, memory } = inventory;
    page.line(&format!("Head of {}, by its log: {} series", clean(claim), show_count(*series)));
    if let Some(Memory { at_ready, limit, low, high }) = memory {
        let [at_ready, limit, low, high] = [at_ready, limit, low, high].map(|of| show_bytes(*of));
        page.line(&format!("  memory  {at_ready} once replayed; limit {limit} ({low}-{high})"));
    }
    let shown = [("most", metrics.as_slice()), ("by job", few(jobs)), ("values", few(labels))];
    for (lead, ranks) in shown {
        for (place, (name, number)) in ranks.iter().enumerate() {
            let lead = if place == 0 { lead } else { "" };
            page.line(&format!("  {lead:<8}{:>11}  {}", show_count(*number), clean(name)));
        }
    }
}

/// Of what is beside the metrics.
fn few(ranks: &[(String, u64)]) -> &[(String, u64)] {
    ranks.get(..3).unwrap_or(ranks)
}
