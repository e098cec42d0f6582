//! The bytes of a model file, mapped into memory.

use std::fs::{self, File, FileType};
use std::ops::Deref;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

use super::error::FileError;

/// Where the bytes of a model are.
pub(crate) enum Contents {
    Mapped(Mmap),
    Held(Bytes),
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Contents::Mapped(map) => map,
            Contents::Held(bytes) => bytes,
        }
    }
}

/// Maps `path` for reading.
///
/// Only a regular file is opened: opening a FIFO waits for a writer for ever, and a device has no length.
pub(crate) fn map(path: &Path) -> Result<Contents, FileError> {
    let failed = |error| FileError::Io { doing: format!("the model file {} cannot be read", path.display()), error };
    let kind = fs::metadata(path).map_err(failed)?.file_type();
    regular(path, kind)?;
    let file = File::open(path).map_err(failed)?;
    // Asked again of what was opened: the name may have come to mean something else in between.
    let found = file.metadata().map_err(failed)?;
    regular(path, found.file_type())?;
    if found.len() == 0 {
        return Ok(Contents::Held(Bytes::new()));
    }
    // SAFETY: the map is read-only and private to this process's reading. What Rust cannot promise is that nobody else
    // writes to the file meanwhile: changed bytes would be read as other weights, never as other lengths, since all
    // lengths were copied and checked when the file was opened; a file that is cut off under the map raises SIGBUS, as it
    // does in every program that maps its models. Replacing a model by renaming a new file over it is safe.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
    Ok(Contents::Mapped(map))
}

fn regular(path: &Path, kind: FileType) -> Result<(), FileError> {
    if kind.is_file() {
        return Ok(());
    }
    let path = path.display();
    Err(FileError::NotGguf(if kind.is_dir() {
        format!("{path} is a folder, not a model file")
    } else {
        format!("{path} is a pipe, a socket or a device; a model has to be a regular file")
    }))
}
