//! What is set aside on a volume, path by path.

use crate::model::quantity::show_bytes;

use super::clean::clean;

/// Every path with its bytes, and what is left.
pub fn aside(files: &[(String, u64)], left: &[String]) -> String {
    let width = files.iter().map(|(_, bytes)| bytes.to_string().len()).max().unwrap_or(1);
    let mut out = String::new();
    for (path, bytes) in files {
        out.push_str(&format!("  {bytes:>width$}  {}\n", clean(path)));
    }
    let all: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    out.push_str(&format!("  {all:>width$}  bytes in all, {}\n", show_bytes(all)));
    for path in left {
        out.push_str(&format!("  stays, not ours or changed: {}\n", clean(path)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_told_and_no_name_does_anything_to_a_terminal() {
        let files = [("a/old/wal/00000001".to_owned(), 131_072), ("a/\u{1b}[2J".to_owned(), 7)];
        assert_eq!(
            aside(&files, &["a/notes".to_owned()]),
            "  131072  a/old/wal/00000001\n       7  a/\n  131079  bytes in all, 128Ki\n  \
             stays, not ours or changed: a/notes\n"
        );
    }
}
