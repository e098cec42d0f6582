//! Where the body of an HTTP/1.1 message ends, and its bytes without their framing.

use std::io;

/// RFC 9112 section 6.3, as far as a benchmark meets it.
pub enum Framing {
    Length(u64),
    Chunked(Chunks),
    /// A response without either: until the connection ends.
    Close,
}

/// What [`Framing::feed`] made of some bytes.
pub struct Fed {
    pub taken: usize,
    pub ended: bool,
}

impl Framing {
    /// By the headers of a message; `default` is what it means that they say nothing.
    pub fn of(headers: &[httparse::Header<'_>], default: Framing) -> io::Result<Self> {
        let mut framing = default;
        for header in headers {
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Ok(Framing::Chunked(Chunks::default()));
            }
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
                framing = Framing::Length(length.ok_or_else(|| malformed("a content-length that is no number"))?);
            }
        }
        Ok(framing)
    }

    /// Takes what belongs to the body, and shows it without framing.
    pub fn feed(&mut self, bytes: &[u8], show: &mut impl FnMut(&[u8])) -> io::Result<Fed> {
        match self {
            Framing::Length(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if taken > 0 {
                    show(&bytes[..taken]);
                }
                Ok(Fed { taken, ended: *left == 0 })
            }
            Framing::Chunked(chunks) => chunks.feed(bytes, show),
            Framing::Close => {
                show(bytes);
                Ok(Fed { taken: bytes.len(), ended: false })
            }
        }
    }
}

/// A place in the chunked coding (RFC 9112 section 7.1).
#[derive(Default)]
pub struct Chunks {
    place: Place,
    size: u64,
}

#[derive(Default, Clone, Copy)]
enum Place {
    #[default]
    Size,
    Extension,
    Data,
    DataEnd,
    /// In the lines after the last chunk; whether the present one is empty so far.
    Trailer {
        empty: bool,
    },
    Ended,
}

impl Chunks {
    fn feed(&mut self, bytes: &[u8], show: &mut impl FnMut(&[u8])) -> io::Result<Fed> {
        let mut at = 0;
        while at < bytes.len() && !matches!(self.place, Place::Ended) {
            if matches!(self.place, Place::Data) {
                let length = (bytes.len() - at).min(usize::try_from(self.size).unwrap_or(usize::MAX));
                show(&bytes[at..at + length]);
                self.size -= length as u64;
                at += length;
                if self.size == 0 {
                    self.place = Place::DataEnd;
                }
            } else {
                self.place = self.control(bytes[at])?;
                at += 1;
            }
        }
        Ok(Fed { taken: at, ended: matches!(self.place, Place::Ended) })
    }

    fn control(&mut self, byte: u8) -> io::Result<Place> {
        Ok(match (self.place, byte) {
            (Place::Size, b'\n') | (Place::Extension, b'\n') => match self.size {
                0 => Place::Trailer { empty: true },
                _ => Place::Data,
            },
            (Place::Size, b';' | b'\r' | b' ') | (Place::Extension, _) => Place::Extension,
            (Place::Size, digit) => {
                let digit =
                    char::from(digit).to_digit(16).ok_or_else(|| malformed("a chunk size that is no number"))?;
                let size = self.size.checked_mul(16).ok_or_else(|| malformed("a chunk of more than 2^64 bytes"))?;
                self.size = size | u64::from(digit);
                Place::Size
            }
            (Place::DataEnd, b'\n') => Place::Size,
            (Place::DataEnd, b'\r') => Place::DataEnd,
            (Place::DataEnd, _) => return Err(malformed("a chunk that is longer than its size")),
            (Place::Trailer { empty: true }, b'\n') => Place::Ended,
            (Place::Trailer { .. }, b'\n') => Place::Trailer { empty: true },
            (Place::Trailer { empty }, b'\r') => Place::Trailer { empty },
            (Place::Trailer { .. }, _) => Place::Trailer { empty: false },
            (place @ (Place::Data | Place::Ended), _) => place,
        })
    }
}

pub fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
