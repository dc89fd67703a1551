//! `prom-fix-agent` as a process: what it says, how it ends, and what it leaves on the disk; also on
//! data directories that Prometheus itself wrote and reads.

#![cfg(test)]

mod agreed;
mod cleanup;
mod corruptions;
mod directory;
mod emulated;
#[cfg(feature = "faults")]
mod faults;
mod flips;
#[cfg(feature = "faults")]
mod gaps;
#[path = "../go.rs"]
mod go;
mod hostile;
mod inventory;
mod many;
mod reach;
#[cfg(target_os = "linux")]
mod reads;
mod real;
mod rights;
mod salvage;
mod space;
mod survey;
mod truncations;
mod uploads;
