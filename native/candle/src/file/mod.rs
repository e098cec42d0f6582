//! Model files in GGUF: mapped, and checked from the first byte to the last tensor's end before anything is used.
//!
//! The reader is hoosh's own. Candle's reads through `Read` into trees of values and leaves it to the caller to trust the
//! file; here every count is held against the bytes that are left before memory is asked for, so that reading a file never
//! takes more than a small multiple of its size, and a damaged or hostile one gives an error that says where.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod cursor;
mod directory;
mod error;
mod kinds;
mod map;
mod metadata;
mod sniff;
mod value;
mod weights;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use candle_core::quantized::GgmlDType;

use cursor::Cursor;
use directory::Directory;

pub use error::FileError;
pub use metadata::Metadata;

pub(crate) use directory::TensorEntry;
pub(crate) use error::shown;
pub(crate) use map::{map, Contents};
pub(crate) use value::Value;

/// A model file: its metadata, and its tensors where they lie. Cheap to clone.
#[derive(Clone)]
pub struct ModelFile {
    inner: Arc<Inner>,
}

struct Inner {
    /// The file; of a model in a folder all files of weights.
    contents: Vec<Contents>,
    metadata: Metadata,
    directory: Directory,
}

/// A tensor as it is stored.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// How its elements are stored.
    pub dtype: GgmlDType,
    /// Rows first, as Candle has it.
    pub shape: Vec<usize>,
    /// Its bytes in the file.
    pub data: &'a [u8],
}

impl ModelFile {
    /// Maps the file at `path` and checks it.
    ///
    /// The file has to stay as it is while it is used. To replace a model, write a new file and rename it over the old
    /// one: cutting off or overwriting a mapped file changes the weights under the computation, and a read past its new
    /// end stops the process (SIGBUS), which no program can prevent for files that it maps.
    pub fn open(path: &Path) -> Result<ModelFile, FileError> {
        ModelFile::checked(map(path)?)
    }

    /// The same of bytes in memory, such as a model that is part of the program.
    pub fn from_bytes(bytes: Bytes) -> Result<ModelFile, FileError> {
        ModelFile::checked(Contents::Held(bytes))
    }

    fn checked(contents: Contents) -> Result<ModelFile, FileError> {
        let (metadata, directory) = read(&contents)?;
        Ok(ModelFile { inner: Arc::new(Inner { contents: vec![contents], metadata, directory }) })
    }

    /// A model that is no GGUF, told in the words of one: `tensors` lie in `contents`, within them.
    pub(crate) fn assembled(
        contents: Vec<Contents>,
        metadata: Metadata,
        tensors: Vec<TensorEntry>,
    ) -> Result<ModelFile, FileError> {
        let directory = Directory::of(tensors)?;
        Ok(ModelFile { inner: Arc::new(Inner { contents, metadata, directory }) })
    }

    /// What the file says about its model.
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// The names of its tensors, in the order of the file.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> + '_ {
        self.inner.directory.entries().iter().map(|entry| entry.name.as_str())
    }

    /// Whether it has a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.inner.directory.get(name).is_some()
    }

    /// The tensor `name`.
    pub fn tensor(&self, name: &str) -> Result<Tensor<'_>, FileError> {
        let entry = self.inner.directory.get(name).ok_or_else(|| {
            FileError::tensor(
                name,
                "is missing; is the file of another architecture than it says, or a part of a split model?",
            )
        })?;
        Ok(Tensor {
            dtype: entry.dtype,
            shape: entry.shape.clone(),
            data: &self.inner.contents[entry.file][entry.bytes.clone()],
        })
    }

    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        self.inner.directory.entries().iter().map(|entry| entry.bytes.len() as u64).sum()
    }

    /// How most of its weights are stored, in the words of `general.file_type`: `Q4_K_M`, `Q8_0`, `F16`.
    pub fn file_type(&self) -> Option<String> {
        let number = self.metadata().opt_u32("general.file_type").ok().flatten()?;
        kinds::file_type(number).map(str::to_owned)
    }
}

fn read(bytes: &[u8]) -> Result<(Metadata, Directory), FileError> {
    sniff::check(bytes)?;
    let mut cursor = Cursor::new(bytes);
    cursor.bytes(4)?;
    version(&mut cursor)?;
    let tensors = cursor.u64()?;
    let entries = cursor.u64()?;
    let metadata = Metadata::read(&mut cursor, entries)?;
    let directory = Directory::read(&mut cursor, tensors, &metadata, bytes.len())?;
    Ok((metadata, directory))
}

fn version(cursor: &mut Cursor<'_>) -> Result<(), FileError> {
    let version = cursor.u32()?;
    match version {
        2 | 3 => Ok(()),
        1 => Err(FileError::Unsupported(
            "the file is in GGUF version 1, of August 2023; convert the model again with a newer tool".into(),
        )),
        _ if version & 0xffff == 0 => Err(FileError::Unsupported(
            "the file is in big-endian GGUF, for other processors; use the ordinary, little-endian file".into(),
        )),
        _ => Err(FileError::Unsupported(format!(
            "the file is in GGUF version {version}, and versions 2 and 3 are read; a newer hoosh may read it"
        ))),
    }
}
