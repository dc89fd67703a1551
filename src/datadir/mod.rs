//! The files of a data directory (`--storage.tsdb.path`): what is there, what is wrong with it, and
//! how it is mended without losing what can be read. The only room that opens files of a database;
//! their bytes are read in [`crate::walfile`].
//!
//! What only reads is for every system. What writes, takes the lock or asks for owners is for Linux,
//! where Prometheus' volumes are: its promises were seen to hold there and nowhere else.

pub mod agreement;
pub mod calendar;
#[cfg(target_os = "linux")]
pub mod chown;
#[cfg(target_os = "linux")]
pub mod cleanup;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod inventory;
#[cfg(target_os = "linux")]
pub mod journal;
pub mod json;
pub mod layout;
#[cfg(target_os = "linux")]
pub mod lock;
#[cfg(target_os = "linux")]
mod look;
#[cfg(target_os = "linux")]
pub mod owners;
#[cfg(target_os = "linux")]
pub mod plan;
#[cfg(target_os = "linux")]
pub mod restore;
#[cfg(target_os = "linux")]
pub mod salvage;
#[cfg(target_os = "linux")]
pub mod space;
#[cfg(target_os = "linux")]
mod stage;
pub mod survey;
pub mod terms;
mod unfinished;
mod unnamed;
pub mod user;
