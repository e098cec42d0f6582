//! Checked values, walked in place.

use std::borrow::Cow;
use std::ops::Range;

use super::error::{Error, ErrorKind, Fault};
use super::outline::Node;
use super::{number::Decimal, scan, text, walk, Limits};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value that was checked, borrowed from its text. Walking it cannot fail; each walk reads the text anew, unless its
/// parts were noted. Two values are equal if they are written alike.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// From the first to the last byte of the value, without white space around it.
    raw: &'a [u8],
    /// Its node and those of its parts, if they were noted.
    nodes: &'a [Node],
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Value<'_> {}

/// Checks a whole text that may be any JSON value. Keys may occur twice in it: see [`Value::get`].
///
/// # Errors
/// Every kind but [`ErrorKind::NotAnObject`], [`ErrorKind::DuplicateKey`] and [`ErrorKind::Exponent`].
pub fn validate(bytes: &[u8], limits: Limits) -> Result<Value<'_>, Error> {
    if bytes.len() > u32::MAX as usize {
        return Err(Error::new(ErrorKind::TooLong, u32::MAX as usize));
    }
    let start = scan::space(bytes, 0);
    let mut high = 0;
    let end = walk(bytes, start, limits.max_depth, &mut high, &mut ());
    end.and_then(|end| scan::finish(bytes, end, high).map(|()| Value::checked(&bytes[start..end])))
        .map_err(|fault: Fault| fault.into_error(bytes))
}

impl<'a> Value<'a> {
    /// For text that was checked before.
    #[inline]
    pub(super) fn checked(raw: &'a [u8]) -> Self {
        Value { raw, nodes: &[] }
    }

    /// The same, whose parts are known.
    #[inline]
    pub(super) fn noted(self, nodes: &'a [Node]) -> Self {
        Value { nodes, ..self }
    }

    /// What it is.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.raw.first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// Its bytes as they are written, a string with its quotes.
    #[inline]
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Where it is in `base`, the text that it came from; for [`super::splice`]. With any other text: `0..0`.
    pub fn span_in(self, base: &[u8]) -> Range<usize> {
        let start = (self.raw.as_ptr() as usize).wrapping_sub(base.as_ptr() as usize);
        match start.checked_add(self.raw.len()) {
            Some(end) if end <= base.len() => start..end,
            _ => 0..0,
        }
    }

    /// What is between a string's quotes, as it is written.
    #[inline]
    fn text(self) -> Option<&'a [u8]> {
        match self.raw {
            [b'"', text @ .., b'"'] => Some(text),
            _ => None,
        }
    }

    /// A string's meaning; surrogates that stand alone become U+FFFD. Borrowed if nothing is escaped.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        self.text().map(text::unescape)
    }

    /// Appends a string's meaning, which is UTF-8, as [`Value::as_str`] has it; of anything else, nothing. How many bytes.
    pub(crate) fn append_str(self, out: &mut Vec<u8>) -> usize {
        let before = out.len();
        if let Some(text) = self.text() {
            text::unescape_into(out, text, text::Lone::Replace);
        }
        out.len() - before
    }

    /// Whether it is a string that means `wanted`. Allocates only to compare escaped text of a fitting length.
    #[inline]
    pub fn str_eq(self, wanted: &str) -> bool {
        self.text().is_some_and(|text| text::means(text, wanted.as_bytes()))
    }

    /// A whole number from 0 to 2^64 - 1, however it is spelled: `1e3` and `10.0` are whole.
    pub fn as_u64(self) -> Option<u64> {
        if let Some(plain) = self.plain() {
            return Some(plain);
        }
        let decimal = self.decimal()?;
        decimal.magnitude().filter(|_| !decimal.negative)
    }

    /// A whole number from -2^63 to 2^63 - 1, however it is spelled.
    pub fn as_i64(self) -> Option<i64> {
        let decimal = self.decimal()?;
        let magnitude = decimal.magnitude()?;
        if decimal.negative {
            0i64.checked_sub_unsigned(magnitude)
        } else {
            i64::try_from(magnitude).ok()
        }
    }

    /// A number, rounded to the nearest double; beyond their range, infinite.
    pub fn as_f64(self) -> Option<f64> {
        if let Some(plain) = self.plain() {
            return Some(plain as f64);
        }
        if self.kind() != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.raw).ok()?.parse().ok()
    }

    /// A number that is written as one to fifteen digits and nothing else: nearly all are, and a double holds each.
    #[inline]
    fn plain(self) -> Option<u64> {
        if !(1..=15).contains(&self.raw.len()) {
            return None;
        }
        self.raw.iter().try_fold(0, |sum: u64, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
    }

    fn decimal(self) -> Option<Decimal<'a>> {
        if self.kind() != Kind::Number {
            return None;
        }
        Decimal::parse(self.raw)
    }

    /// `true` or `false`.
    #[inline]
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[inline]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The elements of an array, in order; of anything else, none.
    #[inline]
    pub fn elements(self) -> Elements<'a> {
        Elements { parts: self.parts(Kind::Array) }
    }

    /// The fields of an object, in order; of anything else, none. Keys are string values.
    #[inline]
    pub fn fields(self) -> Fields<'a> {
        Fields { parts: self.parts(Kind::Object) }
    }

    #[inline]
    fn parts(self, kind: Kind) -> Parts<'a> {
        match self.raw {
            [_, inside @ .., _] if self.kind() == kind => match self.nodes {
                [own, nodes @ ..] => Parts { rest: &[], whole: self.raw, start: own.start, nodes },
                [] => Parts { rest: inside, whole: &[], start: 0, nodes: &[] },
            },
            _ => Parts { rest: &[], whole: &[], start: 0, nodes: &[] },
        }
    }

    /// An object's field. If the key occurs more than once, the last one, which is what Python's and JavaScript's
    /// readers take.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.fields().filter(|(name, _)| name.str_eq(key)).last().map(|(_, value)| value)
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.raw))
    }
}

