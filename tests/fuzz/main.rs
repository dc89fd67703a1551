//! Bytes as nobody writes them: damaged logs, records, compressed blocks, files of chunks and whole
//! directories, made by chance from whole ones, and every single bit of a log. Whatever they are, nothing panics, memory
//! stays bounded and the laws hold. Built with optimisation and all checks:
//!
//! ```text
//! cargo test --profile fuzz --no-default-features --features agent --test fuzz -- --include-ignored --nocapture
//! ```
//! `PROM_FIX_CASES` is how many (200 000), `PROM_FIX_SEED` which; `PROM_FIX_CASE` repeats one of
//! them, as a failure names it.

#![cfg(test)]

mod bits;
mod chance;
mod corpus;
#[path = "../go.rs"]
mod go;
mod laws;
mod whole;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chance::Chance;
use corpus::Corpus;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

/// Says which case it was that failed.
struct Under(u64, u64);

impl Drop for Under {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Under(seed, case) = self;
            eprintln!("failed: PROM_FIX_SEED={seed} PROM_FIX_CASE={case}");
        }
    }
}

fn case(corpus: &Corpus, seed: u64, case: u64) {
    let _under = Under(seed, case);
    let chance = &mut Chance::of(seed, case);
    if case % 256 == 255 {
        return whole::directory(corpus, chance);
    }
    match case % 16 {
        0 => laws::log(&corpus.log(chance), chance),
        1..10 => laws::record(&corpus.record(chance)),
        10..13 => laws::block(&corpus.block(chance), chance),
        13 => laws::beside(&corpus.chunks(chance), chance),
        _ => laws::chunks(&corpus.chunks(chance), chance),
    }
}

#[test]
#[ignore = "slow where it is not optimised: see above"]
fn whatever_the_bytes_the_laws_hold() {
    let corpus = Corpus::make();
    let seed = number("PROM_FIX_SEED").unwrap_or(1);
    if let Some(one) = number("PROM_FIX_CASE") {
        return case(&corpus, seed, one);
    }
    let cases = number("PROM_FIX_CASES").unwrap_or(200_000);
    let began = Instant::now();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1000, Ordering::Relaxed);
                    if at > 0 && at.is_multiple_of(1_000_000) {
                        println!("{at} cases begun after {} s", began.elapsed().as_secs());
                    }
                    (at..cases.min(at + 1000)).for_each(|at| case(&corpus, seed, at));
                    if at >= cases {
                        return;
                    }
                }
            });
        }
    });
    let (seconds, peak) = (began.elapsed().as_secs(), peak_mib());
    println!(
        "{cases} cases of {} originals, seed {seed}: {seconds} s, at most {peak} MiB",
        corpus.len()
    );
    // The inputs come to a few hundred kilobytes.
    assert!(peak < 600, "{peak} MiB");
}

/// The most memory that this process ever had.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
