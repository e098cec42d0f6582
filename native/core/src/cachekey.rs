//! Canonical cache keys: one key for all spellings of a request, and another for every other request.
//!
//! A request is written in a canonical form, which is hashed with BLAKE3. Its pieces carry a type tag, and a length or
//! an end mark, so that no two sequences of pieces have the same bytes:
//!
//! | Piece | Bytes |
//! | --- | --- |
//! | everything | `hoosh1`, text of the tenant, text of the endpoint, object |
//! | text | length (LEB128), bytes (UTF-8; a surrogate that stands alone is its three bytes of WTF-8) |
//! | `null`, `true`, `false` | `n`, `t`, `f` |
//! | string | `s`, text |
//! | number | `z` for 0; else `+` or `-`, exponent (zigzag LEB128), text of the digits without zeros at either end |
//! | array | `[`, its values, `]` |
//! | object | `{`, its fields sorted by length and bytes of the key (each `k`, text of the key, value), `}` |
//!
//! Numbers are compared as decimals of any size, never through floating point: `1`, `1.0` and `10e-1` are one number,
//! 2^53 and 2^53 + 1 are two, `-0` is `0`.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::json::{self, ErrorKind, Lone, Visit};

/// Top-level fields that can change neither the answer nor what the upstream does besides, each with the reason.
/// Everything else is part of the key, known or not. `service_tier` is, although it does not change the text: it is a
/// contract on how the answer is produced, and the answer repeats it. `store` is, because it makes the upstream keep
/// the answer, which a cached answer would not.
pub const IGNORED: &[(&str, &str)] = &[
    ("stream", "how the answer is delivered, not what it is"),
    ("stream_options", "which events go with a stream; hoosh adds or hides them itself"),
    ("user", "an end user's name for the provider's abuse monitoring; tenants are kept apart by the key's own tenant"),
    ("safety_identifier", "the successor of user, for the same use"),
    ("metadata", "labels for the caller's own book-keeping"),
    ("prompt_cache_key", "steers the provider's prefix cache, which changes cost and speed but no answer"),
    ("prompt_cache_retention", "how long the provider's prefix cache keeps the prompt"),
    ("pool", "selects the budget that hoosh charges, and never reaches the provider"),
];

/// A cache key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(
    /// BLAKE3 of the canonical form.
    pub [u8; 32],
);

impl Key {
    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.to_hex())
    }
}

/// The key of the request `body`. Different tenants and different endpoints have different keys.
///
/// # Errors
/// What [`json::Index::scan`] refuses within the default limits; and what makes a request one that cannot be cached:
/// [`ErrorKind::DuplicateKey`] in a nested object, because readers may disagree on what is asked, and
/// [`ErrorKind::Exponent`], a number whose exponent has more than 18 digits.
pub fn key(body: &[u8], tenant: &str, endpoint: &str) -> Result<Key, json::Error> {
    let mut draft = Draft::with_capacity(body.len());
    match json::Index::scan_with(body, json::Limits::default(), &mut draft) {
        Ok(_) => Ok(draft.finish(tenant, endpoint)),
        Err(error) => Err(json::Error { key: draft.form.duplicate.take().or(error.key), ..error }),
    }
}

/// [`key`] as 64 hexadecimal digits, for use without an exchange (the endpoint is empty).
///
/// # Errors
/// Those of [`key`].
pub fn key_of(body: &[u8], tenant: &str) -> Result<String, json::Error> {
    key(body, tenant, "").map(Key::to_hex)
}

/// The canonical form of a request, written while its text is scanned ([`json::Index::scan_with`]), because tenant and
/// endpoint are known only when that is over.
pub(crate) struct Draft {
    form: Canonical,
    /// Fields of the top level that count.
    fields: SmallVec<[Field; 24]>,
    /// Containers that are open.
    depth: u32,
    /// Within a field that does not count.
    muted: bool,
}

