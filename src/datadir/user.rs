//! Whose the files are to be, as values: also where no owner can be looked at or changed.

use serde::{Deserialize, Serialize};

/// A user, as the kernel sees one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary ones.
    pub groups: Vec<u32>,
}

/// What is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub uid: u32,
    pub gid: u32,
    /// Whether the owner, and the group, may read and write everything afterwards, whatever they
    /// could before; of folders also traverse.
    pub owner_bits: bool,
    pub group_bits: bool,
}
