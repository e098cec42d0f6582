//! The grammar of RFC 8259, once: primitives that go from a position to the next.
//!
//! A primitive takes a position and returns the one after what it read, or `Err` with the offending position; both fit
//! in registers. Positions never pass the end of the text.

use super::error::{ErrorKind, Fault};

/// Where a primitive ended, or where it failed.
pub(super) type Step = Result<usize, usize>;

const ONES: u64 = u64::MAX / 255;
/// The top bit of each byte of a word: set in [`string`]'s `high` where a byte is not ASCII.
pub(super) const HIGHS: u64 = ONES << 7;

/// Marks (by its top bit) each byte that ends a plain run: a quote, a backslash or a control character. Borrows can
/// mark bytes above the lowest marked one wrongly, so only the lowest mark may be used.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    (quote | backslash | control) & !word & HIGHS
}

/// The word at `pos`, if that many bytes are left.
#[inline(always)]
pub(super) fn word_at(bytes: &[u8], pos: usize) -> Option<u64> {
    bytes.get(pos..).and_then(|rest| rest.first_chunk::<8>()).map(|chunk| u64::from_le_bytes(*chunk))
}

/// Skips white space.
#[inline(always)]
pub(super) fn space(bytes: &[u8], mut pos: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(pos) {
        pos += 1;
    }
    pos
}

/// Reads a string whose opening quote is before `pos`, up to after its closing quote. Collects into `high` whether a
/// byte was not ASCII, and sets `escaped` at a backslash.
#[inline(always)]
pub(super) fn string(bytes: &[u8], mut pos: usize, high: &mut u64, escaped: &mut bool) -> Step {
    loop {
        if let Some(word) = word_at(bytes, pos) {
            *high |= word;
            let marks = specials(word);
            if marks == 0 {
                pos += 8;
                continue;
            }
            pos += (marks.trailing_zeros() >> 3) as usize;
        } else {
            pos = plain_tail(bytes, pos, high);
        }
        match bytes.get(pos) {
            Some(b'"') => return Ok(pos + 1),
            Some(b'\\') => {
                *escaped = true;
                pos = escape(bytes, pos)?;
            }
            _ => return Err(pos),
        }
    }
}

/// [`string`]'s plain run where fewer than eight bytes are left.
#[inline(never)]
fn plain_tail(bytes: &[u8], mut pos: usize, high: &mut u64) -> usize {
    while let Some(&byte) = bytes.get(pos) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        *high |= u64::from(byte);
        pos += 1;
    }
    pos
}

/// Reads one escape, from its backslash. Surrogates may stand alone: RFC 8259 section 8.2 leaves them to the reader.
#[inline]
fn escape(bytes: &[u8], pos: usize) -> Step {
    match bytes.get(pos + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(pos + 2),
        Some(b'u') => {
            for digit in pos + 2..pos + 6 {
                if !bytes.get(digit).is_some_and(u8::is_ascii_hexdigit) {
                    return Err(digit.min(bytes.len()));
                }
            }
            Ok(pos + 6)
        }
        _ => Err(pos + 1),
    }
}

#[inline(always)]
fn digits(bytes: &[u8], mut pos: usize) -> usize {
    while bytes.get(pos).is_some_and(u8::is_ascii_digit) {
        pos += 1;
    }
    pos
}

/// At least one digit.
#[inline]
fn some_digits(bytes: &[u8], pos: usize) -> Step {
    let end = digits(bytes, pos);
    if end == pos {
        Err(pos)
    } else {
        Ok(end)
    }
}

/// Reads a number. What follows it is the caller's to judge.
#[inline]
pub(super) fn number(bytes: &[u8], pos: usize) -> Step {
    let pos = if bytes.get(pos) == Some(&b'-') { pos + 1 } else { pos };
    let mut end = match bytes.get(pos) {
        Some(b'0') => pos + 1,
        _ => some_digits(bytes, pos)?,
    };
    if bytes.get(end) == Some(&b'.') {
        end = some_digits(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        end += 1;
        if let Some(b'+' | b'-') = bytes.get(end) {
            end += 1;
        }
        end = some_digits(bytes, end)?;
    }
    Ok(end)
}

/// Reads `word`, whose first byte is known to be at `pos`.
#[inline(always)]
fn literal(bytes: &[u8], pos: usize, word: &[u8]) -> Step {
    if bytes.get(pos..pos + word.len()) == Some(word) {
        return Ok(pos + word.len());
    }
    let rest = bytes.get(pos..).unwrap_or_default();
    Err(pos + rest.iter().zip(word).take_while(|(a, b)| a == b).count())
}

/// Reads a key and its colon, up to its value. Returns the end of the key (after its quote) and the value's start.
#[inline(always)]
pub(super) fn key(bytes: &[u8], pos: usize, high: &mut u64, escaped: &mut bool) -> Result<(usize, usize), usize> {
    if bytes.get(pos) != Some(&b'"') {
        return Err(pos);
    }
    let end = string(bytes, pos + 1, high, escaped)?;
    let colon = space(bytes, end);
    if bytes.get(colon) != Some(&b':') {
        return Err(colon);
    }
    Ok((end, space(bytes, colon + 1)))
}

/// Reads `null`, `true` or `false`.
#[inline(always)]
pub(super) fn word(bytes: &[u8], pos: usize, first: u8) -> Step {
    match first {
        b'n' => literal(bytes, pos, b"null"),
        b't' => literal(bytes, pos, b"true"),
        b'f' => literal(bytes, pos, b"false"),
        _ => Err(pos),
    }
}

/// What remains to be checked once the grammar is: nothing but white space from `pos`, and UTF-8 if a byte was not
/// ASCII. Bytes outside strings are ASCII by grammar, so that the whole text is UTF-8 exactly if each string is.
#[inline]
pub(super) fn finish(bytes: &[u8], pos: usize, high: u64) -> Result<(), Fault> {
    let end = space(bytes, pos);
    if end < bytes.len() {
        return Err(Fault { at: end, kind: ErrorKind::Trailing });
    }
    if high & HIGHS != 0 {
        std::str::from_utf8(bytes).map_err(|error| Fault { at: error.valid_up_to(), kind: ErrorKind::Utf8 })?;
    }
    Ok(())
}