impl Draft {
    pub fn with_capacity(body_bytes: usize) -> Draft {
        let form = Canonical::with_capacity(body_bytes + 64);
        Draft { form, fields: SmallVec::new(), depth: 0, muted: false }
    }

    /// The key, once the scan found nothing wrong.
    pub fn finish(&mut self, tenant: &str, endpoint: &str) -> Key {
        let written = std::mem::take(&mut self.form.out);
        end_each(&mut self.fields, written.len());
        self.fields.sort_unstable_by(|a, b| shorter_first(a.name(&written), b.name(&written)));
        let mut form = Canonical::with_capacity(written.len() + tenant.len() + endpoint.len() + 32);
        form.out.extend_from_slice(b"hoosh1");
        form.text(tenant.as_bytes());
        form.text(endpoint.as_bytes());
        form.out.push(b'{');
        for field in &self.fields {
            form.out.extend_from_slice(&written[field.start..field.end]);
        }
        form.out.push(b'}');
        Key(*blake3::hash(&form.out).as_bytes())
    }

    fn top_key(&mut self, text: &[u8], escaped: bool) {
        let meant = if escaped { json::exact(text) } else { Cow::Borrowed(text) };
        self.muted = ignored(&meant);
        if !self.muted {
            let field = self.form.field(&meant, false);
            self.fields.push(field);
        }
    }
}

impl Visit for Draft {
    #[inline]
    fn key(&mut self, at: usize, text: &[u8], escaped: bool) {
        if self.depth == 0 {
            self.top_key(text, escaped);
        } else if !self.muted {
            self.form.key(at, text, escaped);
        }
    }

    #[inline]
    fn string(&mut self, at: usize, text: &[u8], escaped: bool) {
        if !self.muted {
            self.form.string(at, text, escaped);
        }
    }

    fn number(&mut self, at: usize, text: &[u8]) -> Result<(), ErrorKind> {
        if self.muted {
            return Ok(());
        }
        self.form.number(at, text)
    }

    fn literal(&mut self, at: usize, first: u8) {
        if !self.muted {
            self.form.literal(at, first);
        }
    }

    #[inline]
    fn open(&mut self, at: usize, object: bool) {
        self.depth += 1;
        if !self.muted {
            self.form.open(at, object);
        }
    }

    #[inline]
    fn close(&mut self, at: usize, object: bool) -> Result<(), ErrorKind> {
        self.depth -= 1;
        if self.muted {
            return Ok(());
        }
        self.form.close(at, object)
    }
}

fn ignored(name: &[u8]) -> bool {
    IGNORED.iter().any(|(ignored, _)| ignored.as_bytes() == name)
}

