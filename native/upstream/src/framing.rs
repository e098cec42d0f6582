//! Where the body of an answer ends (RFC 9112, section 6).

use bytes::{Buf, Bytes, BytesMut};

/// Longest line of a chunk's size with its extension, and longest trailer section, bytes.
const MAX_LINE: usize = 16 << 10;

/// How a body goes on.
#[derive(Debug)]
pub enum Framing {
    /// So many more bytes.
    Length(u64),
    /// In chunks.
    Chunked(Part),
    /// Up to the end of the connection.
    UntilEnd,
}

/// What comes next of a body in chunks.
#[derive(Debug)]
pub enum Part {
    /// The line with a chunk's size.
    Size,
    /// Bytes of a chunk.
    Data(u64),
    /// The CRLF behind a chunk.
    DataEnd,
    /// After the last chunk; how many bytes of trailers were dropped.
    Trailers(usize),
    /// Nothing.
    Ended,
}

/// What there is of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of it.
    Data(Bytes),
    /// Its end.
    End,
    /// More of it must come, or be wanted.
    More,
}

/// It is framed as nothing is.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl Framing {
    /// A body in chunks, before its first.
    pub fn chunked() -> Framing {
        Framing::Chunked(Part::Size)
    }

    /// The next piece of the body that `input` goes on with, of `most` bytes.
    pub fn next(&mut self, input: &mut BytesMut, most: usize) -> Result<Piece, Malformed> {
        match self {
            Framing::Length(0) => Ok(Piece::End),
            Framing::Length(left) => Ok(data(input, left, most)),
            Framing::UntilEnd => {
                let mut left = u64::MAX;
                Ok(data(input, &mut left, most))
            }
            Framing::Chunked(part) => loop {
                if let Some(piece) = part.step(input, most)? {
                    return Ok(piece);
                }
            },
        }
    }
}

/// What there is of `left` bytes.
fn data(input: &mut BytesMut, left: &mut u64, most: usize) -> Piece {
    let size = input.len().min(most).min(usize::try_from(*left).unwrap_or(usize::MAX));
    if size == 0 {
        return Piece::More;
    }
    *left -= size as u64;
    Piece::Data(input.split_to(size).freeze())
}

impl Part {
    /// One part; `None`: it was read, and another follows.
    fn step(&mut self, input: &mut BytesMut, most: usize) -> Result<Option<Piece>, Malformed> {
        match self {
            Part::Size => {
                let Some(length) = line(input, MAX_LINE)? else {
                    let is_size = input.first().is_none_or(u8::is_ascii_hexdigit);
                    return if is_size { Ok(Some(Piece::More)) } else { Err(Malformed) };
                };
                let size = chunk_size(&input[..length])?;
                input.advance(length + 2);
                *self = if size == 0 { Part::Trailers(0) } else { Part::Data(size) };
            }
            Part::Data(0) => *self = Part::DataEnd,
            Part::Data(left) => return Ok(Some(data(input, left, most))),
            Part::DataEnd => match input[..] {
                [] | [b'\r'] => return Ok(Some(Piece::More)),
                [b'\r', b'\n', ..] => {
                    input.advance(2);
                    *self = Part::Size;
                }
                _ => return Err(Malformed),
            },
            Part::Trailers(dropped) => {
                let Some(length) = line(input, MAX_LINE - *dropped)? else { return Ok(Some(Piece::More)) };
                input.advance(length + 2);
                *dropped = (*dropped + length + 2).min(MAX_LINE);
                if length == 0 {
                    *self = Part::Ended;
                }
            }
            Part::Ended => return Ok(Some(Piece::End)),
        }
        Ok(None)
    }
}

/// How long the first line of `input` is without its CRLF; `None`: it is not whole.
fn line(input: &[u8], most: usize) -> Result<Option<usize>, Malformed> {
    match memchr::memchr(b'\n', input) {
        None if input.len() > most => Err(Malformed),
        None => Ok(None),
        Some(lf) if lf == 0 || lf - 1 > most || input[lf - 1] != b'\r' => Err(Malformed),
        Some(lf) => Ok(Some(lf - 1)),
    }
}

/// Hexadecimal digits, then nothing or an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    let extension = extension.trim_ascii_start();
    if !(1..=16).contains(&digits) || !(extension.is_empty() || extension.starts_with(b";")) {
        return Err(Malformed);
    }
    Ok(size.iter().fold(0, |sum, &b| sum << 4 | u64::from((b as char).to_digit(16).unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that `text` says, put in pieces of `size` bytes.
    fn read(text: &str, size: usize) -> Result<(String, bool), Malformed> {
        let (mut framing, mut input, mut said) = (Framing::chunked(), BytesMut::new(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            input.extend_from_slice(piece);
            loop {
                match framing.next(&mut input, 3)? {
                    Piece::Data(bytes) => said.extend_from_slice(&bytes),
                    Piece::More => break,
                    Piece::End => return Ok((String::from_utf8(said).unwrap(), true)),
                }
            }
        }
        Ok((String::from_utf8(said).unwrap(), false))
    }

    #[test]
    fn chunks_are_the_same_however_they_come() {
        let text = "5\r\nhello\r\n0A ;a=\"b\"\r\n, world!!!\r\n00\r\nx-a: 1\r\n\r\n";
        for size in 1..=text.len() {
            assert_eq!(read(text, size), Ok(("hello, world!!!".into(), true)), "{size}");
            assert_eq!(read(&text[..text.len() - 1], size), Ok(("hello, world!!!".into(), false)), "{size}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_malformed() {
        let long = format!("5;{}\r\n", "a".repeat(20 << 10));
        let trailers = format!("0\r\n{}\r\n", "x: 1\r\n".repeat(4_000));
        let texts =
            ["\n", "5\nhello\r\n", "g", "5 x\r\n", "2\r\nokk", "11111111111111111\r\n", "\r\n", &long, &trailers];
        for text in texts {
            for size in [1, text.len()] {
                assert_eq!(read(text, size), Err(Malformed), "{text:.20?} by {size}");
            }
        }
    }

    #[test]
    fn nothing_is_given_that_is_not_wanted() {
        let mut input = BytesMut::from("5\r\nhello\r\n0\r\n\r\n");
        let mut framing = Framing::chunked();
        assert_eq!(framing.next(&mut input, 0), Ok(Piece::More));
        assert_eq!(framing.next(&mut input, 9), Ok(Piece::Data("hello".into())));
        assert_eq!(framing.next(&mut input, 0), Ok(Piece::End));
    }
}
