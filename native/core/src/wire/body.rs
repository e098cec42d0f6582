//! Chunked bodies: given on with bare chunk headers, so that no parser behind can read an extension in its own way.

use super::{head, malformed};
use crate::error::Failure;

/// Longest line of a chunk's size with its extension, and longest trailer section. Extensions are said by nobody who
/// calls an API; a few hundred bytes of trailers (checksums, gRPC habits) are.
const MAX_LINE: usize = 256;
const MAX_TRAILERS: usize = 8 << 10;

/// A chunked body on its way (RFC 9112 section 7.1).
pub(super) struct Chunks {
    part: Part,
    /// Only the bytes of chunks are given on.
    bare: bool,
}

enum Part {
    /// The line with a chunk's size.
    Size,
    /// Bytes of a chunk that are to come.
    Data(u64),
    /// The CRLF behind a chunk.
    DataEnd,
    /// After the last chunk; how many bytes of trailers were dropped.
    Trailers(usize),
    Ended,
}

impl Chunks {
    pub(super) fn new(bare: bool) -> Self {
        Chunks { part: Part::Size, bare }
    }

    /// Writes what frames chunks.
    fn frame(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        if !self.bare {
            out.extend_from_slice(bytes);
        }
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.part, Part::Ended)
    }

    /// What ends the body for a parser that has been given all that `pass` wrote.
    pub(super) fn ending(&self) -> &'static [u8] {
        match self.part {
            Part::DataEnd => b"\r\n0\r\n\r\n",
            Part::Trailers(_) => b"\r\n",
            _ => b"0\r\n\r\n",
        }
    }

    /// Reads from `input`, writes to `out` what may be given on, and says how much was read; the rest is not whole yet,
    /// or wrong, and then found wrong again if it is given again.
    pub(super) fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Result<(), Failure>) {
        let mut at = 0;
        loop {
            match self.part(&input[at..], out) {
                Ok(Some(size)) => at += size,
                Ok(None) => return (at, Ok(())),
                Err(failure) => return (at, Err(failure)),
            }
        }
    }

    /// One part of `pass`; `None`: it is not whole yet, or there is no more.
    fn part(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, Failure> {
        match &mut self.part {
            Part::Size => {
                let Some(line) = line(rest, MAX_LINE, "a chunk's size line is longer than 256 bytes")? else {
                    return Ok(None);
                };
                let size = chunk_size(line)?;
                let length = line.len() + 2;
                self.frame(out, format!("{size:x}\r\n").as_bytes());
                self.part = if size == 0 { Part::Trailers(0) } else { Part::Data(size) };
                Ok(Some(length))
            }
            Part::Data(left) => {
                let size = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                out.extend_from_slice(&rest[..size]);
                *left -= size as u64;
                if *left == 0 {
                    self.part = Part::DataEnd;
                }
                Ok((size > 0).then_some(size))
            }
            Part::DataEnd if rest.len() < 2 && b"\r".starts_with(rest) => Ok(None),
            Part::DataEnd if !rest.starts_with(b"\r\n") => Err(malformed("a chunk is not followed by CRLF")),
            Part::DataEnd => {
                self.frame(out, b"\r\n");
                self.part = Part::Size;
                Ok(Some(2))
            }
            Part::Trailers(dropped) => {
                let most = MAX_TRAILERS.saturating_sub(*dropped);
                let Some(line) = line(rest, most, "its trailers are longer than 8 KiB")? else { return Ok(None) };
                *dropped += line.len() + 2;
                if line.is_empty() {
                    self.frame(out, b"\r\n");
                    self.part = Part::Ended;
                } else {
                    head::field(line)?;
                }
                Ok(Some(line.len() + 2))
            }
            Part::Ended => Ok(None),
        }
    }
}

/// The first line of `input` without its CRLF; `None`: it is not whole.
fn line<'a>(input: &'a [u8], most: usize, long: &str) -> Result<Option<&'a [u8]>, Failure> {
    match memchr::memchr2(b'\r', b'\n', input) {
        Some(end) if end > most => Err(malformed(long)),
        None if input.len() > most => Err(malformed(long)),
        None => Ok(None),
        Some(end) if input[end] == b'\n' => Err(malformed("a line of a chunked body ends in LF without CR")),
        Some(end) => match input.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some(&input[..end])),
            Some(_) => Err(malformed("a line of a chunked body holds a CR")),
        },
    }
}

/// Hexadecimal digits, then nothing or an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Failure> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    if !(1..=15).contains(&digits) {
        return Err(malformed("a chunk's size is not a hexadecimal number"));
    }
    // RFC 9112 section 7.1.1: white space belongs to an extension, before its semicolon.
    let (white, extension) = extension.split_at(extension.len() - extension.trim_ascii_start().len());
    let clean = extension.iter().all(|&b| b == b'\t' || (0x20..0x7f).contains(&b));
    if !(extension.is_empty() && white.is_empty() || extension.starts_with(b";")) || !clean {
        return Err(malformed("a chunk's size is followed by something else than an extension"));
    }
    Ok(size.iter().fold(0, |sum, &b| sum * 16 + u64::from((b as char).to_digit(16).unwrap_or(0))))
}