/// The elements of an array: see [`Value::elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    parts: Parts<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        self.parts.take()
    }
}

/// The fields of an object: see [`Value::fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    parts: Parts<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Value<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.parts.take()?, self.parts.take()?))
    }
}

/// What is left of a container: by its notes, or by its text where there are none.
#[derive(Clone, Debug)]
struct Parts<'a> {
    rest: &'a [u8],
    whole: &'a [u8],
    /// Where `whole` begins.
    start: u32,
    nodes: &'a [Node],
}

impl<'a> Parts<'a> {
    #[inline]
    fn take(&mut self) -> Option<Value<'a>> {
        let Some(node) = self.nodes.first() else { return take(&mut self.rest) };
        let range = node.start.wrapping_sub(self.start) as usize..node.end.wrapping_sub(self.start) as usize;
        let (own, others) = self.nodes.split_at_checked(node.nodes as usize)?;
        self.nodes = others;
        self.whole.get(range).map(|raw| Value { raw, nodes: own })
    }
}

/// Takes the next value off checked text, and the white space and separators before it.
fn take<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let mut start = 0;
    while let Some(b' ' | b'\n' | b'\t' | b'\r' | b',' | b':') = rest.get(start) {
        start += 1;
    }
    let end = skip(rest, start);
    let raw = &rest[start..end];
    *rest = &rest[end..];
    (!raw.is_empty()).then_some(Value::checked(raw))
}

/// The end of the value that begins at `start` of checked text.
#[inline]
fn skip(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => skip_string(bytes, start),
        Some(b'{' | b'[') => skip_container(bytes, start),
        _ => {
            let rest = &bytes[start..];
            let scalar = |byte: &u8| !matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\n' | b'\t' | b'\r');
            start + rest.iter().position(|byte| !scalar(byte)).unwrap_or(rest.len())
        }
    }
}

#[inline]
fn skip_string(bytes: &[u8], start: usize) -> usize {
    scan::string(bytes, start + 1, &mut 0, &mut false).unwrap_or(bytes.len())
}

fn skip_container(bytes: &[u8], start: usize) -> usize {
    let mut pos = start;
    let mut depth = 0usize;
    while let Some(byte) = bytes.get(pos) {
        match byte {
            b'"' => {
                pos = skip_string(bytes, pos);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return pos + 1;
                }
            }
            _ => {}
        }
        pos += 1;
    }
    bytes.len()
}
