//! The numbers this program ends with. Knows nothing of how a run came to its end.

/// How a run ended, as a value; `main` is the one place that turns it into a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: healthy in all classes, or applied and proved, or undone.
    Healthy,
    /// 1: an error, or bad usage.
    Error,
    /// 2: a fault was found and nothing was tried.
    Found,
    /// 3: a plan was asked for and none is safe, or it was refused or is stale. Nothing changed.
    Blocked,
    /// 4: a needed fact was unreadable and nothing worse was found.
    Unknown,
    /// 5: a plan began and did not finish.
    Unfinished,
    /// 124: applied, and not proved in time.
    Unproved,
}

impl Exit {
    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Healthy => 0,
            Exit::Error => 1,
            Exit::Found => 2,
            Exit::Blocked => 3,
            Exit::Unknown => 4,
            Exit::Unfinished => 5,
            Exit::Unproved => 124,
        }
    }
}
