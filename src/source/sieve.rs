//! Reads JSON and leaves out what is not wanted while it reads. What is read whole and thinned
//! after leaves its room in pieces between what is kept, and the process does not shrink. Knows
//! nothing of what is wanted.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::{Map, Number, Value};

/// Where a key stands: how many objects are around it, less one, and the key that leads to its
/// own object, or to the list that this is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<'a> {
    pub depth: usize,
    pub within: &'a str,
    pub key: &'a str,
}

pub type Wanted = fn(At<'_>) -> bool;

/// The value without its keys that are not wanted.
pub fn read(text: &[u8], wanted: Wanted) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Sieve { depth: 0, within: "", wanted }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Sieve<'a> {
    depth: usize,
    within: &'a str,
    wanted: Wanted,
}

impl<'de> DeserializeSeed<'de> for Sieve<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sieve<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            out.push(value);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Sieve { depth, within, wanted } = self;
        // Of a sorted whole a map is made without the gaps that one leaves which grows.
        let mut out = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if wanted(At { depth, within, key: &key }) {
                let inner = Sieve { depth: depth + 1, within: &key, wanted };
                let value = map.next_value_seed(inner)?;
                out.push((key, value));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(Map::from_iter(out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_is_read_where_all_is_wanted() {
        let value =
            json!({"a": [null, true, -1, 18_446_744_073_709_551_615u64, 1.5, "x\"\n", {}, []]});
        assert_eq!(read(value.to_string().as_bytes(), |_| true).expect("json"), value);
        assert!(read(b"{} x", |_| true).is_err());
        assert!(read(b"{\"a\": ", |_| true).is_err());
    }

    #[test]
    fn a_key_is_told_by_its_place() {
        let text = br#"{"b": 1, "a": {"b": 2, "c": [{"b": 3, "d": 4}]}, "c": {"b": 5}}"#;
        let but = |at: At<'_>| at != At { depth: 2, within: "c", key: "b" };
        let expected = json!({"b": 1, "a": {"b": 2, "c": [{"d": 4}]}, "c": {"b": 5}});
        assert_eq!(read(text, but).expect("json"), expected);
    }
}
