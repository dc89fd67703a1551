//! What a change of the files is held to.

/// Of a salvage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvage {
    /// Nothing is written where other faults are found than were agreed to, or fewer bytes.
    pub expect: Option<String>,
    /// One that was begun and not finished is gone on with.
    pub go_on: bool,
}

/// Of putting back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restore {
    /// The salvage that was held to this agreement, and no other; where there is none, nothing.
    pub of: Option<String>,
    /// Also where Prometheus has written since: its new files are set aside.
    pub force: bool,
}

/// Of freeing what was set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// The salvage that was held to this agreement; or the folders, joined by `+`. Without it all.
    pub of: Option<String>,
    /// Else it is only told what there is.
    pub free: bool,
}

/// By these words a refusal for want of room is known.
pub const NEEDS_ROOM: &str = "are needed beside the damaged files";

/// And one because of what was done later.
pub const NOT_LAST: &str = "its old files are not the last that were";
