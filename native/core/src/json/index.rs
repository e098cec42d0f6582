//! Where the top-level fields of an object are.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::error::{Error, ErrorKind, Fault};
use super::{scan, text, validate, walk, Limits, Value, Visit};

/// Fields that an index holds without the heap.
const INLINE: usize = 16;

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
    /// The upper half of the key's [`fingerprint`], so that a look-up seldom reads a key that is not the one.
    print: u32,
    /// The place of its value in an [`super::Outline`], where one was made.
    pub node: u32,
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
    /// A key holds an escape: keys have to be compared by meaning.
    escaped: bool,
}

impl Index {
    /// Checks all of `bytes` in one pass (grammar, escapes, control characters, UTF-8, nothing after the value) and
    /// notes the fields of its object. Nested keys may occur twice; top-level keys may not, after unescaping.
    ///
    /// # Errors
    /// Every kind but [`ErrorKind::Exponent`]. The first fault counts, except that UTF-8 and, among more than 16 fields
    /// or escaped keys, duplicates are looked for at the end.
    pub fn scan(bytes: &[u8], limits: Limits) -> Result<Index, Error> {
        Index::scan_with(bytes, limits, &mut ())
    }

    /// [`Index::scan`] that tells `visit` of all it reads, but for the braces around it: a top-level key is told outside
    /// of any container. What `visit` refuses is a fault of the text.
    pub(crate) fn scan_with<V: Visit>(bytes: &[u8], limits: Limits, visit: &mut V) -> Result<Index, Error> {
        let mut index = Index::default();
        index.rescan(bytes, limits, visit).map(|()| index)
    }

    /// [`Index::scan_with`] in place: an index is 400 bytes and not worth moving where events come by the thousand. After
    /// an error it is of nothing.
    pub(crate) fn rescan<V: Visit>(&mut self, bytes: &[u8], limits: Limits, visit: &mut V) -> Result<(), Error> {
        self.fields.clear();
        self.escaped = false;
        self.fill(bytes, limits, visit).map_err(|fault| {
            self.fields.clear();
            explain(fault, bytes, limits)
        })
    }

    #[inline]
    fn fill<V: Visit>(&mut self, bytes: &[u8], limits: Limits, visit: &mut V) -> Result<(), Fault> {
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
            self.escaped |= escaped;
            let key = &bytes[pos + 1..key_end - 1];
            let print = fingerprint(key);
            seen.note(&self.fields, bytes, pos, key, print)?;
            visit.key(pos, key, escaped);
            let node = visit.place();
            let end = top_value(bytes, value, limits, &mut high, visit)?;
            self.fields.push(Field {
                key: pos as u32,
                key_end: key_end as u32,
                value: value as u32,
                end: end as u32,
                print: (print >> 32) as u32,
                node,
            });
            pos = scan::space(bytes, end);
            match bytes.get(pos) {
                Some(b',') => pos = scan::space(bytes, pos + 1),
                Some(b'}') => break,
                _ => return Err(pos.into()),
            }
        }
        if self.escaped || self.fields.len() > INLINE {
            no_duplicates(&self.fields, bytes)?;
        }
        scan::finish(bytes, pos + 1, high)
    }

    /// The value of a top-level field.
    #[inline]
    pub fn get<'a>(&self, bytes: &'a [u8], key: &str) -> Option<Value<'a>> {
        self.field(bytes, key).map(|field| field.value(bytes))
    }

    #[inline]
    pub(super) fn field(&self, bytes: &[u8], key: &str) -> Option<&Field> {
        self.position(bytes, key).map(|at| &self.fields[at])
    }

    /// Which field has this key.
    #[inline]
    pub(super) fn position(&self, bytes: &[u8], key: &str) -> Option<usize> {
        if self.escaped {
            return self.fields.iter().position(|field| text::means(field.key_text(bytes), key.as_bytes()));
        }
        let print = (fingerprint(key.as_bytes()) >> 32) as u32;
        self.fields.iter().position(|field| field.print == print && field.key_text(bytes) == key.as_bytes())
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

    /// Whether a key holds an escape.
    pub(super) fn escaped(&self) -> bool {
        self.escaped
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
fn top_value<V: Visit>(
    bytes: &[u8],
    pos: usize,
    limits: Limits,
    high: &mut u64,
    visit: &mut V,
) -> Result<usize, Fault> {
    match bytes.get(pos) {
        Some(b'"') => {
            let mut escaped = false;
            let end = scan::string(bytes, pos + 1, high, &mut escaped)?;
            visit.string(pos, &bytes[pos + 1..end - 1], escaped);
            Ok(end)
        }
        Some(b'{' | b'[') => walk(bytes, pos, limits.max_depth - 1, high, visit),
        Some(b'-' | b'0'..=b'9') => {
            let end = scan::number(bytes, pos)?;
            visit.number(pos, &bytes[pos..end]).map_err(|kind| Fault { at: pos, kind })?;
            Ok(end)
        }
        Some(&first) => {
            let end = scan::word(bytes, pos, first)?;
            visit.literal(pos, first);
            Ok(end)
        }
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
}

impl Seen {
    /// Refuses a key that is written like an earlier one. Beyond [`INLINE`] fields this is left to [`no_duplicates`].
    #[inline(always)]
    fn note(&mut self, fields: &[Field], bytes: &[u8], at: usize, key: &[u8], print: u64) -> Result<(), Fault> {
        let bit = 1 << (print >> 58);
        if self.filter & bit != 0 && fields.len() <= INLINE {
            return written_before(fields, bytes, at, key);
        }
        self.filter |= bit;
        Ok(())
    }
}

#[inline(never)]
fn written_before(fields: &[Field], bytes: &[u8], at: usize, key: &[u8]) -> Result<(), Fault> {
    if fields.iter().any(|field| field.key_text(bytes) == key) {
        return Err(Fault { at, kind: ErrorKind::DuplicateKey });
    }
    Ok(())
}

/// A cheap hash of a key: its length and its first and last bytes, at most eight of each.
#[inline(always)]
fn fingerprint(key: &[u8]) -> u64 {
    let len = key.len();
    let word = |at: usize| scan::word_at(key, at);
    let kept = match len.checked_sub(8).and_then(word) {
        Some(last) => last.rotate_left(29) ^ word(0).unwrap_or(0),
        // Fewer than eight bytes, from two overlapping reads where there are four.
        None => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => key.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        },
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
