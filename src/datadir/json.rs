//! JSON as `serde_json` writes it, indented, in less code: what its formatter does for each field is
//! called here, where the library copies it into the writing of every type, a tenth of the agent.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Writes a value as one indented document.
pub fn write(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let formatter = Called(PrettyFormatter::new());
    value.serialize(&mut Serializer::with_formatter(out, formatter)).map_err(io::Error::from)
}

struct Called(PrettyFormatter<'static>);

/// Each as the one that it calls, kept in one place.
macro_rules! called {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[inline(never)]
        fn $name<W: Write + ?Sized>(&mut self, out: &mut W, $($argument: $kind),*) -> io::Result<()> {
            self.0.$name(out, $($argument),*)
        }
    )*};
}

impl Formatter for Called {
    called! {
        write_null();
        write_bool(value: bool);
        write_i64(value: i64);
        write_u64(value: u64);
        begin_string();
        end_string();
        write_string_fragment(text: &str);
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_reads_as_the_library_writes_it() {
        #[derive(Serialize)]
        struct All {
            list: Vec<Option<bool>>,
            of: BTreeMap<u64, (i64, f64)>,
            empty: [u8; 0],
            none: BTreeMap<u8, u8>,
            unit: (),
            text: &'static str,
            whole: Result<u8, char>,
            wide: u128,
        }
        let all = All {
            list: vec![None, Some(true), Some(false)],
            of: [(1, (i64::MIN, 0.1)), (u64::MAX, (-1, f64::NAN))].into(),
            empty: [],
            none: BTreeMap::new(),
            unit: (),
            text: "a\"b\\\u{1b}\n\u{2028}é",
            whole: Err('x'),
            wide: u128::MAX,
        };
        let mut written = Vec::new();
        write(&mut written, &all).expect("memory");
        let text = String::from_utf8(written).expect("text");
        assert_eq!(text, serde_json::to_string_pretty(&all).expect("text"));
    }
}
