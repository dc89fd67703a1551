//! The files of a data directory (`--storage.tsdb.path`): what is there, what is wrong with it, and
//! how it is mended without losing what can be read. The only room that opens files of a database;
//! their bytes are read in [`crate::walfile`].

pub mod chown;
pub mod disk;
pub mod inventory;
pub mod journal;
pub mod layout;
pub mod lock;
mod look;
pub mod owners;
pub mod plan;
pub mod restore;
pub mod salvage;
mod stage;
pub mod survey;
