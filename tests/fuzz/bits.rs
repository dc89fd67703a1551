//! Every single bit of two pages.

use prom_fix::walfile::compression::Compression;
use prom_fix::walfile::frame::PAGE;
use prom_fix::walfile::segment::{Depth, survey};
use prom_fix::walfile::writer::Writer;

/// A log of 64 KiB, some of whose records go over the end of a page.
fn log() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    for time in 0..60_u64 {
        let mut record = vec![2];
        record.extend(1_u64.to_be_bytes());
        record.extend((time * 15_000).to_be_bytes());
        for series in 0..120_u32 {
            record.extend([if series == 0 { 0 } else { 2 }, 0]);
            record.extend(f64::from(series).to_be_bytes());
        }
        writer.record(Compression::None, &record).expect("memory");
    }
    bytes.truncate(2 * PAGE);
    bytes
}

#[test]
#[ignore = "slow where it is not optimised: see main.rs"]
fn every_bit_of_two_pages_costs_one_record_at_most() {
    let log = log();
    assert_eq!(log.len(), 2 * PAGE);
    let whole = survey(&log[..], Depth::Full);
    let check = |bytes: &[u8], bit: usize| {
        let found = survey(bytes, Depth::Full);
        let kept = found.kept;
        assert!(kept.fragment.records + 1 >= whole.kept.fragment.records, "bit {bit}: {found:?}");
        assert!(kept.fragment.records >= kept.page.records, "bit {bit}: {found:?}");
        assert!(kept.page.records >= kept.prometheus.records, "bit {bit}: {found:?}");
        assert!(found.fault_count <= whole.fault_count + 1, "bit {bit}: {found:?}");
    };
    let parts = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in 0..parts {
            let (mut bytes, check) = (log.clone(), &check);
            scope.spawn(move || {
                for bit in (part..bytes.len() * 8).step_by(parts) {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    check(&bytes, bit);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            });
        }
    });
}