/// The order of keys in the canonical form: by length first, because that nearly always decides.
fn shorter_first(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The canonical form while it is written. Fields of nested objects are written as they come and sorted in place when
/// their object closes, so that a text is moved at most once for each object around it: linear in the length of the
/// body times the depth that its scan allowed. (10 MB under 127 unsorted objects took 70 ms.)
struct Canonical {
    out: Vec<u8>,
    /// Fields of all open objects.
    fields: SmallVec<[Field; 16]>,
    /// For each open object, how many of `fields` belong to those around it.
    objects: SmallVec<[usize; 16]>,
    scratch: Vec<u8>,
    duplicate: Option<String>,
}

/// Where a field is in the form.
#[derive(Clone, Copy)]
struct Field {
    start: usize,
    /// Known when all fields beside it are written.
    end: usize,
    name: usize,
    name_len: usize,
}

impl Field {
    fn name(self, form: &[u8]) -> &[u8] {
        &form[self.name..][..self.name_len]
    }
}

/// Says where each of neighbouring fields ends: where the next one begins, the last at `end`.
fn end_each(fields: &mut [Field], mut end: usize) {
    for field in fields.iter_mut().rev() {
        field.end = end;
        end = field.start;
    }
}

impl Canonical {
    fn with_capacity(bytes: usize) -> Self {
        Canonical {
            out: Vec::with_capacity(bytes),
            fields: SmallVec::new(),
            objects: SmallVec::new(),
            scratch: Vec::new(),
            duplicate: None,
        }
    }

    /// LEB128.
    #[inline(always)]
    fn count(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    #[inline(always)]
    fn text(&mut self, text: &[u8]) {
        self.count(text.len() as u64);
        self.out.extend_from_slice(text);
    }

    /// Begins a field.
    #[inline(always)]
    fn field(&mut self, name: &[u8], escaped: bool) -> Field {
        let start = self.out.len();
        self.out.push(b'k');
        let name_len = self.json_text(name, escaped);
        let name = self.out.len() - name_len;
        Field { start, end: 0, name, name_len }
    }

    /// A text as it is written in JSON. Returns the length of its meaning.
    #[inline(always)]
    fn json_text(&mut self, text: &[u8], escaped: bool) -> usize {
        if escaped {
            return self.unescaped_text(text);
        }
        self.text(text);
        text.len()
    }

    fn unescaped_text(&mut self, text: &[u8]) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        json::unescape_into(&mut scratch, text, Lone::Keep);
        self.text(&scratch);
        let len = scratch.len();
        self.scratch = scratch;
        len
    }

    /// Sorts the fields from number `first` on, which are the end of the form.
    fn sort(&mut self, first: usize) -> Result<(), ErrorKind> {
        let (out, fields) = (&mut self.out, &mut self.fields[first..]);
        let from = fields.first().map_or(out.len(), |field| field.start);
        end_each(fields, out.len());
        fields.sort_unstable_by(|a, b| shorter_first(a.name(out), b.name(out)));
        if let Some(pair) = fields.windows(2).find(|pair| pair[0].name(out) == pair[1].name(out)) {
            self.duplicate = Some(String::from_utf8_lossy(pair[0].name(out)).into_owned());
            return Err(ErrorKind::DuplicateKey);
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&out[from..]);
        out.truncate(from);
        for field in fields {
            out.extend_from_slice(&self.scratch[field.start - from..field.end - from]);
        }
        Ok(())
    }
}

impl Visit for Canonical {
    #[inline]
    fn key(&mut self, _: usize, text: &[u8], escaped: bool) {
        let field = self.field(text, escaped);
        self.fields.push(field);
    }

    #[inline]
    fn string(&mut self, _: usize, text: &[u8], escaped: bool) {
        self.out.push(b's');
        self.json_text(text, escaped);
    }

    fn number(&mut self, _: usize, text: &[u8]) -> Result<(), ErrorKind> {
        let decimal = json::Decimal::parse(text).ok_or(ErrorKind::Exponent)?;
        if decimal.len() == 0 {
            self.out.push(b'z');
            return Ok(());
        }
        self.out.push(if decimal.negative { b'-' } else { b'+' });
        self.count((decimal.exponent << 1 ^ decimal.exponent >> 63) as u64);
        self.count(decimal.len() as u64);
        self.out.extend_from_slice(decimal.head);
        self.out.extend_from_slice(decimal.tail);
        Ok(())
    }

    fn literal(&mut self, _: usize, first: u8) {
        self.out.push(first);
    }

    #[inline]
    fn open(&mut self, _: usize, object: bool) {
        if object {
            self.objects.push(self.fields.len());
        }
        self.out.push(if object { b'{' } else { b'[' });
    }

    #[inline]
    fn close(&mut self, _: usize, object: bool) -> Result<(), ErrorKind> {
        if !object {
            self.out.push(b']');
            return Ok(());
        }
        let first = self.objects.pop().unwrap_or(0);
        let out = &self.out;
        let sorted = |pair: &[Field]| shorter_first(pair[0].name(out), pair[1].name(out)).is_lt();
        if !self.fields[first..].windows(2).all(sorted) {
            self.sort(first)?;
        }
        self.fields.truncate(first);
        self.out.push(b'}');
        Ok(())
    }
}
