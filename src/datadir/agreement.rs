//! What somebody agreed to when they saw a survey: the same faults, and no byte fewer. A start that
//! ended before it wrote adds an empty segment, which changes nothing; a repair by Prometheus takes
//! faults and bytes away, and then what was agreed to is not what is there.

use std::fmt;

use super::survey::{SegmentFile, Survey};

/// Written as `CHECKSUM:BYTES`: CRC-32C of the faults, in hex, and bytes of all logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    faults: u32,
    bytes: u64,
}

impl Agreement {
    /// Of what a survey found. Numbers alone are summed: a formatter for this would weigh more than
    /// all else in here, and the agent has to be small.
    #[must_use]
    pub fn of(survey: &Survey) -> Agreement {
        let found = &survey.contents;
        let mut sum = Sum(0);
        let mut bytes = 0;
        for checkpoint in &found.checkpoints {
            sum.add(checkpoint.number);
            bytes += sum.log(&checkpoint.files);
        }
        found.odd.iter().for_each(|_| sum.add(u64::MAX - 1));
        bytes += sum.log(&found.segments);
        bytes += sum.log(&found.wbl);
        for old in found.standing() {
            sum.add(old.number);
            bytes += old.found.size;
        }
        for file in &found.chunks_head {
            if file.found.fault.is_some() {
                sum.add(file.number);
                sum.add(file.found.offset);
            }
        }
        // A block or a snapshot that is whole is no news.
        for (place, block) in found.blocks.iter().enumerate() {
            if block.unread.is_some() || !block.faults.is_empty() {
                sum.add(place as u64);
            }
        }
        Agreement { faults: sum.0, bytes }
    }

    /// Whether what is there now is within what was agreed to, as it was written.
    #[must_use]
    pub fn is_within(self, agreed: &str) -> bool {
        agreed.split_once(':').is_some_and(|(faults, bytes)| {
            u32::from_str_radix(faults, 16) == Ok(self.faults)
                && bytes.parse::<u64>().is_ok_and(|bytes| bytes <= self.bytes)
        })
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:{}", self.faults, self.bytes)
    }
}

struct Sum(u32);

impl Sum {
    fn add(&mut self, number: u64) {
        self.0 = crc32c::crc32c_append(self.0, &number.to_le_bytes());
    }

    /// Where numbers are missing and where faults begin; the bytes of all. Of the last file that
    /// holds anything only the bytes: one that is written may end anywhere. One that follows it and
    /// is whole is no news.
    fn log(&mut self, files: &[SegmentFile]) -> u64 {
        self.add(u64::MAX);
        let last = files.iter().rposition(|file| file.found.size > 0);
        let mut bytes = 0;
        let mut next = None;
        for (place, file) in files.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
            if next != Some(file.number) {
                self.add(file.number);
            }
            next = Some(file.number + 1);
            bytes += file.found.size;
            if Some(place) != last && (file.closed.is_some() || !file.found.is_healthy()) {
                self.add(file.number);
                self.add(u64::from(file.closed.is_some()));
                file.found.faults.iter().for_each(|fault| self.add(fault.offset));
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walfile::fault::{Fault, FaultKind};
    use crate::walfile::segment::Segment;

    fn file(number: u64, fault_at: Option<u64>) -> SegmentFile {
        let fault = |offset| Fault::new(FaultKind::Checksum, offset, 9);
        let faults: Vec<Fault> = fault_at.map(fault).into_iter().collect();
        let fault_count = faults.len() as u64;
        let found = Segment { size: 100, faults, fault_count, ..Segment::default() };
        SegmentFile { number, found, ..SegmentFile::default() }
    }

    fn sum(files: &[SegmentFile]) -> u32 {
        let mut sum = Sum(0);
        sum.log(files);
        sum.0
    }

    #[test]
    fn what_a_server_wrote_since_is_no_news_and_what_it_lost_is() {
        let files = [file(3, None), file(4, Some(50)), file(5, None)];
        let agreed = sum(&files);
        let [first, damaged, last] = files;
        let since = [first.clone(), damaged.clone(), last.clone(), file(6, None), file(7, None)];
        assert_eq!(sum(&since), agreed);
        assert_ne!(sum(&[first.clone(), last.clone()]), agreed);
        assert_ne!(sum(&[first.clone(), file(4, Some(51)), last.clone()]), agreed);
        assert_ne!(sum(&[first.clone(), file(4, None), file(5, Some(50)), file(6, None)]), agreed);
        assert_ne!(sum(&[damaged, last]), agreed);
    }

    #[test]
    fn more_bytes_are_covered_and_fewer_are_not() {
        let now = |faults, bytes| Agreement { faults, bytes };
        assert_eq!(now(0xff, 100).to_string(), "000000ff:100");
        assert!(now(0xff, 100).is_within("ff:100") && now(0xff, 101).is_within("ff:100"));
        assert!(!now(0xff, 99).is_within("ff:100") && !now(0xfe, 100).is_within("ff:100"));
        assert!(!now(0xff, 100).is_within("ff") && !now(0, 0).is_within("x:1"));
    }
}
