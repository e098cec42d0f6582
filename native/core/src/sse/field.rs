//! One line of a block: which field it is, and where its value lies.

use std::ops::Range;

/// A line as the algorithm sees it. The range is the value's place in the line.
pub(super) enum Field {
    Data(Range<usize>),
    Event(Range<usize>),
    Id(Range<usize>),
    Retry(u64),
    /// A comment, an unknown name, or a value that the standard says to ignore.
    Ignored,
}

/// Reads a line that is not empty and has no line end.
#[inline]
pub(super) fn read(line: &[u8]) -> Field {
    // Nearly every line of an inference stream is this one.
    if line.starts_with(b"data:") {
        return Field::Data(value(line, 5));
    }
    let colon = memchr::memchr(b':', line).unwrap_or(line.len());
    let value = value(line, colon + 1);
    match &line[..colon] {
        b"data" => Field::Data(value),
        b"event" => Field::Event(value),
        b"id" if memchr::memchr(0, &line[value.clone()]).is_none() => Field::Id(value),
        b"retry" => retry(&line[value]).map_or(Field::Ignored, Field::Retry),
        _ => Field::Ignored,
    }
}

/// The value begins at `start`, past one space if there is one; a line without colon has an empty value.
#[inline]
pub(super) fn value(line: &[u8], start: usize) -> Range<usize> {
    let start = if line.get(start) == Some(&b' ') { start + 1 } else { start.min(line.len()) };
    start..line.len()
}

/// ASCII digits only, and at least one; more than fits is the largest.
fn retry(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |sum, byte| {
        byte.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
    })
}
