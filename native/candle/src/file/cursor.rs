//! Reads little-endian values off a slice, and never past its end.

use super::error::{shown, FileError};

/// A place in the bytes of a file.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error at this place.
    pub fn wrong(&self, problem: impl Into<String>) -> FileError {
        FileError::Malformed { offset: self.at as u64, problem: problem.into() }
    }

    pub fn u32(&mut self) -> Result<u32, FileError> {
        self.fixed().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, FileError> {
        self.fixed().map(u64::from_le_bytes)
    }

    /// A count of things that take `least` bytes each at the least. One that cannot fit in what is left of the file is
    /// refused here, before anything is allocated for it.
    pub fn count(&mut self, of: &str, least: usize) -> Result<usize, FileError> {
        let count = self.u64()?;
        let fits = (self.left() / least) as u64;
        if count > fits {
            return Err(self.wrong(format!("it claims {count} {of}, and the bytes left hold {fits} at most")));
        }
        Ok(count as usize)
    }

    /// A string. GGUF asks for UTF-8, but vocabularies with broken entries are about: bytes that are none are replaced,
    /// as other readers do.
    pub fn string(&mut self) -> Result<String, FileError> {
        let length = self.count("bytes of text", 1)?;
        Ok(String::from_utf8_lossy(self.bytes(length)?).into_owned())
    }

    /// The name of an entry or a tensor. `longest` is what the format allows.
    pub fn name(&mut self, longest: usize) -> Result<String, FileError> {
        let name = self.string()?;
        if name.is_empty() || name.len() > longest {
            return Err(self.wrong(format!("a name has {} bytes ({}), not 1 to {longest}", name.len(), shown(&name))));
        }
        Ok(name)
    }

    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], FileError> {
        if length > self.left() {
            return Err(self.wrong(format!("it ends here, {} bytes short of what it announces", length - self.left())));
        }
        let bytes = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut value = [0; N];
        value.copy_from_slice(self.bytes(N)?);
        Ok(value)
    }
}
