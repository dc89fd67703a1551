//! A listing as it arrives: one item at a time is whole in memory, never the page. Knows where an
//! item begins and ends in the text; what is to be kept of it is for the caller to say.

use serde::Deserialize;
use serde_json::Value;

/// What is outside of the items of a page, with a `null` in the place of each. Whether the page
/// is JSON at all is decided by reading this, so the cutting need not be strict.
#[derive(Deserialize)]
struct Rest {
    #[serde(default)]
    metadata: Option<Meta>,
    /// `null` is an empty list, and what is no object is no item.
    #[serde(default, rename = "items")]
    _items: Option<Vec<()>>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// Cuts one page. `read` makes of the text of an item what is kept of it.
pub struct Page<R> {
    read: R,
    items: Vec<Value>,
    /// The item under way; its room is used again for the next.
    item: Vec<u8>,
    rest: Vec<u8>,
    /// Where the last text at the top began in `rest`: the key before a value.
    key: usize,
    depth: usize,
    quoted: bool,
    escaped: bool,
    within: bool,
}

impl<R: Fn(&[u8]) -> serde_json::Result<Value>> Page<R> {
    pub fn new(read: R) -> Self {
        Page {
            read,
            items: Vec::new(),
            item: Vec::new(),
            rest: Vec::new(),
            key: 0,
            depth: 0,
            quoted: false,
            escaped: false,
            within: false,
        }
    }

    /// Takes the next bytes of the page, however they are cut.
    pub fn take(&mut self, bytes: &[u8]) -> serde_json::Result<()> {
        for byte in bytes {
            self.byte(*byte)?;
        }
        Ok(())
    }

    /// The items, and the token of the next page, empty after the last.
    pub fn end(self) -> serde_json::Result<(Vec<Value>, String)> {
        let rest: Rest = serde_json::from_slice(&self.rest)?;
        let token = rest.metadata.and_then(|meta| meta.next).unwrap_or_default();
        Ok((self.items, token))
    }

    fn byte(&mut self, byte: u8) -> serde_json::Result<()> {
        if self.quoted {
            self.quoted = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            self.keep(byte);
            return Ok(());
        }
        match byte {
            b'"' => {
                self.quoted = true;
                if self.depth == 1 {
                    self.key = self.rest.len();
                }
            }
            b'{' | b'[' => {
                let of_items = byte == b'[' && self.depth == 1 && self.key_is_items();
                self.within = self.within || of_items;
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.within = self.within && self.depth > 1;
            }
            _ => {}
        }
        self.keep(byte);
        if self.within && self.depth == 2 && byte == b'}' {
            self.cut()?;
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        // An item opens at depth 3, and its last brace comes after the depth fell to 2.
        let of_item = self.within && (self.depth > 2 || !self.item.is_empty());
        if of_item { self.item.push(byte) } else { self.rest.push(byte) }
    }

    fn key_is_items(&self) -> bool {
        let key = self.rest.get(self.key..).unwrap_or_default();
        key.strip_prefix(b"\"items\"").is_some_and(|after| {
            after.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b':')
        })
    }

    fn cut(&mut self) -> serde_json::Result<()> {
        self.items.push((self.read)(&self.item)?);
        self.item.clear();
        self.rest.extend_from_slice(b"null");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Read in pieces of each length: no cut may change anything.
    fn read(text: &str) -> Result<(Vec<Value>, String), String> {
        let of = |length: usize| {
            let mut page = Page::new(|item| serde_json::from_slice(item));
            let pieces = text.as_bytes().chunks(length);
            pieces.into_iter().try_for_each(|piece| page.take(piece))?;
            page.end()
        };
        let all: Vec<_> = (1..=text.len().max(1))
            .map(|length| of(length).map_err(|e: serde_json::Error| e.classify()))
            .collect();
        assert!(all.windows(2).all(|two| format!("{:?}", two[0]) == format!("{:?}", two[1])));
        all.into_iter().next().expect("one").map_err(|why| format!("{why:?}"))
    }

    fn page(items: &Value, token: &str) -> Result<(Vec<Value>, String), String> {
        Ok((items.as_array().expect("items").clone(), token.to_owned()))
    }

    #[test]
    fn items_and_token_whatever_the_order_of_keys() {
        let items = json!([{"metadata": {"name": "a", "items": [{"b": "}]\"\\"}]}}, {}]);
        let meta = json!({"continue": "x/\"y", "items": [{"no": "item"}]});
        let rows = [
            format!("{{\"kind\": \"L\", \"metadata\": {meta}, \"items\": {items}}}"),
            format!("{{\"items\" : {items} , \"metadata\":{meta}}}\n"),
            format!(
                "{{\"z\": \"items\", \"o\": [{{\"p\": 1}}], \"items\":{items},\"metadata\":{meta}}}"
            ),
        ];
        for text in rows {
            assert_eq!(read(&text), page(&items, "x/\"y"), "{text}");
        }
    }

    #[test]
    fn an_empty_listing_has_no_items() {
        for text in ["{}", "{\"items\": null}", "{\"items\": [ ], \"metadata\": {}}"] {
            assert_eq!(read(text), page(&json!([]), ""), "{text}");
        }
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let rows = [
            ("", "Eof"),
            ("{\"items\": [{\"a\": 1}", "Eof"),
            ("{\"items\": [{\"a\": 1}, {\"b\"", "Eof"),
            ("{\"items\": [{\"a\": 1} {\"b\": 2}]}", "Syntax"),
            ("{\"items\": [{\"a\" 1}]}", "Syntax"),
            ("{\"items\": [{}]}}", "Syntax"),
            ("{\"items\": [1]}", "Data"),
            ("{\"items\": {\"a\": {}}}", "Data"),
            ("502 Bad Gateway", "Data"),
            ("<html>", "Syntax"),
        ];
        for (text, why) in rows {
            assert_eq!(read(text), Err(why.to_owned()), "{text}");
        }
    }
}
