//! Models in folders, out of the fixtures, to be changed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::{json, Value};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A folder that is removed in the end.
pub struct Folder(PathBuf);

/// Where the small encoders are.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders")
}

/// A copy of the decoder `family`, with the vocabulary that all of them have.
pub fn decoder(family: &str) -> Folder {
    let folder = empty();
    let decoders = fixtures().with_file_name("decoders");
    copy(&decoders.join(family), folder.path());
    copy(&decoders.join("vocabulary"), folder.path());
    folder
}

fn empty() -> Folder {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    Folder(std::env::temp_dir().join(format!("hoosh-model-{}-{number}", std::process::id())))
}

/// A copy of the encoder `model` with the modules of `variant`.
pub fn of_variant(model: &str, variant: &str) -> Folder {
    let folder = empty();
    copy(&fixtures().join(model), folder.path());
    let modules = fixtures().join("variants").join(variant);
    if modules.is_dir() {
        copy(&modules, folder.path());
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let to = to.join(entry.file_name().unwrap());
        match entry.is_dir() {
            true => copy(&entry, &to),
            false => drop(fs::copy(&entry, &to).unwrap()),
        }
    }
}

impl Folder {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    /// Changes a file of JSON.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_slice(&fs::read(self.0.join(name)).unwrap()).unwrap();
        change(&mut value);
        self.write(name, value.to_string().as_bytes());
    }

    /// Puts the weights into two files, with the list that names them.
    pub fn split_weights(&self) {
        let whole = self.0.join("model.safetensors");
        let bytes = fs::read(&whole).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        let mut places = HashMap::new();
        for (number, part) in tensors.chunks(tensors.len().div_ceil(2)).enumerate() {
            let name = format!("model-0000{}-of-00002.safetensors", number + 1);
            let views: Vec<(&str, &TensorView<'_>)> = part.iter().map(|(name, view)| (name.as_str(), view)).collect();
            self.write(&name, &safetensors::serialize(views, None).unwrap());
            places.extend(part.iter().map(|(tensor, _)| (tensor.clone(), name.clone())));
        }
        self.write("model.safetensors.index.json", json!({ "weight_map": places }).to_string().as_bytes());
        fs::remove_file(whole).unwrap();
    }

    /// Makes the last number of the weights none.
    pub fn spoil_weights(&self) {
        let path = self.0.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        let name = "embeddings.LayerNorm.bias";
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor(name).unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize;
        bytes[data..data + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(path, bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
