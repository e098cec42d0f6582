//! What is done to a text before an encoder and to the vectors of its tokens after it, as the model's own files say: those of
//! sentence-transformers, which list it as modules. A model without them is taken as that library takes it: the mean of all
//! tokens, as long as it comes out.

use std::collections::HashMap;

use candle_core::Device;
use serde::Deserialize;

use super::config::Config;
use super::dense::Dense;
use super::pooling::{normalize, Pooling};
use crate::decoder::DecoderError;
use crate::file::FileError;
use crate::folder::ModelFolder;

/// The file that lists the modules.
const MODULES: &str = "modules.json";
/// More modules than any model has.
const MOST_MODULES: usize = 16;

/// How texts become one vector each, besides what the encoder computes.
pub struct Recipe {
    /// Tokens that a text may have.
    pub max_tokens: usize,
    /// Put before each text.
    pub prompt: String,
    /// Whether texts are put in small letters first.
    pub lowercase: bool,
    width: usize,
    pooling: Vec<Pooling>,
    then: Vec<Then>,
    dimensions: usize,
}

/// What comes after pooling.
enum Then {
    Dense(Dense),
    Normalize,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

#[derive(Default, Deserialize)]
struct Lengths {
    max_seq_length: Option<f64>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
struct TokenizerLengths {
    // Where there is no bound, the file names a number of 30 digits.
    model_max_length: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: HashMap<String, String>,
    default_prompt_name: Option<String>,
}

#[derive(Deserialize)]
struct PoolingFile {
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    others: HashMap<String, serde_json::Value>,
}

fn yes() -> bool {
    true
}

impl Recipe {
    /// What the model in `folder` says.
    pub fn of(folder: &ModelFolder, config: &Config, device: &Device) -> Result<Recipe, DecoderError> {
        let lengths: Lengths = folder.json("sentence_bert_config.json")?.unwrap_or_default();
        let tokenizer: TokenizerLengths = folder.json("tokenizer_config.json")?.unwrap_or_default();
        let named = lengths.max_seq_length.or(tokenizer.model_max_length).filter(|most| *most >= 1.0);
        let mut recipe = Recipe {
            max_tokens: named.map_or(config.most_tokens(), |most| config.most_tokens().min(most as usize)),
            prompt: prompt(folder)?,
            lowercase: lengths.do_lower_case,
            width: config.width,
            pooling: vec![Pooling::Mean],
            then: Vec::new(),
            dimensions: config.width,
        };
        let modules: Vec<Module> = folder.json(MODULES)?.unwrap_or_default();
        if modules.len() > MOST_MODULES {
            return Err(FileError::part(MODULES, format!("lists more than {MOST_MODULES} modules")).into());
        }
        for module in modules {
            recipe.take(&module, folder, device)?;
        }
        Ok(recipe)
    }

    /// How long the vectors are.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// `text` as the encoder's vocabulary is given it.
    pub fn text(&self, text: &str) -> String {
        let text = format!("{}{text}", self.prompt);
        if self.lowercase {
            text.to_lowercase()
        } else {
            text
        }
    }

    /// The vector of a text whose tokens have the vectors `rows`, one behind the other.
    pub(super) fn vector(&self, rows: &[f32]) -> Result<Vec<f32>, DecoderError> {
        let mut vector = Vec::with_capacity(self.pooling.len() * self.width);
        self.pooling.iter().for_each(|pooling| pooling.add(rows, self.width, &mut vector));
        for then in &self.then {
            match then {
                Then::Dense(dense) => vector = dense.apply(&vector),
                Then::Normalize => normalize(&mut vector),
            }
        }
        match vector.iter().all(|number| number.is_finite()) {
            true => Ok(vector),
            false => Err(DecoderError::NotANumber),
        }
    }

    fn take(&mut self, module: &Module, folder: &ModelFolder, device: &Device) -> Result<(), DecoderError> {
        let unsupported = |what: String| Err(DecoderError::Unsupported(what));
        // The classes have moved between releases of the library, and kept their names.
        match module.kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" if module.path.is_empty() => Ok(()),
            "Transformer" => unsupported(format!("an encoder in the folder {:?} of its own", shortened(&module.path))),
            "Pooling" => self.pool(&module.path, folder),
            "Dense" => {
                let dense = Dense::load(folder, &module.path, self.dimensions, device)?;
                self.dimensions = dense.outputs();
                self.then.push(Then::Dense(dense));
                Ok(())
            }
            "Normalize" => {
                self.then.push(Then::Normalize);
                Ok(())
            }
            _ => unsupported(format!("the module {:?} of {MODULES}", shortened(&module.kind))),
        }
    }

    fn pool(&mut self, path: &str, folder: &ModelFolder) -> Result<(), DecoderError> {
        let name = format!("{path}/config.json");
        let file: PoolingFile =
            folder.json(&name)?.ok_or_else(|| FileError::part(&name, "is missing, and modules.json names it"))?;
        if !file.include_prompt && !self.prompt.is_empty() {
            return Err(DecoderError::Unsupported("a prompt that is left out of the pooling".into()));
        }
        self.pooling = pooling(&file).map_err(|problem| FileError::part(&name, problem))?;
        self.dimensions = self.pooling.len() * self.width;
        Ok(())
    }
}

fn pooling(file: &PoolingFile) -> Result<Vec<Pooling>, String> {
    let by_name = |name: &serde_json::Value| {
        let found = Pooling::ALL.into_iter().find(|pooling| name == pooling.name());
        found.ok_or_else(|| format!("names a pooling that is not known: {}", shortened(&name.to_string())))
    };
    match file.others.get("pooling_mode") {
        Some(serde_json::Value::Array(names)) if names.is_empty() || names.len() > Pooling::ALL.len() => {
            Err("names no pooling, or too many".into())
        }
        Some(serde_json::Value::Array(names)) => names.iter().map(by_name).collect(),
        Some(name) => by_name(name).map(|pooling| vec![pooling]),
        None => {
            let is_on = |pooling: &Pooling| file.others.get(pooling.older_name()) == Some(&true.into());
            let all: Vec<Pooling> = Pooling::ALL.into_iter().filter(is_on).collect();
            Ok(if all.is_empty() { vec![Pooling::Mean] } else { all })
        }
    }
}

/// What the model's makers put before a text of which nothing is said.
fn prompt(folder: &ModelFolder) -> Result<String, FileError> {
    let mut file: Prompts = folder.json("config_sentence_transformers.json")?.unwrap_or_default();
    Ok(file.default_prompt_name.and_then(|name| file.prompts.remove(&name)).unwrap_or_default())
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
