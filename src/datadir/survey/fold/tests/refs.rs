//! Refs that no Series record names.

use super::{Problem, judged};
use crate::datadir::survey::Contents;
use crate::walfile::count::RefRange;

#[test]
fn chunks_without_a_series_record_are_told() {
    let found = judged(|c| c.checkpoints.clear());
    assert!(!found.problems.contains(&Problem::RefsLost { highest: 43, named: None }), "{found:?}");
    let none = |c: &mut Contents| {
        c.checkpoints.clear();
        c.segments.clear();
    };
    assert_eq!(judged(none).problems, [Problem::RefsLost { highest: 43, named: None }]);
    // Late samples are given to whoever has their ref as well.
    let wbl = |c: &mut Contents| {
        none(c);
        c.chunks_head.clear();
    };
    assert_eq!(judged(wbl).problems, [Problem::RefsLost { highest: 7, named: None }]);
    let found = judged(|c| {
        wbl(c);
        c.wbl.clear();
    });
    assert_eq!(found.problems, []);
}

#[test]
fn a_log_that_lost_its_end_is_told_by_the_refs_above_it() {
    fn names(c: &mut Contents, last: u64) {
        for file in &mut c.segments {
            file.found.counts.entries.refs = Some(RefRange { first: 1, last });
        }
        let checkpoint = c.checkpoints.iter_mut().flat_map(|checkpoint| &mut checkpoint.files);
        checkpoint.for_each(|file| {
            file.found.counts.entries.refs = Some(RefRange { first: 1, last: 2 });
        });
    }
    let lost = [Problem::RefsLost { highest: 43, named: Some(40) }];
    assert_eq!(judged(|c| names(c, 40)).problems, lost);
    assert_eq!(judged(|c| names(c, 43)).problems, []);
    // The blocks hold what is in them: a start passes over them.
    let found = judged(|c| {
        names(c, 40);
        c.chunks_head.iter_mut().for_each(|file| file.found.highest_taken = None);
    });
    assert_eq!(found.problems, []);
    // Written while the others were read.
    let found = judged(|c| {
        names(c, 40);
        c.named_since = Some(43);
    });
    assert_eq!(found.problems, []);
    // No Prometheus gives out such a ref.
    let found = judged(|c| {
        names(c, 43);
        c.chunks_head[0].found.highest_taken = Some(1 << 40);
    });
    assert_eq!(found.problems, []);
    // What a file held that cannot be opened is not known.
    let found = judged(|c| {
        names(c, 40);
        c.segments[4].closed = Some("denied".into());
    });
    assert!(!found.problems.contains(&lost[0]), "{found:?}");
}
