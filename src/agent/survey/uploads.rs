//! What a Thanos sidecar noted of its uploads, and what only this volume has, in lines of 80 columns.

use super::super::words::{count, flow, grouped, printable, utc};
use crate::walfile::count::Span;
use crate::walfile::uploads::{Here, Uploaded, Uploads};

/// Blocks that are named; all of the first hundred are in the JSON.
const MOST: usize = 5;

const LEAD: &str = "Thanos sidecar  ";
const MORE: &str = "  only here     ";

#[must_use]
pub fn lines(uploads: &Uploads) -> Vec<String> {
    let Uploads { unread, listed, newest, here, here_count, head } = uploads;
    let mut lines = Vec::new();
    let noted = match (unread, newest) {
        (Some(why), _) => format!(
            "thanos.shipper.json cannot be read ({}): what was uploaded is not known",
            printable(why)
        ),
        (None, None) => "notes no block as uploaded".to_owned(),
        (None, Some(Uploaded { ulid, ends, made })) => {
            let noted = count(*listed, "block");
            let when = match ends {
                Some(ends) => format!("ends {}", utc(*ends)),
                None => format!("was made {} and is not here any more", utc(*made)),
            };
            format!("{noted} noted as uploaded; the newest, {}, {when}", printable(ulid))
        }
    };
    flow(LEAD, &noted, &mut lines);
    let log = match head {
        Some(span) => format!("the log behind the blocks, {}", times(span)),
        None => "no sample of the log was seen behind the blocks".to_owned(),
    };
    flow(MORE, &log, &mut lines);
    if unread.is_none() && *here_count > 0 {
        let mut names: Vec<String> = here.iter().take(MOST).map(block).collect();
        let more = here_count.saturating_sub(names.len() as u64);
        if more > 0 {
            names.push(format!("{} more", grouped(more)));
        }
        let noted = format!("{} not noted: {}", count(*here_count, "block"), names.join("; "));
        flow(&" ".repeat(MORE.len()), &noted, &mut lines);
    }
    lines
}

fn block(here: &Here) -> String {
    let Here { ulid, span, level } = here;
    let span = span.as_ref().map_or("of no known time".to_owned(), times);
    // By default it uploads none of these.
    let made = if *level > 1 { " (made of others, which may have been uploaded)" } else { "" };
    format!("{}, {span}{made}", printable(ulid))
}

fn times(span: &Span) -> String {
    format!("{} to {}", utc(span.first), utc(span.last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(ulid: &str, level: u64) -> Here {
        Here { ulid: ulid.into(), span: Some(Span { first: 0, last: 7_200_000 }), level }
    }

    #[test]
    fn what_was_uploaded_and_what_is_here_alone() {
        let uploads = Uploads {
            unread: None,
            listed: 12,
            newest: Some(Uploaded { ulid: "01M8".into(), ends: Some(7_200_000), made: 0 }),
            here: vec![here("01M9", 1), here("01MA", 2)],
            here_count: 2,
            head: Some(Span { first: 7_200_000, last: 7_300_000 }),
        };
        let want = "\
Thanos sidecar  12 blocks noted as uploaded; the newest, 01M8, ends 1970-01-01
                02:00:00Z
  only here     the log behind the blocks, 1970-01-01 02:00:00Z to 1970-01-01
                02:01:40Z
                2 blocks not noted: 01M9, 1970-01-01 00:00:00Z to 1970-01-01
                02:00:00Z; 01MA, 1970-01-01 00:00:00Z to 1970-01-01 02:00:00Z
                (made of others, which may have been uploaded)";
        assert_eq!(lines(&uploads).join("\n"), want);
        let newest = Some(Uploaded { ulid: "01M8".into(), ends: None, made: 1000 });
        let told = lines(&Uploads { newest, ..uploads.clone() }).join(" ");
        assert!(told.contains("1970-01-01 00:00:01Z and is not here any more"), "{told}");
        let told = lines(&Uploads { newest: None, listed: 0, ..uploads });
        assert_eq!(told[0], "Thanos sidecar  notes no block as uploaded");
    }

    #[test]
    fn where_the_note_cannot_be_read_only_the_log_is_known_to_be_here_alone() {
        let unread = Some("not the JSON of a Thanos sidecar\u{1b}[2J".to_owned());
        let uploads =
            Uploads { unread, here: vec![here("01M9", 1)], here_count: 1, ..Uploads::default() };
        let want = "\
Thanos sidecar  thanos.shipper.json cannot be read (not the JSON of a Thanos
                sidecar\u{fffd}[2J): what was uploaded is not known
  only here     no sample of the log was seen behind the blocks";
        assert_eq!(lines(&uploads).join("\n"), want);
    }
}
