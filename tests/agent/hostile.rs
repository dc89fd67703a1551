//! Records that somebody made to exhaust memory: small in the file, and more in it than any server
//! writes. What it takes of memory is bound, and what was not counted is told.

use std::fs;
use std::path::Path;
use std::process::Command;

use prom_fix::walfile::compression::Compression;
use prom_fix::walfile::writer::Writer;

use crate::directory::{self as d, folder, json};

pub const MIB: u64 = 1 << 20;

/// A snappy block of a beginning, and then its last bytes again and again: `period` of them, 64 times
/// `thousands` thousand times.
fn block(beginning: &[u8], period: u8, thousands: usize) -> Vec<u8> {
    let copies = usize::from(period) * thousands * 1000;
    let mut out = Vec::new();
    let mut left = beginning.len() + 64 * copies;
    while left >= 0x80 {
        out.push(u8::try_from(left & 0x7f).expect("seven bits") | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).expect("seven bits"));
    out.push(u8::try_from((beginning.len() - 1) << 2).expect("a short literal"));
    out.extend(beginning);
    (0..copies).for_each(|_| out.extend([63 << 2 | 2, period, 0]));
    out
}

/// Runs the agent, and what it took of memory at the most.
pub fn run(words: &[&str], dir: &Path) -> (Option<i32>, String, u64) {
    let mut time = Command::new("/usr/bin/env");
    time.args(["python3", "-c", PEAK, env!("CARGO_BIN_EXE_prom-fix-agent")]).args(words).arg(dir);
    let output = time.output().expect("it starts");
    let err = String::from_utf8(output.stderr).expect("text");
    let peak = err.lines().last().and_then(|line| line.parse::<u64>().ok()).expect("a number");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"), peak << 10)
}

const PEAK: &str = "import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)";

struct Hostile {
    name: &'static str,
    record: Vec<u8>,
    /// What a survey or a salvage, and an inventory, may take in MiB; 16 are the record itself.
    most: [u64; 2],
    /// What is told of it: series and labels by the inventory, samples without a series by the survey.
    tells: [u64; 3],
}

fn hostile() -> [Hostile; 4] {
    let labels = [&[1, 0, 0, 0, 0, 0, 0, 0, 99][..], &[0x81, 0xa4, 0xe8, 3], &[0; 2]].concat();
    let series = [&[1][..], &[0; 9]].concat();
    let far = [&[11, 2, 0, 0][..], &[0; 8], &[0x80, 0x80, 0x08, 0, 0], &[0; 8]].concat();
    let same = [&[2][..], &[0; 26]].concat();
    [
        Hostile {
            name: "one series of 8 million labels without bytes",
            record: block(&labels, 2, 125),
            most: [64, 64],
            tells: [60, 8_000_001 - 4096, 0],
        },
        Hostile {
            name: "series without labels",
            record: block(&series, 9, 28),
            most: [96, 64],
            tells: [60, 0, 0],
        },
        Hostile {
            name: "refs, each far from all others",
            record: block(&far, 13, 20),
            most: [176, 32],
            tells: [59, 0, 1_280_001],
        },
        Hostile {
            name: "samples of one series at one time",
            record: block(&same, 10, 25),
            most: [96, 32],
            tells: [59, 0, 1],
        },
    ]
}

#[test]
fn no_record_makes_it_take_more_memory_than_is_given() {
    for Hostile { name, record, most: [most, most_of_inventory], tells } in hostile() {
        let folder = folder();
        let root = folder.path();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.record(Compression::None, &d::series(1..60)).expect("to memory");
        writer.record(Compression::Snappy, &record).expect("to memory");
        fs::create_dir(root.join("wal")).expect("a folder");
        fs::write(root.join("wal/00000000"), &bytes).expect("written");
        let [survey, inventory, _] = [
            (["survey", "--json"], most),
            (["inventory", "--json"], most_of_inventory),
            (["salvage", "--json"], most),
        ]
        .map(|(words, most)| {
            let (code, out, peak) = run(&words, root);
            assert_eq!(code, Some(0), "{name}: {words:?}");
            assert!(peak <= most * MIB, "{name}: {words:?} took {} MiB", peak / MIB);
            json(&out)
        });
        let told = [
            &inventory["series"],
            &inventory["bound"]["labelsBeyond"],
            &survey["orphans"]["series"],
        ];
        assert_eq!(told.map(|number| number.as_u64().expect("a number")), tells, "{name}");
    }
}
