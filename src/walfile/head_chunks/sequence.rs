//! Whether each chunk comes after the one before it of its series.

use std::io::Read;

use super::{Chunk, ChunkFault, HeadChunks, Input, SUM, header, next};

/// For the series that are looked at together: 32 MiB.
const MOST_PLACES: usize = 1 << 21;

/// Marks the first chunk of these files that does not come after the one before it of its series, of
/// those before any other fault: Prometheus reads no further. As it does, chunks that end before
/// `valid`, where its newest block ends, are passed over. The files are read once more, by their place,
/// and nothing but the heads of their chunks is looked at.
pub fn mark_out_of_sequence(
    files: &mut [&mut HeadChunks],
    valid: Option<i64>,
    open: &dyn Fn(usize) -> Option<Box<dyn Read>>,
) -> Result<(), ChunkFault> {
    mark_with_room(files, valid, MOST_PLACES, open)
}

pub fn mark_with_room(
    files: &mut [&mut HeadChunks],
    valid: Option<i64>,
    most_places: usize,
    open: &dyn Fn(usize) -> Option<Box<dyn Read>>,
) -> Result<(), ChunkFault> {
    let whole = files.iter().take_while(|file| file.fault.is_none()).count();
    let read = files.get(..=whole).unwrap_or(files);
    let chunks = read.iter().map(|file| file.chunks).sum();
    let mut marked: Option<(usize, HeadChunks)> = None;
    let mut sequence = Sequence::new(chunks, valid, most_places);
    while !sequence.is_done() {
        for (at, file) in read.iter().enumerate() {
            let mut input = open(at).ok_or(ChunkFault::Io)?;
            match sequence.look(&mut input, file.chunks)? {
                Seen::InSequence => {}
                Seen::OutOfSequence(found) => {
                    let earlier =
                        marked.as_ref().is_none_or(|(file, m)| (at, found.end) < (*file, m.end));
                    marked = if earlier { Some((at, found)) } else { marked };
                    break;
                }
                Seen::TooMany => break,
            }
        }
        sequence.go_on();
    }
    if let Some((at, mut found)) = marked
        && let Some(file) = files.get_mut(at)
    {
        let in_header = file.fault.filter(|fault| fault.is_of_header());
        found.ends(in_header, Some(ChunkFault::OutOfSequence));
        **file = found;
    }
    Ok(())
}

enum Seen {
    InSequence,
    /// What stands before the chunk.
    OutOfSequence(HeadChunks),
    /// More series than are looked at together.
    TooMany,
}

/// The last times of the series of one part, all whose spread ref is from `from` to `to`. Where they are
/// more than have room, the part is made smaller and begun again.
struct Sequence {
    /// Spread ref, 0 in a free place, and last time.
    places: Vec<(u64, i64)>,
    taken: usize,
    from: u64,
    to: u64,
    is_full: bool,
    is_done: bool,
    valid: Option<i64>,
}

impl Sequence {
    fn new(chunks: u64, valid: Option<i64>, most_places: usize) -> Sequence {
        let room = usize::try_from(chunks).unwrap_or(usize::MAX).saturating_mul(2);
        let places = vec![(0, 0); room.clamp(2, most_places).next_power_of_two()];
        let is_done = chunks == 0;
        Sequence { places, taken: 0, from: 0, to: u64::MAX, is_full: false, is_done, valid }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    /// To the next part, or to a smaller one.
    fn go_on(&mut self) {
        let width = self.to - self.from;
        if self.is_full {
            self.to = self.from + width / 2;
        } else if self.to == u64::MAX {
            self.is_done = true;
            return;
        } else {
            self.from = self.to + 1;
            self.to = self.from.saturating_add(width);
        }
        self.places.fill((0, 0));
        (self.taken, self.is_full) = (0, false);
    }

    fn look(&mut self, input: &mut dyn Read, chunks: u64) -> Result<Seen, ChunkFault> {
        let mut found = HeadChunks::default();
        let mut input = Input::new(input);
        // Its fault was told.
        let _ = header(&mut input);
        for _ in 0..chunks {
            let Some(chunk) = next(&mut input)? else { break };
            found.end = input.offset;
            if chunk.is_looked_at(self.valid) && !self.goes_on(&chunk) {
                return Ok(if self.is_full { Seen::TooMany } else { Seen::OutOfSequence(found) });
            }
            input.over(chunk.size + SUM as u64, |_| ())?;
            found.add(&chunk, self.valid);
        }
        Ok(Seen::InSequence)
    }

    /// Whether it comes after the last of its series.
    fn goes_on(&mut self, chunk: &Chunk) -> bool {
        // A ref for a ref, so that no two series are taken for one; spread, for refs that follow each
        // other may all be of one kind.
        let spread = chunk.reference.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if !(self.from..=self.to).contains(&spread) {
            return true;
        }
        let mask = self.places.len() - 1;
        let first = (spread.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32) as usize;
        let places = (0..=mask).map(|step| (first + step) & mask);
        for at in places {
            let Some(place) = self.places.get_mut(at) else { break };
            if place.0 == spread {
                return std::mem::replace(&mut place.1, chunk.last) < chunk.first;
            }
            if place.0 == 0 {
                *place = (spread, chunk.last);
                self.taken += 1;
                self.is_full = self.taken * 4 > self.places.len() * 3;
                return !self.is_full;
            }
        }
        true
    }
}

impl Chunk {
    /// Whether Prometheus asks for its sequence (tsdb/head.go `loadMmappedChunks`).
    fn is_looked_at(&self, valid: Option<i64>) -> bool {
        !self.out_of_order && self.is_known && self.is_late(valid)
    }

    /// Others are passed over, unless they are of samples out of order.
    pub(super) fn is_late(&self, valid: Option<i64>) -> bool {
        valid.is_none_or(|valid| self.last >= valid)
    }
}
