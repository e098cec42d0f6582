//! Values as JSON, in the spelling of Python's `json.dumps`, which models were trained on: a space after each comma and
//! colon, letters as they are.

use std::io;

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The filter `tojson`, as `transformers` has it. Jinja's own writes `<` as an escape, for web pages.
pub(super) fn to_json(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get::<Option<Value>>("indent")?,
    };
    // Letters are never escaped here, whatever is asked: no template asks for the escapes.
    options.get::<Option<Value>>("ensure_ascii")?;
    options.get::<Option<Value>>("separators")?;
    options.get::<Option<Value>>("sort_keys")?;
    options.assert_all_used()?;
    match indent.filter(|indent| !indent.is_none() && !indent.is_undefined()) {
        None => written(value, Spaced),
        Some(indent) => {
            let width = indent.as_usize().filter(|&width| width <= 16);
            let wrong = || Error::new(ErrorKind::InvalidOperation, "tojson: indent has to be a number of 0 to 16");
            written(value, PrettyFormatter::with_indent(" ".repeat(width.ok_or_else(wrong)?).as_bytes()))
        }
    }
}

fn written(value: &Value, formatter: impl Formatter) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let wrong = |error: String| Error::new(ErrorKind::BadSerialization, error);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .map_err(|error| wrong(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))
}

/// `", "` and `": "`.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
