//! Reads the files of a log, several at once, and hands on what each holds in the order of their
//! numbers. What is held at a time does not grow with their number.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::datadir::layout::Numbered;
use crate::walfile::refs::Refs;
use crate::walfile::segment::{self, Depth, Order, Pages, Segment};

use super::pieces::{Found, Piece, SIZE, Split};

/// More would not fit the memory that is promised.
const MOST_THREADS: usize = 8;
/// How many files may be read before the first of them is handed on.
const AHEAD: usize = 16;
/// Where results wait: twice as many, so that the place of one that is being told is not taken.
const PLACES: usize = 2 * AHEAD;

pub(super) type Read = io::Result<Segment>;

/// Surveys files and tells `each` of them in their order.
pub(super) fn survey(files: &[Numbered], depth: Depth, each: &mut dyn FnMut(&Numbered, Read)) {
    in_pieces(files, SIZE, depth, each);
}

fn in_pieces(files: &[Numbered], size: u64, depth: Depth, each: &mut dyn FnMut(&Numbered, Read)) {
    let files: Vec<Split<'_>> = files.iter().map(|file| Split::of(file, size)).collect();
    let pieces: Vec<Piece<'_>> = files.iter().flat_map(Split::pieces).collect();
    let (mut parts, mut whole) = (Segment::default(), None);
    let work = |piece: &Piece<'_>| piece.read(depth, |file| one(file, depth));
    in_order(&pieces, work, &mut |piece, read| {
        match read {
            Found::Whole(read) => whole = Some(read),
            Found::Part(part) => parts.join(&part),
            Found::Nothing => {}
        }
        if piece.is_last() {
            let parts = std::mem::take(&mut parts);
            each(piece.of.file, whole.take().unwrap_or(Ok(parts)));
        }
    });
}

fn one(file: &Numbered, depth: Depth) -> Read {
    let open = || File::open(&file.path);
    let mut found = segment::survey_in_order(&open, depth)?;
    if segment::is_in_doubt(&found) {
        // A record that was joined shows only when it is decompressed and decoded.
        let (mut kept, stops) = segment::as_prometheus(Pages::new(open()?, None), Depth::Full);
        if depth == Depth::Quick {
            (kept.series, kept.samples) = (0, 0);
        }
        found.kept_by_prometheus(kept, stops);
    }
    Ok(found)
}

struct Desk {
    next: usize,
    handed: usize,
    /// A bit for each place: what is there is done and not yet handed on.
    done: u32,
}

/// Does `work` on every item, on as many threads as there are cores, and tells `each` of the results
/// in the order of the items.
pub(super) fn in_order<I: Sync, T: Send>(
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
    each: &mut dyn FnMut(&I, T),
) {
    let results: [Mutex<Option<T>>; PLACES] = Default::default();
    let place = |at: usize| results.get(at % PLACES).map(Mutex::lock).and_then(Result::ok);
    let do_one = |at: usize| {
        let result = items.get(at).map(&work);
        if let Some(mut place) = place(at) {
            *place = result;
        }
    };
    numbers_in_order(items.len(), &do_one, &mut |at| {
        let result = place(at).and_then(|mut place| place.take());
        if let (Some(item), Some(result)) = (items.get(at), result) {
            each(item, result);
        }
    });
}

/// The same without the items, so that it is there once.
fn numbers_in_order(count: usize, work: &(dyn Fn(usize) + Sync), each: &mut dyn FnMut(usize)) {
    let desk = Mutex::new(Desk { next: 0, handed: 0, done: 0 });
    let changed = Condvar::new();
    let locked = || desk.lock().unwrap_or_else(PoisonError::into_inner);
    let bit = |at: usize| 1_u32 << (at % PLACES);
    let worker = || loop {
        let wait = |desk: &mut Desk| desk.next < count && desk.next >= desk.handed + AHEAD;
        let guard = changed.wait_while(locked(), wait);
        let mut guard = guard.unwrap_or_else(PoisonError::into_inner);
        let at = guard.next;
        guard.next += 1;
        drop(guard);
        if at >= count {
            return;
        }
        work(at);
        locked().done |= bit(at);
        changed.notify_all();
    };
    let cores = cores();
    thread::scope(|scope| {
        for _ in 0..cores.min(MOST_THREADS).min(count) {
            scope.spawn(worker);
        }
        for at in 0..count {
            let wait = |desk: &mut Desk| desk.done & bit(at) == 0;
            let guard = changed.wait_while(locked(), wait);
            let mut guard = guard.unwrap_or_else(PoisonError::into_inner);
            guard.done &= !bit(at);
            guard.handed = at + 1;
            drop(guard);
            changed.notify_all();
            each(at);
        }
    });
}

/// The CPUs that this process may run on. The standard library also reads what its control groups
/// allow of them: code for that is 1 % of the agent.
#[cfg(target_os = "linux")]
fn cores() -> usize {
    rustix::thread::sched_getaffinity(None).map_or(1, |cpus| cpus.count() as usize)
}

#[cfg(not(target_os = "linux"))]
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The series that a replay knows so far, and the samples that it does not know where to put.
#[derive(Default)]
pub(super) struct Known {
    series: Refs,
    lost: Refs,
    samples: u64,
    /// Files to be read again, with the refs to count in them.
    again: Vec<(PathBuf, Option<Order>, Refs)>,
}

/// Files are read again once so many have to be.
const AGAIN: usize = 16;

impl Known {
    pub(super) fn read(&mut self, file: &Numbered, found: &Segment) {
        self.series.extend(&found.refs);
        let missing = found.sampled.without(&self.series);
        if !missing.is_empty() {
            self.lost.extend(&missing);
            let is_large = missing.is_large();
            self.again.push((file.path.clone(), found.order, missing));
            if self.again.len() >= AGAIN || is_large {
                self.count();
            }
        }
    }

    fn count(&mut self) {
        let count = |(path, order, missing): &(PathBuf, Option<Order>, Refs)| {
            let pages = File::open(path).map(|file| Pages::new(file, *order));
            pages.map_or(0, |pages| segment::samples_of(pages, missing))
        };
        let again = std::mem::take(&mut self.again);
        in_order(&again, count, &mut |_, samples| self.samples += samples);
    }

    pub(super) fn orphans(mut self) -> (u64, Refs) {
        self.count();
        (self.samples, self.lost)
    }
}

#[cfg(test)]
mod tests;
