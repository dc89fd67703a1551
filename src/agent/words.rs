//! Numbers, sizes, times and names as a person reads them.

use std::path::Path;

use crate::datadir::calendar::Utc;
use crate::marks::is_invisible;

/// `1 234 567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `128 B`, `1.9 GiB`
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "B";
    for larger in units {
        if tenths < 10 * 1024 {
            break;
        }
        tenths = (tenths + 512) / 1024;
        unit = larger;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// A part of a whole: `12.3 %`; never 0 or 100 where it is not.
pub fn share(part: u64, whole: u64) -> String {
    let permille = u128::from(part) * 1000 / u128::from(whole.max(1));
    match permille {
        0 if part > 0 => "under 0.1 %".to_owned(),
        1000 if part < whole => "99.9 %".to_owned(),
        _ => format!("{}.{} %", permille / 10, permille % 10),
    }
}

/// Milliseconds since 1970 as `2025-10-09 08:53:20Z`.
pub fn utc(milliseconds: i64) -> String {
    let Utc { year, month, day, hour, minute, second } = Utc::of(milliseconds.div_euclid(1000));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// Numbers as ranges: `3, 5-9`; of many only the first ranges.
pub fn ranges(numbers: &[u64]) -> String {
    const MOST: usize = 6;
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let word = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let mut words: Vec<String> = runs.iter().take(MOST).map(word).collect();
    if runs.len() > MOST {
        words.push(format!("and {} more", runs.len() - MOST));
    }
    words.join(", ")
}

/// `1 file`, `2 files`
pub fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A name as it can stand in a line: whoever wrote it may have written anything, also marks that
/// change the order in which text is shown, or hide in it.
pub fn printable(text: &str) -> String {
    // Also what ends a line, or a paragraph.
    let odd = |c: char| c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if odd(c) { '\u{fffd}' } else { c }).collect()
}

/// A path as it can stand in a line.
pub fn path(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// The last part of a path as it can stand in a line.
pub fn file_name(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}

const WIDTH: usize = 80;

/// Words behind a lead, in lines of 80 columns.
pub fn flow(lead: &str, text: &str, lines: &mut Vec<String>) {
    let mut line = lead.to_owned();
    for word in text.split(' ') {
        let used = line.chars().count();
        if used + word.chars().count() >= WIDTH && used > lead.len() {
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(lead.len());
        }
        line.push_str(word);
        line.push(' ');
    }
    lines.push(line.trim_end().to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let all = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1 000", "1 234 567"]);
        let all = [0, 1023, 1024, 134_217_728, u64::MAX].map(size);
        assert_eq!(all, ["0 B", "1023 B", "1.0 KiB", "128.0 MiB", "16.0 EiB"]);
        let all = [(0, 5), (1, 100_000), (99_999, 100_000), (5, 5)].map(|(a, b)| share(a, b));
        assert_eq!(all, ["0.0 %", "under 0.1 %", "99.9 %", "100.0 %"]);
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10");
        assert_eq!(ranges(&[1, 3, 5, 7, 9, 11, 13, 15]), "1, 3, 5, 7, 9, 11, and 2 more");
    }

    #[test]
    fn a_name_does_nothing_to_a_terminal() {
        let name = "a\u{1b}[2J\n\u{202e}b\u{200b}\u{9b}c";
        assert_eq!(printable(name), "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}\u{fffd}c");
        let deep = Path::new("/data\u{7}/wal/0001\u{1b}c");
        assert_eq!(
            (path(deep), file_name(deep)),
            ("/data\u{fffd}/wal/0001\u{fffd}c".to_owned(), "0001\u{fffd}c".to_owned(),)
        );
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let all = [0, 1_760_000_000_000, 951_782_400_000, 1_709_251_199_999, -1].map(utc);
        let told = [
            "1970-01-01 00:00:00Z",
            "2025-10-09 08:53:20Z",
            "2000-02-29 00:00:00Z",
            "2024-02-29 23:59:59Z",
            "1969-12-31 23:59:59Z",
        ];
        assert_eq!(all, told);
        // As far as milliseconds go.
        assert!(utc(i64::MAX).starts_with("292278994-08-17") && !utc(i64::MIN).is_empty());
    }
}
