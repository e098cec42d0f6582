//! Encoders: models that turn each text into a vector. BERT and its family, out of safetensors.
//!
//! Texts are computed together, one behind the other and without any filling between them: all matrices see one long list
//! of tokens, and attention each text by itself. So a batch needs no texts of equal length, and no mask.

mod config;
mod dense;
mod layer;
mod pooling;
mod recipe;

use candle_core::{Device, Tensor};

use crate::decoder::DecoderError;
use crate::folder::ModelFolder;
use layer::{Layer, Norm, Reader};

pub use config::{Config, Family};
pub(crate) use pooling::normalize;
pub use pooling::Pooling;
pub use recipe::Recipe;

/// An encoder in memory.
pub struct Encoder {
    config: Config,
    recipe: Recipe,
    words: Tensor,
    positions: Tensor,
    /// The row of texts that stand alone, in the table of kinds.
    kind: Option<Tensor>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Encoder {
    /// The model in `folder`. `progress` is told of bytes as they come into memory.
    pub fn load(folder: &ModelFolder, device: &Device, progress: &mut dyn FnMut(u64)) -> Result<Encoder, DecoderError> {
        let config = Config::of(folder)?;
        let recipe = Recipe::of(folder, &config, device)?;
        let mut reader = Reader { weights: folder.weights(), prefix: prefix(folder), device, progress };
        let width = config.width;
        let words = reader.tensor("embeddings.word_embeddings.weight", &[config.vocabulary, width])?;
        let positions = reader.tensor("embeddings.position_embeddings.weight", &[config.positions, width])?;
        let kind = match config.kinds {
            0 => None,
            kinds => Some(reader.tensor("embeddings.token_type_embeddings.weight", &[kinds, width])?.get(0)?),
        };
        let norm = reader.norm("embeddings.LayerNorm", width, config.epsilon)?;
        let layers = (0..config.layers).map(|number| Layer::load(&mut reader, &config, number));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Encoder { config, recipe, words, positions, kind, norm, layers })
    }

    /// Its shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How long its vectors are.
    pub fn dimensions(&self) -> usize {
        self.recipe.dimensions()
    }

    /// A vector for each of `texts`, which are tokens of its vocabulary: at least one and at most as many as it takes. `None`
    /// as soon as `unwanted` says so, which is asked before each layer.
    pub fn embed(&self, texts: &[&[u32]], unwanted: &dyn Fn() -> bool) -> Result<Option<Vec<Vec<f32>>>, DecoderError> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let mut rows = self.begin(texts)?;
        for layer in &self.layers {
            if unwanted() {
                return Ok(None);
            }
            rows = layer.forward(&rows, &lengths)?;
        }
        let numbers = rows.flatten_all()?.to_vec1::<f32>()?;
        let mut rest = numbers.as_slice();
        let mut vectors = Vec::with_capacity(texts.len());
        for length in lengths {
            let (own, others) = rest.split_at(length * self.config.width);
            rest = others;
            vectors.push(self.recipe.vector(own)?);
        }
        Ok(Some(vectors))
    }

    /// What goes into the first layer.
    fn begin(&self, texts: &[&[u32]]) -> Result<Tensor, DecoderError> {
        let most = self.config.most_tokens();
        if let Some(text) = texts.iter().find(|text| !(1..=most).contains(&text.len())) {
            return Err(DecoderError::Full { needed: text.len(), room: most });
        }
        let tokens = texts.concat();
        let places: Vec<u32> = texts.iter().flat_map(|text| self.places(text)).collect();
        let device = self.words.device();
        let count = tokens.len();
        let words = self.words.index_select(&Tensor::from_vec(tokens, count, device)?, 0)?;
        let positions = self.positions.index_select(&Tensor::from_vec(places, count, device)?, 0)?;
        let mut rows = (words + positions)?;
        if let Some(kind) = &self.kind {
            rows = rows.broadcast_add(kind)?;
        }
        self.norm.forward(&rows)
    }

    /// Of each token its row in the table of positions. RoBERTa counts none for padding, wherever it stands.
    fn places(&self, text: &[u32]) -> Vec<u32> {
        let first = self.config.first_position() as u32;
        if self.config.family != Family::Roberta {
            return (first..).take(text.len()).collect();
        }
        let padding = self.config.padding;
        let mut next = first;
        let place = |token: &u32| match *token == padding {
            true => padding,
            false => {
                next += 1;
                next - 1
            }
        };
        text.iter().map(place).collect()
    }
}

/// Models are also saved as a part of a larger one, whose tensors have its name before theirs.
fn prefix(folder: &ModelFolder) -> &'static str {
    const KNOWN: [&str; 5] = ["", "bert.", "roberta.", "distilbert.", "model."];
    let has = |prefix: &&str| folder.weights().has(&format!("{prefix}embeddings.word_embeddings.weight"));
    KNOWN.into_iter().find(has).unwrap_or("")
}
