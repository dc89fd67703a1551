//! Pages that stand in the wrong place. No checksum covers more than a fragment, and none says where
//! in a file it belongs; but most pages end inside a record, and that record is whole only where the
//! right page comes next. So an order is told by the records that go over the ends of its pages: of
//! the orders that come near what was found, the one in which all of them are read.
//!
//! A record that is compressed is not decompressed by accident. One of samples that is not may be: see
//! [`Loose`].

use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::loose::{self, Loose};
use super::{Depth, FaultKind, PAGE, Part, Policies, Segment, survey, survey_part};
use crate::walfile::fault::{Costs, Fault};

/// An order in which pages belong that is not the one in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Two pages stand in each other's place.
    Swapped(u64, u64),
    /// This page is the one before it once more, and between pages of which none is lost.
    Repeated(u64),
}

impl Order {
    /// The page that belongs in a place.
    fn page(self, place: u64) -> u64 {
        match self {
            Order::Swapped(a, b) if place == a => b,
            Order::Swapped(a, b) if place == b => a,
            Order::Swapped(..) => place,
            Order::Repeated(page) => place + u64::from(place >= page),
        }
    }

    /// Places at whose beginning other pages meet than do in the file.
    fn joints(self) -> [u64; 4] {
        match self {
            Order::Swapped(a, b) => [a, a + 1, b, b + 1],
            Order::Repeated(page) => [page; 4],
        }
    }

    /// Whether a record goes over one of those places.
    fn is_under(self, record: &Loose) -> bool {
        self.joints().iter().any(|place| record.first < *place && *place <= record.last)
    }
}

/// A file, its pages in the order in which they belong.
pub struct Pages<R> {
    input: R,
    order: Option<Order>,
    at: u64,
}

impl<R> Pages<R> {
    pub fn new(input: R, order: Option<Order>) -> Pages<R> {
        Pages { input, order, at: 0 }
    }
}

impl<R: Read + Seek> Read for Pages<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(order) = self.order else { return self.input.read(into) };
        let (place, within) = (self.at / PAGE as u64, self.at % PAGE as u64);
        self.input.seek(SeekFrom::Start(order.page(place) * PAGE as u64 + within))?;
        let left = PAGE - usize::try_from(within).unwrap_or_default();
        let most = into.len().min(left);
        let count = self.input.read(into.get_mut(..most).unwrap_or_default())?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Opens the same file each time.
pub type Open<'a, R> = &'a dyn Fn() -> io::Result<R>;

/// Reads a file to its end, and where its pages stand in the wrong places once more as they belong:
/// what is there to be read is told of that order, and what Prometheus reads of the file as it is.
pub fn survey_in_order<R: Read + Seek>(open: Open<'_, R>, depth: Depth) -> io::Result<Segment> {
    let mut found = survey(Pages::new(open()?, None), depth);
    if depth == Depth::Full
        && let Some((order, read)) = find(open, &found)
    {
        found.order = Some(order);
        found.counts = read.counts;
        found.kept.fragment = read.kept.fragment;
        (found.highest, found.refs, found.sampled) = (read.highest, read.refs, read.sampled);
        if let Order::Swapped(a, b) = order {
            let misplaced = |page| Fault::new(FaultKind::MisplacedPage, page * PAGE as u64, 0);
            (found.faults, found.fault_count) = (vec![misplaced(a), misplaced(b)], 2);
        }
        // Two pages are out of place together: what that costs is told of the first.
        let Policies { prometheus, page, fragment } = &found.kept;
        let (prometheus, page) = (fragment.without(prometheus), fragment.without(page));
        for (place, fault) in found.faults.iter_mut().enumerate() {
            let all = Costs { prometheus, page };
            fault.costs = Some(if place == 0 { all } else { Costs::default() });
        }
    }
    Ok(found)
}

/// Two pages meet others at four places, and are seen there in two records at the most.
const MOST_RECORDS: usize = 8;
/// Pages of those, and the next to them.
const MOST_PAGES: usize = 32;
/// So many pages on both sides of one are read to see whether it belongs there.
const REACH: u64 = 4;

