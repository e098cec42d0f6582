//! Where the top-level fields of an object are.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::error::{Error, ErrorKind, Fault};
use super::{scan, text, validate, walk, Limits, Value};

/// Fields that an index holds without the heap.
const INLINE: usize = 24;

/// One field: offsets into the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// The opening quote of the key.
    pub key: u32,
    /// After the closing quote of the key.
    pub key_end: u32,
    /// The first byte of the value.
    pub value: u32,
    /// After the last byte of the value.
    pub end: u32,
}

impl Field {
    /// The key as it is written, without quotes.
    #[inline]
    pub fn key_text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.key as usize + 1..(self.key_end as usize).wrapping_sub(1)).unwrap_or_default()
    }

    #[inline]
    pub fn value<'a>(&self, bytes: &'a [u8]) -> Value<'a> {
        Value::checked(bytes.get(self.value as usize..self.end as usize).unwrap_or_default())
    }
}

/// The index of one object's top level. It holds offsets and no borrow, so that it can be kept beside the bytes; every
/// use must be given the very bytes that were scanned.
#[derive(Clone, Debug, Default)]
pub struct Index {
    fields: SmallVec<[Field; INLINE]>,
    /// The opening brace.
    open: u32,
}

impl Index {
    /// Checks all of `bytes` in one pass (grammar, escapes, control characters, UTF-8, nothing after the value) and
    /// notes the fields of its object. Nested keys may occur twice; top-level keys may not, after unescaping.
    ///
    /// # Errors
    /// Every kind but [`ErrorKind::Exponent`]. The first fault counts, except that UTF-8 and, among more than 24 fields
    /// or escaped keys, duplicates are looked for at the end.
    pub fn scan(bytes: &[u8], limits: Limits) -> Result<Index, Error> {
        // One place for the answer, filled in place: an index is 400 bytes and not worth moving.
        let mut answer = Ok(Index::default());
        if let Ok(index) = &mut answer {
            if let Err(fault) = index.fill(bytes, limits) {
                answer = Err(explain(fault, bytes, limits));
            }
        }
        answer
    }

    #[inline]
    fn fill(&mut self, bytes: &[u8], limits: Limits) -> Result<(), Fault> {
        if bytes.len() > u32::MAX as usize {
            return Err(Fault { at: u32::MAX as usize, kind: ErrorKind::TooLong });
        }
        let open = scan::space(bytes, 0);
        if bytes.get(open) != Some(&b'{') {
            return Err(Fault { at: open, kind: ErrorKind::NotAnObject });
        }
        if limits.max_depth == 0 {
            return Err(Fault { at: open, kind: ErrorKind::Depth });
        }
        self.open = open as u32;
        let mut high = 0;
        let mut seen = Seen::default();
        let mut pos = scan::space(bytes, open + 1);
        if bytes.get(pos) == Some(&b'}') {
            return scan::finish(bytes, pos + 1, high);
        }
        loop {
            let mut escaped = false;
            let (key_end, value) = scan::key(bytes, pos, &mut high, &mut escaped)?;
            seen.note(&self.fields, bytes, pos, key_end, escaped)?;
            let end = top_value(bytes, value, limits, &mut high)?;
            self.fields.push(Field { key: pos as u32, key_end: key_end as u32, value: value as u32, end: end as u32 });
            pos = scan::space(bytes, end);
            match bytes.get(pos) {
                Some(b',') => pos = scan::space(bytes, pos + 1),
                Some(b'}') => break,
                _ => return Err(pos.into()),
            }
        }
        if seen.escaped || self.fields.len() > INLINE {
            no_duplicates(&self.fields, bytes)?;
        }
        scan::finish(bytes, pos + 1, high)
    }

