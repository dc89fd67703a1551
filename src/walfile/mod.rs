//! Prometheus' own bytes: what a write-ahead log, its checkpoints and the files beside it hold, and
//! where they are damaged. Reading never fails: it gives records and faults.
//!
//! Nothing here opens a file, knows a cluster or waits. The formats are Prometheus'; each fact
//! names the file of prometheus/prometheus v3.14.0 that it was read from, and was checked against
//! what 2.42, 2.53 and 3.x write.

mod batch;
pub mod block;
pub mod bytes;
pub mod compression;
pub mod contents;
pub mod count;
pub mod fault;
pub mod frame;
mod hash;
pub mod head_chunks;
mod histogram;
pub mod inventory;
pub mod map;
pub mod mend;
pub mod record;
pub mod refs;
pub mod segment;
mod snappy;
pub mod snapshot;
pub mod uploads;
pub mod writer;

#[cfg(test)]
mod tests;