/// The only order that holds, and what is read in it.
fn find<R: Read + Seek>(open: Open<'_, R>, found: &Segment) -> Option<(Order, Segment)> {
    let alone = |order: Option<Order>, asked: Vec<Loose>| {
        open().map_or(Vec::new(), |input| loose::alone(Pages::new(input, order), asked))
    };
    let by_faults = candidates(found);
    if by_faults.is_empty() && !found.is_healthy() {
        return None;
    }
    let doubtful = alone(None, found.loose.clone());
    let candidates = if found.is_healthy() {
        swapped(found, doubtful.iter().map(Loose::pages))
    } else {
        by_faults
    };
    // What names what others name is whole: the pages under it belong to each other.
    let sure = |record: &&Loose| doubtful.iter().all(|other| other.pages() != record.pages());
    let sure: Vec<&Loose> = found.loose.iter().filter(sure).collect();
    let parts_none = |order: &Order| !sure.iter().any(|record| order.is_under(record));
    let held = |order: Order| {
        let read = survey(Pages::new(open().ok()?, Some(order)), Depth::Full);
        let asked = read.loose.iter().filter(|record| order.is_under(record)).copied().collect();
        let holds = read.is_healthy() && alone(Some(order), asked).is_empty();
        holds.then_some((order, read))
    };
    let may_be = candidates.into_iter().filter(parts_none);
    let near = may_be.filter(|order| holds_near(open, *order));
    let mut held = near.filter_map(held);
    let only = held.next()?;
    held.next().is_none().then_some(only)
}

/// The orders that the faults may come of.
fn candidates(found: &Segment) -> Vec<Order> {
    if let [Fault { kind: FaultKind::RepeatedPage, page, .. }] = *found.faults {
        return vec![Order::Repeated(page)];
    }
    let at_joints = found.faults.iter().all(|fault| is_at_joint(fault.kind));
    let pages = found.faults.iter().map(|f| (f.page, (f.offset + f.skipped) / PAGE as u64));
    if at_joints { swapped(found, pages) } else { Vec::new() }
}

/// Any two of these pages, from the first to the last of each record, and of those next to them.
fn swapped(found: &Segment, records: impl ExactSizeIterator<Item = (u64, u64)>) -> Vec<Order> {
    if records.len() > MOST_RECORDS {
        return Vec::new();
    }
    let near = |(first, last): (u64, u64)| {
        first.saturating_sub(1)..=(last + 1).min(first.saturating_add(MOST_PAGES as u64))
    };
    let mut pages: Vec<u64> = records.flat_map(near).collect();
    // One that is not full is the last, and no other page can have been in its place.
    pages.retain(|page| (page + 1) * PAGE as u64 <= found.size);
    pages.sort_unstable();
    pages.dedup();
    if pages.len() > MOST_PAGES {
        return Vec::new();
    }
    let later = |at: usize| pages.get(at + 1..).unwrap_or_default();
    let pairs = pages.iter().enumerate().flat_map(|(at, a)| later(at).iter().map(|b| (*a, *b)));
    pairs.map(|(a, b)| Order::Swapped(a, b)).collect()
}

/// What is wrong where pages meet that do not belong to each other, or where one that is not the last
/// stands at the end.
fn is_at_joint(kind: FaultKind) -> bool {
    use FaultKind as F;
    matches!(
        kind,
        F::UnexpectedFull
            | F::UnexpectedFirst
            | F::UnexpectedMiddle
            | F::UnexpectedLast
            | F::MissingFragment
            | F::TornRecord
            | F::Compression
            | F::Decoding
    )
}

/// Whether every record is read that goes over one of the places where other pages meet.
fn holds_near<R: Read + Seek>(open: Open<'_, R>, order: Order) -> bool {
    order.joints().iter().all(|place| {
        let from = place.saturating_sub(REACH);
        let Ok(input) = open() else { return false };
        let mut pages = Pages::new(input, Some(order));
        pages.at = from * PAGE as u64;
        let part = Part { bytes: 2 * REACH * PAGE as u64, under_way: from > 0 };
        // Where the part ends is no fault.
        survey_part(pages, part, Depth::Full).faults.iter().all(|f| f.kind == FaultKind::TornRecord)
    })
}
