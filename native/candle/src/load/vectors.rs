//! Brings encoders into memory.

use candle_core::Device;
use hoosh_core::engine::{Abilities, Card};
use hoosh_core::sync::{lock, Arc};

use super::{Fleet, LoadError, Loaded, ModelSource};
use crate::decoder::DecoderError;
use crate::encoder::{Config, Encoder, Recipe};
use crate::folder::ModelFolder;
use crate::slots::desk::{Desk, Phase};
use crate::slots::embedder::{Embedder, BATCH_TOKENS};
use crate::slots::job::Job;
use crate::slots::vectors::VectorTexts;
use crate::text::framed::FramedTokenizer;

/// What a table of attention and the like may take, bytes.
const WORKING_BYTES: u64 = 64 << 20;

impl Fleet {
    pub(super) fn load_encoder(
        self: &Arc<Self>,
        index: usize,
        folder: &ModelFolder,
        desk: &Arc<Desk>,
    ) -> Result<Loaded, LoadError> {
        let source = &self.models[index].source;
        let (all, mut done) = (folder.weights().numbers().saturating_mul(size_of::<f32>() as u64), 0);
        desk.set_phase(Phase::Loading(0, all));
        let config = Config::of(folder)?;
        // Reserved before anything is read, by the most that it can come to.
        let reservation = self.reserve(index, memory(folder, &config))?;
        let mut progress = |bytes: u64| {
            done += bytes;
            desk.set_phase(Phase::Loading(done.min(all), all));
        };
        let encoder = Encoder::load(folder, &Device::Cpu, &mut progress)?;
        let recipe = Recipe::of(folder, &config, &Device::Cpu)?;
        let json = folder.tokenizer_json().map_err(DecoderError::from)?;
        let tokenizer = FramedTokenizer::from_json(&json).map_err(DecoderError::from)?;
        let most = most_tokens(source, &recipe);
        if tokenizer.least() > most {
            let what = format!("{most} tokens of context, and {} are around each text", tokenizer.least() - 1);
            return Err(DecoderError::Unsupported(what).into());
        }
        *lock(&self.models[index].card) = card(source, folder, &config, &recipe);
        let texts = VectorTexts { tokenizer, recipe, vocabulary: config.vocabulary, most };
        let pool = self.pool_and_reader(desk, move |call| texts.prepare(call).map(Job::Vectors))?;
        Ok((Box::new(Embedder::new(encoder, pool, self.settings.max_sequences)), reservation))
    }
}

/// Tokens that a text may have.
fn most_tokens(source: &ModelSource, recipe: &Recipe) -> usize {
    source.context.map_or(recipe.max_tokens, |context| recipe.max_tokens.min(context.max(1) as usize))
}

/// The most that an encoder comes to: all weights as floats of 32 bits, one of them once more as it is stored, and a step.
fn memory(folder: &ModelFolder, config: &Config) -> u64 {
    let float = size_of::<f32>() as u64;
    let tokens = BATCH_TOKENS.max(config.most_tokens()) as u64;
    let largest = (config.vocabulary as u64).saturating_mul(config.width as u64);
    let step = tokens.saturating_mul(config.step_numbers()).saturating_mul(float);
    let weights = folder.weights().numbers().saturating_add(largest).saturating_mul(float);
    weights.saturating_add(step).saturating_add(WORKING_BYTES)
}

fn card(source: &ModelSource, folder: &ModelFolder, config: &Config, recipe: &Recipe) -> Card {
    Card {
        model: source.name.clone(),
        context: Some(most_tokens(source, recipe) as u32),
        max_output: None,
        dimensions: Some(recipe.dimensions() as u32),
        abilities: Abilities { embeddings: true, ..Abilities::default() },
        quantization: folder.weights().file_type(),
        accelerator: Some("cpu".to_owned()),
        memory_bytes: Some(memory(folder, config)),
        loaded: false,
    }
}

/// What can be said of the model in `folder` before it is loaded.
pub(super) fn card_of(source: &ModelSource, folder: &ModelFolder) -> Result<Card, DecoderError> {
    let config = Config::of(folder)?;
    let recipe = Recipe::of(folder, &config, &Device::Cpu)?;
    Ok(card(source, folder, &config, &recipe))
}

/// Whether there is an encoder in `folder`, as far as its small files say.
pub(super) fn look(folder: &ModelFolder) -> Result<(), DecoderError> {
    let config = Config::of(folder)?;
    Recipe::of(folder, &config, &Device::Cpu)?;
    folder.tokenizer_json()?;
    Ok(())
}
