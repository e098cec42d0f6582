//! Models in folders, as Hugging Face lays them out: `config.json`, `tokenizer.json`, and weights in safetensors, in one file
//! or in several that `model.safetensors.index.json` lists.
//!
//! The files of a folder are as hostile as any model file: each is regular and within bounds, and a name that one of them
//! gives is looked for in the folder alone.

mod shards;
pub(crate) mod talker;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::Deserialize;

use crate::file::FileError;

pub use shards::Shards;

/// The largest of the small files, bytes: real ones have a few thousand.
const CONFIG_BYTES: u64 = 1 << 20;
/// The largest `tokenizer.json`: Gemma's, of 256,000 tokens, has 33 MB.
const TOKENIZER_BYTES: u64 = 64 << 20;

/// The file that says what a model is.
const CONFIG: &str = "config.json";

/// A model in a folder: its weights where they lie, and its other files.
pub struct ModelFolder {
    path: PathBuf,
    config: Vec<u8>,
    weights: Shards,
}

impl ModelFolder {
    /// Whether `path` is to be opened here: a folder, or a file of weights in one.
    pub fn is_meant(path: &Path) -> bool {
        path.is_dir() || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"))
    }

    /// Opens the folder `path`, or the one that the file of weights `path` lies in, of which only that file is read then. The
    /// weights have to stay as they are while they are read; see [`ModelFile::open`](crate::file::ModelFile::open).
    pub fn open(path: &Path) -> Result<ModelFolder, FileError> {
        let is_folder = path.is_dir();
        let folder = match path.parent() {
            Some(parent) if !is_folder => parent.to_owned(),
            _ => path.to_owned(),
        };
        let Some(config) = read(&folder, CONFIG, CONFIG_BYTES)? else {
            return Err(FileError::part(CONFIG, format!("is missing in {}", folder.display())));
        };
        let weights = if is_folder { Shards::of_folder(&folder)? } else { Shards::of_files(&[path.to_owned()])? };
        Ok(ModelFolder { path: folder, config, weights })
    }

    /// The word that says what kind of model it is.
    pub fn model_type(&self) -> Result<Option<String>, FileError> {
        #[derive(Deserialize)]
        struct Kind {
            model_type: Option<String>,
        }
        Ok(self.config::<Kind>()?.model_type)
    }

    /// What `config.json` says.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, FileError> {
        parse(CONFIG, &self.config)
    }

    /// What the file `name` says, if there is one.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FileError> {
        read(&self.path, name, CONFIG_BYTES)?.map(|bytes| parse(name, &bytes)).transpose()
    }

    /// The vocabulary's file.
    pub fn tokenizer_json(&self) -> Result<Vec<u8>, FileError> {
        const NAME: &str = "tokenizer.json";
        read(&self.path, NAME, TOKENIZER_BYTES)?.ok_or_else(|| {
            let help =
                "is missing; save the model's tokenizer with a \"fast\" tokenizer of transformers, which writes it";
            FileError::part(NAME, help)
        })
    }

    /// Its weights.
    pub fn weights(&self) -> &Shards {
        &self.weights
    }

    /// The weights `name` beside those of the model itself: of a layer that has a folder of its own.
    pub fn more_weights(&self, name: &str) -> Result<Shards, FileError> {
        Shards::of_files(&[inside(&self.path, name)?])
    }
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, FileError> {
    serde_json::from_slice(bytes).map_err(|error| FileError::part(name, format!("cannot be read: {error}")))
}

/// The bytes of the file `name` in `folder`, if there is one, of `most` bytes at most.
fn read(folder: &Path, name: &str, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    let path = inside(folder, name)?;
    let failed = |error| FileError::Io { doing: format!("{} cannot be read", path.display()), error };
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        // Opening a FIFO waits for a writer for ever.
        Ok(found) if !found.is_file() => return Err(FileError::part(name, "is no regular file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(&path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(FileError::part(name, format!("is larger than {most} bytes, which no such file is")));
    }
    Ok(Some(bytes))
}

/// The path of `name` in `folder`, which does not lead out of it.
fn inside(folder: &Path, name: &str) -> Result<PathBuf, FileError> {
    let path = Path::new(name);
    let stays = path.components().all(|component| matches!(component, Component::Normal(_)));
    match stays && path.components().next().is_some() {
        true => Ok(folder.join(path)),
        false => Err(FileError::part(name, "is named in the model's folder and lies outside of it")),
    }
}
