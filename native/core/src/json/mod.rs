//! JSON without a tree: scan, walk, splice.
//!
//! [`Index::scan`] reads a text once, checks all of it against RFC 8259 and remembers where each top-level field is;
//! [`Value`] walks checked text in place; [`Edits`] and [`splice`] change single values and leave every other byte.
//! Nothing here recurses, so depth is a limit and never a crash, and every function is total: an index or a value that
//! is used with other bytes than its own gives wrong answers, not panics.

mod edit;
mod error;
mod index;
mod number;
mod object;
mod outline;
mod scan;
mod text;
mod tree;
mod value;
mod walk;
mod write;

pub use edit::{splice, Edits};
pub use error::{Error, ErrorKind};
pub use index::Index;
pub use value::{validate, Elements, Fields, Kind, Value};
pub use write::Writer;

pub(crate) use number::Decimal;
pub(crate) use object::Object;
pub(crate) use outline::Outline;
pub(crate) use text::{exact, mended, unescape_into, Lone};
pub(crate) use tree::Tree;
pub(crate) use walk::{walk, Visit};

/// What a text may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Containers within containers; `[]` has depth 1.
    pub max_depth: u32,
}

impl Default for Limits {
    /// Depth 128, the default of most JSON readers.
    fn default() -> Self {
        Limits { max_depth: 128 }
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[(byte >> 4) as usize]);
                out.push(HEX[(byte & 15) as usize]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
