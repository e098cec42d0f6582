//! Decoders in folders: their configuration and weights in the words of GGUF, so that one decoder runs them both.

mod names;
mod rope;
mod shape;

use bytes::Bytes;
use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};
use safetensors::Dtype;
use serde::Deserialize;

use super::ModelFolder;
use crate::decoder::DecoderError;
use crate::file::{Contents, FileError, Metadata, ModelFile, TensorEntry};
use crate::text::Tokenizer;
use shape::Shape;

/// Whether a `model_type` is that of a decoder which is known.
pub(crate) fn is_known(model_type: &str) -> bool {
    NAMES.contains(&model_type)
}

/// The words of `model_type` that are known.
pub(crate) const NAMES: [&str; 6] = ["gemma", "llama", "mistral", "phi3", "qwen2", "qwen3"];

/// A token or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ends {
    One(u32),
    Several(Vec<u32>),
}

#[derive(Default, Deserialize)]
struct Generation {
    eos_token_id: Option<Ends>,
    #[serde(default)]
    do_sample: bool,
    temperature: Option<f32>,
}

#[derive(Default, Deserialize)]
struct TokenizerFile {
    chat_template: Option<Templates>,
}

/// A template, or several by name, of which that for ordinary chats is called `default`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

impl ModelFolder {
    /// The model as a file that a decoder reads, to which its weights go over.
    pub(crate) fn take_decoder_file(&mut self) -> Result<ModelFile, DecoderError> {
        let shape: Shape = self.config()?;
        let generation = self.generation()?;
        let mut entries = shape.metadata()?;
        if let Some(temperature) = generation.temperature.filter(|_| generation.do_sample) {
            entries.push(("general.sampling.temp".into(), crate::file::Value::Float(temperature.into())));
        }
        let mut made = Made::default();
        if let Some(factors) = rope::factors(&shape)? {
            made.add("rope_freqs.weight", &factors);
        }
        let mut tensors = self.tensors(&shape, &mut made)?;
        entries
            .extend(file_type(&tensors).map(|number| ("general.file_type".into(), crate::file::Value::Whole(number))));
        let mut contents = std::mem::take(&mut self.weights).into_contents();
        let last = contents.len();
        tensors.extend(made.tensors.into_iter().map(|tensor| TensorEntry { file: last, ..tensor }));
        contents.push(Contents::Held(Bytes::from(made.bytes)));
        Ok(ModelFile::assembled(contents, Metadata::of(entries), tensors)?)
    }

    /// Its vocabulary, with the tokens that end an answer.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer, DecoderError> {
        let mut tokenizer = Tokenizer::from_json(&self.tokenizer_json()?)?;
        let generation = self.generation()?;
        let config: Generation = self.config()?;
        match generation.eos_token_id.or(config.eos_token_id) {
            Some(Ends::One(end)) => tokenizer.set_ends(&[end]),
            Some(Ends::Several(ends)) => tokenizer.set_ends(&ends),
            None => {}
        }
        Ok(tokenizer)
    }

    /// Its chat template, if it has one: in a file of its own, as newer models have it, or among the vocabulary's settings.
    pub(crate) fn chat_template(&self) -> Result<Option<String>, FileError> {
        const OWN: &str = "chat_template.jinja";
        if let Some(bytes) = super::read(&self.path, OWN, super::CONFIG_BYTES)? {
            return String::from_utf8(bytes).map(Some).map_err(|_| FileError::part(OWN, "is not text"));
        }
        let file: TokenizerFile = self.json("tokenizer_config.json")?.unwrap_or_default();
        Ok(match file.chat_template {
            Some(Templates::One(template)) => Some(template),
            Some(Templates::Named(all)) => all.into_iter().find(|one| one.name == "default").map(|one| one.template),
            None => None,
        })
    }

    fn generation(&self) -> Result<Generation, FileError> {
        Ok(self.json("generation_config.json")?.unwrap_or_default())
    }

    /// The tensors by GGUF's names. Norms that are stored in another way than there go to `made`.
    fn tensors(&self, shape: &Shape, made: &mut Made) -> Result<Vec<TensorEntry>, DecoderError> {
        let mut tensors = Vec::new();
        for (name, place) in self.weights.places() {
            let Some(told) = names::told(name).map_err(|problem| FileError::tensor(name, problem))? else { continue };
            if told == "output.weight" && shape.is_tied() {
                continue;
            }
            if shape.raises_norms() && names::is_norm(&told) {
                let numbers = self.weights.floats(name, &place.shape, &Device::Cpu)?.to_dtype(DType::F32)?;
                let numbers = numbers.flatten_all()?.to_vec1::<f32>()?;
                made.add(&told, &numbers.iter().map(|number| number + 1.0).collect::<Vec<f32>>());
                continue;
            }
            let dtype = match place.dtype {
                Dtype::F32 => GgmlDType::F32,
                Dtype::F16 => GgmlDType::F16,
                Dtype::BF16 => GgmlDType::BF16,
                other => {
                    let problem = format!("is stored as {other:?}, and weights are read as F32, F16 and BF16");
                    return Err(FileError::tensor(name, problem).into());
                }
            };
            tensors.push(TensorEntry { name: told, file: place.file, dtype, shape: place.shape, bytes: place.bytes });
        }
        Ok(tensors)
    }
}

/// Tensors that are computed from what the folder holds.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    tensors: Vec<TensorEntry>,
}

impl Made {
    fn add(&mut self, name: &str, numbers: &[f32]) {
        let start = self.bytes.len();
        self.bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self.tensors.push(TensorEntry {
            name: name.to_owned(),
            file: 0,
            dtype: GgmlDType::F32,
            shape: vec![numbers.len()],
            bytes: start..self.bytes.len(),
        });
    }
}

/// `general.file_type` of the largest tensor.
fn file_type(tensors: &[TensorEntry]) -> Option<i128> {
    match tensors.iter().max_by_key(|tensor| tensor.bytes.len())?.dtype {
        GgmlDType::F32 => Some(0),
        GgmlDType::F16 => Some(1),
        GgmlDType::BF16 => Some(32),
        _ => None,
    }
}
