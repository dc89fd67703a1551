//! Native histograms inside a record: passed over, not kept (tsdb/record/record.go
//! `DecodeHistogram`, `DecodeFloatHistogram`).

use super::bytes::Cursor;

/// model/histogram/generic.go: custom bucket boundaries follow.
const CUSTOM_BUCKETS: i32 = -53;

/// Passes over one histogram of integers; whether its schema is one that Prometheus keeps.
pub(super) fn skip(from: &mut Cursor<'_>) -> Option<bool> {
    let schema = head(from)?;
    from.uvarint()?;
    from.uvarint()?;
    from.be64()?;
    spans(from)?;
    spans(from)?;
    repeat(from, |f| f.varint().map(drop))?;
    repeat(from, |f| f.varint().map(drop))?;
    tail(from, schema)
}

/// The same of floats.
pub(super) fn skip_float(from: &mut Cursor<'_>) -> Option<bool> {
    let schema = head(from)?;
    from.take(3 * 8)?;
    spans(from)?;
    spans(from)?;
    repeat(from, |f| f.be64().map(drop))?;
    repeat(from, |f| f.be64().map(drop))?;
    tail(from, schema)
}

#[expect(clippy::cast_possible_truncation, reason = "Prometheus keeps 32 bits of a schema, too")]
fn head(from: &mut Cursor<'_>) -> Option<i32> {
    from.byte()?;
    let schema = from.varint()? as i32;
    from.be64()?;
    Some(schema)
}

fn tail(from: &mut Cursor<'_>, schema: i32) -> Option<bool> {
    if schema == CUSTOM_BUCKETS {
        repeat(from, |f| f.be64().map(drop))?;
    }
    // model/histogram/generic.go: exponential schemas, those reserved for finer ones included.
    Some(schema == CUSTOM_BUCKETS || (-9..=52).contains(&schema))
}

fn spans(from: &mut Cursor<'_>) -> Option<()> {
    repeat(from, |f| {
        f.varint()?;
        f.uvarint().map(drop)
    })
}

/// A count, and that many items; it ends with the bytes, however large the count claims to be.
fn repeat<'a>(from: &mut Cursor<'a>, item: impl Fn(&mut Cursor<'a>) -> Option<()>) -> Option<()> {
    for _ in 0..from.uvarint()? {
        item(from)?;
    }
    Some(())
}
