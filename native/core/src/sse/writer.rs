//! Writes an event stream.

/// An event type or id that cannot be written, because it holds a CR, LF or NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// `event` or `id`.
    pub field: &'static str,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the `{}` of an event must not contain CR, LF or NUL", self.field)
    }
}

impl std::error::Error for FieldError {}

/// Appends one event, with its blank line, to `out`. Data may have several lines; CR and CRLF in it arrive as LF,
/// because the format knows no other line end inside data. Written in the order `event`, `id`, `data`.
///
/// # Errors
/// When `event` or `id` holds a CR, LF or NUL; then nothing is written.
pub fn write_event(out: &mut Vec<u8>, event: Option<&str>, id: Option<&str>, data: &str) -> Result<(), FieldError> {
    let fields = [("event", event), ("id", id)];
    for (field, value) in fields {
        if value.is_some_and(|value| value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0))) {
            return Err(FieldError { field });
        }
    }
    out.reserve(data.len() + 16);
    for (field, value) in fields {
        if let Some(value) = value {
            write_line(out, field, value.as_bytes());
        }
    }
    let mut rest = data.as_bytes();
    while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
        write_line(out, "data", &rest[..end]);
        let line_end = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + line_end..];
    }
    write_line(out, "data", rest);
    out.push(b'\n');
    Ok(())
}

/// The space after the colon keeps a space at the start of the value.
fn write_line(out: &mut Vec<u8>, field: &str, value: &[u8]) {
    out.extend_from_slice(field.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}
