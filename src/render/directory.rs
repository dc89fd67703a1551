//! What a look inside saw of the files, in the lines in which the agent tells it (`--data`).

use crate::agent;
use crate::model::report::Directory;

use super::clean::clean;
use super::page::Page;

pub(super) fn write(page: &mut Page<'_>, directories: &[Directory]) {
    for directory in directories {
        let Directory { claim, map, uploads } = directory;
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
    }
}
