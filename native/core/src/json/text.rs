//! The text of strings: unescaping and comparing.

use std::borrow::Cow;

use bytes::Bytes;

/// What to write for a surrogate that stands alone, which no UTF-8 text can hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lone {
    /// Itself, in the three bytes of WTF-8, so that different texts stay different.
    Keep,
    /// U+FFFD.
    Replace,
}

/// Appends the meaning of `text` (without quotes). Escapes that are not JSON's stay as they are.
pub(crate) fn unescape_into(out: &mut Vec<u8>, text: &[u8], lone: Lone) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let plain = match rest.get(1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => {
                rest = unicode(out, rest, lone);
                continue;
            }
            _ => {
                out.push(b'\\');
                rest = &rest[1..];
                continue;
            }
        };
        out.push(plain);
        rest = &rest[2..];
    }
    out.extend_from_slice(rest);
}

/// Appends the character of the `\u` escape, or pair of them, that `rest` begins with; returns what follows.
fn unicode<'a>(out: &mut Vec<u8>, rest: &'a [u8], lone: Lone) -> &'a [u8] {
    let Some(unit) = unit(rest) else {
        out.push(b'\\');
        return &rest[1..];
    };
    if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (unit, self::unit(&rest[6..])) {
        push(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), lone);
        return &rest[12..];
    }
    push(out, unit, lone);
    &rest[6..]
}

/// The code unit of the `\uXXXX` that `text` begins with.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

fn push(out: &mut Vec<u8>, code: u32, lone: Lone) {
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None if lone == Lone::Replace => out.extend_from_slice("\u{fffd}".as_bytes()),
        None => {
            out.extend_from_slice(&[0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 63) as u8, 0x80 | (code & 63) as u8])
        }
    }
}

/// The meaning of `text` (without quotes), lone surrogates as U+FFFD.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text).is_none() {
        return String::from_utf8_lossy(text);
    }
    let bytes = owned(text, Lone::Replace);
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The meaning of `text` (without quotes) for comparing: each lone surrogate is itself.
pub(crate) fn exact(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(owned(text, Lone::Keep))
}

fn owned(text: &[u8], lone: Lone) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    unescape_into(&mut out, text, lone);
    out
}

/// Whether `text` (without quotes) means `wanted`. An escape is always longer than what it means, and at most six
/// times as long, so that lengths decide nearly always.
#[inline]
pub(super) fn means(text: &[u8], wanted: &[u8]) -> bool {
    if text.len() == wanted.len() {
        return text == wanted && !wanted.contains(&b'\\');
    }
    if text.len() < wanted.len() || text.len() > wanted.len().saturating_mul(6) {
        return false;
    }
    (text[0] == b'\\' || text[0] == wanted[0]) && means_escaped(text, wanted)
}

#[inline(never)]
fn means_escaped(text: &[u8], wanted: &[u8]) -> bool {
    match memchr::memchr(b'\\', text) {
        Some(at) if wanted.starts_with(&text[..at]) => owned(text, Lone::Keep) == wanted,
        _ => false,
    }
}

/// A text with U+FFFD for each of its bytes that are no UTF-8, as browsers read it; `None` where there are none. For what a provider
/// sends: engines that write a token as soon as they have it cut letters in two, and nobody is helped if the rest is given up.
#[cold]
pub(crate) fn mended(text: &[u8]) -> Option<Bytes> {
    match String::from_utf8_lossy(text) {
        Cow::Owned(mended) => Some(Bytes::from(mended)),
        Cow::Borrowed(_) => None,
    }
}
