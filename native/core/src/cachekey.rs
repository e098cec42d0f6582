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

use crate::json::{self, ErrorKind, Lone};

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

/// The key of a request: `index` must come from `body`. Different tenants and different endpoints have different keys.
///
/// `None` if the request cannot be cached: a nested key occurs twice, so that readers may disagree on what is asked, or
/// a number's exponent has more than 18 digits.
pub fn key(body: &[u8], index: &json::Index, tenant: &str, endpoint: &str) -> Option<Key> {
    canonical_key(body, index, tenant, endpoint).ok()
}

/// The key of the request `body`, as 64 hexadecimal digits, for use without an exchange (the endpoint is empty).
///
/// # Errors
/// What [`json::Index::scan`] refuses within the default limits, and where [`key`] has no answer:
/// [`ErrorKind::DuplicateKey`] in a nested object and [`ErrorKind::Exponent`].
pub fn key_of(body: &[u8], tenant: &str) -> Result<String, json::Error> {
    let index = json::Index::scan(body, json::Limits::default())?;
    canonical_key(body, &index, tenant, "").map(Key::to_hex)
}

fn canonical_key(body: &[u8], index: &json::Index, tenant: &str, endpoint: &str) -> Result<Key, json::Error> {
    let mut fields: SmallVec<[(Cow<'_, [u8]>, json::Value<'_>); 24]> = SmallVec::new();
    fields.extend(index.raw_iter(body).map(|(name, value)| (meaning(name), value)).filter(|(name, _)| !ignored(name)));
    fields.sort_unstable_by(|a, b| shorter_first(&a.0, &b.0));

    let mut form = Canonical::with_capacity(body.len() + tenant.len() + 64);
    form.out.extend_from_slice(b"hoosh1");
    form.text(tenant.as_bytes());
    form.text(endpoint.as_bytes());
    form.out.push(b'{');
    for (name, value) in &fields {
        form.out.push(b'k');
        form.text(name);
        form.value(*value, body)?;
    }
    form.out.push(b'}');
    Ok(Key(*blake3::hash(&form.out).as_bytes()))
}

fn ignored(name: &[u8]) -> bool {
    IGNORED.iter().any(|(ignored, _)| ignored.as_bytes() == name)
}

/// The order of keys in the canonical form: by length first, because that nearly always decides.
fn shorter_first(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// What a text (without quotes) means.
fn meaning(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    json::unescape_into(&mut out, text, Lone::Keep);
    Cow::Owned(out)
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

/// Where a field of a nested object is in the form.
#[derive(Clone, Copy)]
struct Field {
    start: usize,
    name: usize,
    name_len: usize,
}

impl Field {
    fn name(self, form: &[u8]) -> &[u8] {
        &form[self.name..self.name + self.name_len]
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

    /// Appends a value of `body`. Its depth was checked when it was scanned.
    fn value(&mut self, value: json::Value<'_>, body: &[u8]) -> Result<(), json::Error> {
        let start = value.span_in(body).start;
        match json::walk(body, start, u32::MAX, &mut 0, self) {
            Ok(_) => Ok(()),
            Err(fault) => Err(json::Error { key: self.duplicate.take(), ..fault.into_error(body) }),
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
        let from = self.fields[first].start;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&self.out[from..]);
        let fields = &self.fields[first..];
        let ends = fields.iter().skip(1).map(|next| next.start).chain([self.out.len()]);
        let mut spans: SmallVec<[(Field, usize); 16]> = fields.iter().copied().zip(ends).collect();
        spans.sort_unstable_by(|(a, _), (b, _)| shorter_first(a.name(&self.out), b.name(&self.out)));
        let twice = spans.windows(2).find(|pair| pair[0].0.name(&self.out) == pair[1].0.name(&self.out));
        if let Some([(field, _), _]) = twice {
            self.duplicate = Some(String::from_utf8_lossy(field.name(&self.out)).into_owned());
            return Err(ErrorKind::DuplicateKey);
        }
        self.out.truncate(from);
        for (field, end) in &spans {
            self.out.extend_from_slice(&scratch[field.start - from..end - from]);
        }
        self.scratch = scratch;
        Ok(())
    }
}

impl json::Visit for Canonical {
    #[inline]
    fn key(&mut self, text: &[u8], escaped: bool) {
        let start = self.out.len();
        self.out.push(b'k');
        let name_len = self.json_text(text, escaped);
        self.fields.push(Field { start, name: self.out.len() - name_len, name_len });
    }

    #[inline]
    fn string(&mut self, text: &[u8], escaped: bool) {
        self.out.push(b's');
        self.json_text(text, escaped);
    }

    fn number(&mut self, text: &[u8]) -> Result<(), ErrorKind> {
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

    fn literal(&mut self, first: u8) {
        self.out.push(first);
    }

    #[inline]
    fn open(&mut self, object: bool) {
        if object {
            self.objects.push(self.fields.len());
        }
        self.out.push(if object { b'{' } else { b'[' });
    }

    #[inline]
    fn close(&mut self, object: bool) -> Result<(), ErrorKind> {
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
