//! Weights in safetensors: mapped, and checked before anything is used.
//!
//! The header is read by the library that defines the format, which holds its length, and every offset, shape and type
//! that it names, against the bytes that are there.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::decoder::DecoderError;
use crate::file::{map, Contents, FileError};

/// Weights in one file.
const SINGLE: &str = "model.safetensors";
/// What lists the files of weights in several.
const INDEX: &str = "model.safetensors.index.json";
/// The largest of these lists: it names each tensor once.
const INDEX_BYTES: u64 = 16 << 20;
/// Files of one model; the largest published ones have some 200.
const MOST_FILES: usize = 1024;
/// What safetensors begin with: the header's length.
const LENGTH_BYTES: usize = 8;

/// The tensors of one or more files.
#[derive(Default)]
pub struct Shards {
    files: Vec<Mapped>,
    /// Of each tensor its file.
    places: HashMap<String, usize>,
}

struct Mapped {
    contents: Contents,
    metadata: Metadata,
    /// Where the header ends and tensors begin.
    data: usize,
}

/// Where a tensor lies.
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Range<usize>,
}

#[derive(Deserialize)]
struct List {
    weight_map: HashMap<String, String>,
}

impl Shards {
    /// Those of a model's folder.
    pub(super) fn of_folder(folder: &Path) -> Result<Shards, FileError> {
        if folder.join(SINGLE).exists() {
            return Shards::of_files(&[folder.join(SINGLE)]);
        }
        let Some(list) = super::read(folder, INDEX, INDEX_BYTES)? else { return Err(no_weights(folder)) };
        let list: List = super::parse(INDEX, &list)?;
        let names: BTreeSet<&str> = list.weight_map.values().map(String::as_str).collect();
        if names.len() > MOST_FILES {
            return Err(FileError::part(INDEX, format!("names {} files, and {MOST_FILES} are the most", names.len())));
        }
        let paths: Result<Vec<PathBuf>, FileError> =
            names.into_iter().map(|name| super::inside(folder, name)).collect();
        Shards::of_files(&paths?)
    }

    pub(super) fn of_files(paths: &[PathBuf]) -> Result<Shards, FileError> {
        let mut shards = Shards { files: Vec::with_capacity(paths.len()), places: HashMap::new() };
        for path in paths {
            let mapped = Mapped::open(path)?;
            for name in mapped.metadata.offset_keys() {
                if shards.places.insert(name.clone(), shards.files.len()).is_some() {
                    return Err(FileError::tensor(&name, "is in two of the model's files"));
                }
            }
            shards.files.push(mapped);
        }
        Ok(shards)
    }

    /// Whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Each tensor's name and where it lies.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, Place)> {
        self.places.iter().filter_map(|(name, &file)| {
            let mapped = &self.files[file];
            let info = mapped.metadata.info(name)?;
            let (start, end) = info.data_offsets;
            let bytes = mapped.data + start..mapped.data + end;
            Some((name.as_str(), Place { file, dtype: info.dtype, shape: info.shape.clone(), bytes }))
        })
    }

    /// The files themselves, in the order by which places name them.
    pub(super) fn into_contents(self) -> Vec<Contents> {
        self.files.into_iter().map(|file| file.contents).collect()
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.metadata.data_len() as u64).sum()
    }

    /// Numbers in all tensors.
    pub fn numbers(&self) -> u64 {
        self.infos().map(|info| info.shape.iter().product::<usize>() as u64).sum()
    }

    /// How most of the weights are stored, as it is called of GGUF files.
    pub fn file_type(&self) -> Option<String> {
        let largest = self.infos().max_by_key(|info| info.data_offsets.1 - info.data_offsets.0)?;
        Some(format!("{:?}", largest.dtype).to_uppercase())
    }

    fn infos(&self) -> impl Iterator<Item = &TensorInfo> {
        let of = |(name, file): (&String, &usize)| self.files[*file].metadata.info(name);
        self.places.iter().filter_map(of)
    }

    /// The tensor `name`, which has to have the shape `expected`, as floats of 32 bits.
    pub fn floats(&self, name: &str, expected: &[usize], device: &Device) -> Result<Tensor, DecoderError> {
        let place = self.places.get(name).map(|file| &self.files[*file]);
        let found = place.and_then(|file| file.metadata.info(name).map(|info| (file, info)));
        let (file, info) = found.ok_or_else(|| FileError::tensor(name, "is missing"))?;
        if info.shape != expected {
            let (expected, found) = (expected.to_vec(), info.shape.clone());
            return Err(DecoderError::Shape { name: name.to_owned(), expected, found });
        }
        let dtype = match info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                let problem = format!("is stored as {other:?}, and weights are read as F32, F16 and BF16");
                return Err(FileError::tensor(name, problem).into());
            }
        };
        let (start, end) = info.data_offsets;
        let bytes = &file.contents[file.data + start..file.data + end];
        Ok(Tensor::from_raw_buffer(bytes, dtype, expected, device)?.to_dtype(DType::F32)?)
    }
}

impl Mapped {
    fn open(path: &Path) -> Result<Mapped, FileError> {
        let contents = map(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (header, metadata) = SafeTensors::read_metadata(&contents).map_err(|error| {
            let help = match contents.starts_with(b"version https://git-lfs") {
                true => "it is a pointer of Git LFS: fetch the model with `git lfs pull`".to_owned(),
                false => {
                    format!("it is damaged or no safetensors file ({error}); if it was downloaded, download it again")
                }
            };
            FileError::part(&name, format!("cannot be read: {help}"))
        })?;
        Ok(Mapped { contents, metadata, data: LENGTH_BYTES + header })
    }
}

fn no_weights(folder: &Path) -> FileError {
    let help = if folder.join("pytorch_model.bin").exists() {
        "the weights there are a pickle of PyTorch, which can run code when it is read; save them as safetensors"
    } else {
        "for a model in GGUF name the .gguf file itself"
    };
    FileError::part(SINGLE, format!("is missing in {}: {help}", folder.display()))
}
