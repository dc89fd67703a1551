//! What Prometheus leaves when it is ended while it repairs a log: it gives the damaged segment the
//! name `00000003.repair`, writes the records before the fault into a new `00000003`, and only then
//! removes the old one (tsdb/wlog/wlog.go `Repair`). No start reads that again, and it holds all that
//! the new one does, and what stands behind the fault.

use std::fs::File;
use std::io;

use crate::walfile::contents;
use crate::walfile::segment::Pages;

/// Whether the old segment may stand in the place of the new one. `goes_on`: it begins with all that
/// the new one holds; `None` where there is no new one. `others` are the numbers of the log's files,
/// and how many records each holds: with any behind it, a Prometheus has gone on without the old one,
/// and has given the refs of its series to others.
pub(super) fn stands(
    number: u64,
    goes_on: Option<bool>,
    others: impl IntoIterator<Item = (u64, u64)>,
) -> bool {
    let is_last = |(other, records): (u64, u64)| other <= number || records == 0;
    goes_on.is_none_or(|goes_on| goes_on && others.into_iter().all(is_last))
}

/// Whether one file begins with all records of another.
pub(super) fn goes_on(old: File, new: File) -> io::Result<bool> {
    let new = contents::sum(Pages::new(new, None), u64::MAX)?;
    Ok(contents::sum(Pages::new(old, None), new.records)? == new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_segment_stands_for_the_last_only() {
        assert!(stands(3, None, [(2, 9), (4, 9)]));
        assert!(stands(3, Some(true), [(2, 9), (3, 5)]));
        assert!(stands(3, Some(true), [(2, 9), (3, 5), (4, 0), (5, 0)]));
        assert!(!stands(3, Some(true), [(2, 9), (3, 5), (4, 1)]));
        assert!(!stands(3, Some(false), [(2, 9), (3, 5)]));
    }
}
