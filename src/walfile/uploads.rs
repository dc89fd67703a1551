//! What a Thanos sidecar notes of its uploads in the data directory, and what that leaves on this
//! volume alone. The note is `thanos.shipper.json` (thanos-io/thanos pkg/shipper/shipper.go at
//! 0501bbad, `Meta`, `ReadMetaFile`, `Sync`): made anew at each round, of blocks that are still here;
//! `uploaded` is null where there is none. Of blocks that Prometheus compacted it uploads none unless
//! it is told to, and none without samples.

use serde::{Deserialize, Serialize};

use super::count::Span;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Uploads {
    /// Why the note could not be read: what was uploaded is not known then.
    pub unread: Option<String>,
    /// Blocks that it lists as uploaded.
    pub listed: u64,
    /// The one of them that reaches the farthest.
    pub newest: Option<Uploaded>,
    /// Blocks that are here and that it does not list, the first hundred.
    pub here: Vec<Here>,
    pub here_count: u64,
    /// The samples of the log that are in no block; none where they were not counted.
    pub head: Option<Span>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    pub ulid: String,
    /// When its samples end, in milliseconds; none where it is not here any more.
    pub ends: Option<i64>,
    /// When it was made, as its name says.
    pub made: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Here {
    pub ulid: String,
    pub span: Option<Span>,
    /// 1 of a block that was made of the head; more of one that was made of blocks, which may have
    /// been uploaded, and are listed no more.
    pub level: u64,
}

/// The time in a name that is an ULID, in milliseconds since 1970: 26 letters of Crockford's base 32,
/// of which the first ten are the time and the first is at most 7 (github.com/oklog/ulid
/// `ParseStrict`).
#[must_use]
pub fn made(name: &str) -> Option<i64> {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut time = 0;
    for (at, letter) in name.bytes().enumerate() {
        let letter = letter.to_ascii_uppercase();
        let value = LETTERS.iter().position(|known| *known == letter)?;
        if at == 0 && value > 7 {
            return None;
        }
        if at < 10 {
            time = time << 5 | i64::try_from(value).ok()?;
        }
    }
    (name.len() == 26).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_its_block_was_made() {
        let all = ["01M827CT0DKCN5KG2K87TH0H4J", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0"].map(made);
        assert_eq!(all, [Some(1_795_371_198_477), Some((1 << 48) - 1), None]);
        // The example of the specification (github.com/ulid/spec).
        assert_eq!(made("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some(1_469_922_850_259));
        let wrong = ["8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01M827CT0DKCN5KG2K87TH0H4U", "", "a/../b"];
        assert_eq!(wrong.map(made), [None; 4]);
        assert_eq!(made(&"7".repeat(27)), None);
    }
}
