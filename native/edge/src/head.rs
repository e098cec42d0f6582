//! The head of an answer as it is written, and how the body behind it is framed.

use hoosh_core::http::{write_header, Headers};
use hyper::StatusCode;

use crate::answer::Manner;
use crate::clock::with_date;

/// How a body is framed (RFC 9112, section 6).
pub enum Framing {
    /// So many more bytes.
    Length(u64),
    Chunked,
    /// It ends with the connection.
    UntilEnd,
}

/// Adds a head to `out`. `length`: of the body, where that is known. `None`: it cannot be written.
pub fn write(
    out: &mut Vec<u8>,
    status: u16,
    headers: &Headers,
    manner: &Manner,
    length: Option<u64>,
) -> Option<Framing> {
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    // With what comes beside them, and a short body.
    out.reserve(size + 192 + length.map_or(0, |length| length.min(4 << 10) as usize));
    status_line(out, status, manner.is_old)?;
    // RFC 9110, sections 8.6 and 15: of these not even the length is said.
    let has_none = matches!(status, 100..=199 | 204 | 304);
    let is_empty = has_none || manner.is_head;
    let mut says_length = false;
    for (name, value) in headers {
        if name == "content-length" {
            // That of a body that is not sent is said to HEAD alone.
            if says_length || length == Some(0) && !manner.is_head {
                continue;
            }
            says_length = true;
        }
        write_header(out, name, value)?;
    }
    let framing = match length {
        _ if is_empty => Framing::Length(0),
        Some(length) => Framing::Length(length),
        None if manner.is_old => Framing::UntilEnd,
        None => Framing::Chunked,
    };
    match framing {
        Framing::Length(length) if !says_length && !is_empty => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(_) | Framing::UntilEnd => {}
    }
    if manner.closes && !manner.is_old && status != 101 {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if !headers.iter().any(|(name, _)| name == "date") {
        out.extend_from_slice(b"date: ");
        with_date(|date| out.extend_from_slice(date.as_bytes()));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Some(framing)
}

fn status_line(out: &mut Vec<u8>, status: u16, is_old: bool) -> Option<()> {
    out.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    let status = StatusCode::from_u16(status).ok()?;
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
    Some(())
}

impl Framing {
    /// Adds a piece of the body. `None`: it is longer than was said.
    pub fn add(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
        match self {
            Framing::Length(left) => {
                *left = left.checked_sub(bytes.len() as u64)?;
                out.extend_from_slice(bytes);
            }
            // One of no bytes would be the last.
            Framing::Chunked if bytes.is_empty() => {}
            Framing::Chunked => {
                chunk_size(out, bytes.len());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Framing::UntilEnd => out.extend_from_slice(bytes),
        }
        Some(())
    }

    /// Ends the body. `None`: it is shorter than was said.
    pub fn end(&self, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Framing::Length(left) => return (*left == 0).then_some(()),
            Framing::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
            Framing::UntilEnd => {}
        }
        Some(())
    }

    /// Whether nothing of a body is sent.
    pub fn is_over(&self) -> bool {
        matches!(self, Framing::Length(0))
    }
}

fn chunk_size(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        out.push(b"0123456789abcdef"[size >> (4 * at) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_its_size_in_hexadecimal_digits() {
        for size in [1, 9, 15, 16, 255, 256, 65_536, usize::MAX] {
            let mut out = Vec::new();
            chunk_size(&mut out, size);
            assert_eq!(out, format!("{size:x}\r\n").into_bytes());
        }
    }

    #[test]
    fn a_body_is_as_long_as_was_said() {
        let mut out = Vec::new();
        let mut framing = Framing::Length(3);
        assert!(framing.end(&mut out).is_none());
        framing.add(&mut out, b"abc").unwrap();
        assert!(framing.end(&mut out).is_some());
        assert!(framing.add(&mut out, b"d").is_none());
        assert_eq!(out, b"abc");
    }

    #[test]
    fn an_empty_piece_does_not_end_a_body_in_chunks() {
        let mut out = Vec::new();
        let mut framing = Framing::Chunked;
        framing.add(&mut out, b"").unwrap();
        framing.add(&mut out, b"0123456789abcdef").unwrap();
        framing.end(&mut out).unwrap();
        assert_eq!(out, b"10\r\n0123456789abcdef\r\n0\r\n\r\n");
    }
}