    /// The value of a top-level field.
    #[inline]
    pub fn get<'a>(&self, bytes: &'a [u8], key: &str) -> Option<Value<'a>> {
        self.position(bytes, key).map(|at| self.fields[at].value(bytes))
    }

    /// Which field has this key.
    #[inline]
    pub(super) fn position(&self, bytes: &[u8], key: &str) -> Option<usize> {
        self.fields.iter().position(|field| text::means(field.key_text(bytes), key.as_bytes()))
    }

    /// Keys (unescaped) and values, in the order of the text.
    pub fn iter<'s, 'a: 's>(&'s self, bytes: &'a [u8]) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + 's {
        self.raw_iter(bytes).map(|(key, value)| (text::unescape(key), value))
    }

    /// Keys as they are written, without quotes, and values.
    pub(crate) fn raw_iter<'s, 'a: 's>(&'s self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], Value<'a>)> + 's {
        self.fields.iter().map(move |field| (field.key_text(bytes), field.value(bytes)))
    }

    /// How many fields the object has.
    #[inline]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether the object is `{}`.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// After the opening brace.
    pub(super) fn inside(&self) -> usize {
        self.open as usize + 1
    }
}

/// Reads the value of a top-level field: what is short there without a call.
#[inline(always)]
fn top_value(bytes: &[u8], pos: usize, limits: Limits, high: &mut u64) -> Result<usize, Fault> {
    match bytes.get(pos) {
        Some(b'"') => Ok(scan::string(bytes, pos + 1, high, &mut false)?),
        Some(b'{' | b'[') => walk(bytes, pos, limits.max_depth - 1, high, &mut ()),
        Some(b'-' | b'0'..=b'9') => Ok(scan::number(bytes, pos)?),
        Some(&first) => Ok(scan::word(bytes, pos, first)?),
        None => Err(pos.into()),
    }
}

/// Names a fault; what is no object is first read as any value, so that bad JSON is called that.
#[cold]
#[inline(never)]
fn explain(fault: Fault, bytes: &[u8], limits: Limits) -> Error {
    if fault.kind == ErrorKind::NotAnObject {
        if let Err(error) = validate(bytes, limits) {
            return error;
        }
    }
    let mut error = fault.into_error(bytes);
    if error.kind == ErrorKind::DuplicateKey {
        let mut high = 0;
        let end = scan::string(bytes, error.offset + 1, &mut high, &mut false).unwrap_or(error.offset + 2);
        error.key = bytes.get(error.offset + 1..end - 1).map(|key| text::unescape(key).into_owned());
    }
    error
}

/// Which keys may have been seen: a filter of 64 bits in front of the comparison.
#[derive(Default)]
struct Seen {
    filter: u64,
    /// A key holds an escape: keys have to be compared by meaning, once, at the end.
    escaped: bool,
}

impl Seen {
    /// Refuses a key that is written like an earlier one. Beyond [`INLINE`] fields this is left to [`no_duplicates`].
    #[inline(always)]
    fn note(&mut self, fields: &[Field], bytes: &[u8], key: usize, key_end: usize, escaped: bool) -> Result<(), Fault> {
        self.escaped |= escaped;
        let bit = 1 << (fingerprint(bytes, key + 1, key_end - key - 2) >> 58);
        if self.filter & bit != 0 && fields.len() <= INLINE {
            return written_before(fields, bytes, key, key_end);
        }
        self.filter |= bit;
        Ok(())
    }
}

#[inline(never)]
fn written_before(fields: &[Field], bytes: &[u8], key: usize, key_end: usize) -> Result<(), Fault> {
    let text = &bytes[key + 1..key_end - 1];
    if fields.iter().any(|field| field.key_text(bytes) == text) {
        return Err(Fault { at: key, kind: ErrorKind::DuplicateKey });
    }
    Ok(())
}

/// A cheap hash of a key: its length and its first bytes, at most eight.
#[inline(always)]
fn fingerprint(bytes: &[u8], start: usize, len: usize) -> u64 {
    let kept = match scan::word_at(bytes, start) {
        Some(word) if len < 8 => word & ((1 << (8 * len)) - 1),
        Some(word) => word,
        // At the end of the text, where eight bytes are not left, the key has fewer.
        None => bytes[start..start + len].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    (kept ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Refuses keys of equal meaning, by sorting, which no choice of keys can make slow.
#[cold]
fn no_duplicates(fields: &[Field], bytes: &[u8]) -> Result<(), Fault> {
    let mut keys: Vec<_> = fields.iter().map(|field| (text::exact(field.key_text(bytes)), field.key)).collect();
    keys.sort_unstable();
    let twice = keys.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min();
    match twice {
        Some(at) => Err(Fault { at: at as usize, kind: ErrorKind::DuplicateKey }),
        None => Ok(()),
    }
}
