//! The segments as a map: one letter for each.

use std::fmt::{self, Write as _};

use crate::datadir::survey::{Contents, SegmentFile};

const WIDTH: usize = 64;
/// With more segments a letter stands for several, and shows the worst of them.
const MOST_ROWS: usize = 8;

pub fn write(contents: &Contents, out: &mut String) -> fmt::Result {
    let segments = &contents.segments;
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(()) };
    let covered = contents.checkpoints.last().map(|checkpoint| checkpoint.number);
    let mut letters: Vec<(u64, char)> = Vec::new();
    let mut due = first.number;
    for file in segments {
        // Of a gap, however wide, one letter.
        if file.number > due {
            letters.push((due, '!'));
        }
        due = file.number.saturating_add(1);
        letters.push((file.number, letter(file, covered)));
    }
    let each = letters.len().div_ceil(WIDTH * MOST_ROWS).max(1);
    let groups: Vec<(u64, char)> = letters
        .chunks(each)
        .filter_map(|group| {
            group
                .iter()
                .max_by_key(|(_, letter)| rank(*letter))
                .map(|worst| (group.first().map_or(0, |(number, _)| *number), worst.1))
        })
        .collect();
    let digits = last.number.to_string().len().max(3);
    for row in groups.chunks(WIDTH) {
        let number = row.first().map_or(0, |(number, _)| *number);
        let line: String = row.iter().map(|(_, letter)| letter).collect();
        writeln!(out, "    {number:>digits$} {line}")?;
    }
    let legend: Vec<&str> = [
        ('.', ". whole"),
        ('x', "x damaged"),
        ('!', "! missing"),
        ('o', "o empty"),
        ('-', "- replaced by the checkpoint"),
    ]
    .into_iter()
    .filter(|(letter, _)| groups.iter().any(|(_, shown)| shown == letter))
    .map(|(_, words)| words)
    .collect();
    write!(out, "    {:>digits$} {}", "", legend.join("   "))?;
    if each > 1 {
        write!(out, "   ({each} segments a letter)")?;
    }
    writeln!(out)
}

fn letter(file: &SegmentFile, covered: Option<u64>) -> char {
    if file.closed.is_some() || !file.found.is_healthy() {
        'x'
    } else if covered.is_some_and(|covered| file.number <= covered) {
        '-'
    } else if file.found.size == 0 {
        'o'
    } else {
        '.'
    }
}

fn rank(letter: char) -> usize {
    ['-', '.', 'o', '!', 'x'].iter().position(|one| *one == letter).unwrap_or_default()
}
