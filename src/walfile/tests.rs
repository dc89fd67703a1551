//! Logs written here fragment by fragment, then broken in known ways. That real Prometheus writes
//! and counts the same is shown in tests/walfile.rs.

mod agree;
mod beginnings;
mod beside;
mod damage;
mod entries;
mod head_chunks;
mod mend;
mod order;
pub mod writer;
