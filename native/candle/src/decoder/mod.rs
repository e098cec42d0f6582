//! The decoder: runs a model over the next tokens of several sequences at once.
//!
//! It stands on Candle's tensors, not on the models of `candle-transformers`: each of those keeps the keys and values of
//! one sequence to itself, so that they cannot share a step, be prefilled in slices beside others, be forked, or be
//! counted. Here a [`Step`](Decoder::step) takes rows of any number of sequences. Every matrix is multiplied once, with
//! all rows, which is what makes several sequences cheaper than one after the other: a step is bound by reading
//! the weights. Attention alone goes sequence by sequence, over keys and values that the caller holds ([`Kv`]).
//!
//! Keys and values are 32-bit floats. Half floats would take half the memory; what they cost in time is not measured.

mod architecture;
mod attention;
mod config;
mod error;
mod kv;
mod layer;
mod rope;
mod weights;

use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};
use std::sync::Arc;

use crate::file::ModelFile;
use attention::Span;
use layer::Layer;
use rope::{Angles, Rope};
use weights::{Linear, Norm, Reader};

pub use architecture::Architecture;
pub use config::Config;
pub use error::DecoderError;
pub use kv::{Kv, BLOCK};
pub(crate) use rope::BY_HALVES;

/// `tokens`, and as many more as fill the last block.
pub(crate) const fn in_blocks(tokens: usize) -> usize {
    tokens.next_multiple_of(BLOCK)
}

/// The tokens of all whole blocks among `tokens`.
pub(crate) fn whole_blocks(tokens: u64) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX) / BLOCK * BLOCK
}

/// A model in memory.
#[derive(Debug)]
pub struct Decoder {
    config: Config,
    device: Device,
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Norm,
    output: Linear,
    rope: Rope,
    vocabulary: usize,
}

/// The next tokens of one sequence.
#[derive(Debug)]
pub struct Slice<'a> {
    /// What the sequence holds; grows by the tokens.
    pub kv: &'a mut Kv,
    /// What comes next, at least one.
    pub tokens: &'a [u32],
    /// Whether it is wanted what follows the last of them.
    pub logits: bool,
}

impl Decoder {
    /// Reads a model. `context`: how many tokens a sequence will have at most, where that is not what the model says.
    /// `progress` is told of the bytes of each tensor read.
    pub fn load(
        file: &ModelFile,
        context: Option<u32>,
        device: &Device,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, DecoderError> {
        let config = Config::from_metadata(file.metadata(), context)?;
        let mut reader = Reader { file, device, progress };
        let embedding = Arc::new(file.qtensor("token_embd.weight", device)?);
        let vocabulary = match embedding.shape().dims() {
            [vocabulary, width] if *width == config.width => *vocabulary,
            found => {
                let (name, expected) = ("token_embd.weight".to_owned(), vec![0, config.width]);
                return Err(DecoderError::Shape { name, expected, found: found.to_vec() });
            }
        };
        (reader.progress)(embedding.storage_size_in_bytes() as u64);
        // Without a matrix of its own, the output is the embedding read backwards.
        let output = match file.has("output.weight") {
            true => reader.linear("output", vocabulary, config.width)?,
            false => Linear::from_matrix(embedding.clone())?,
        };
        let rope = Rope::load(&config.rope, file)?;
        let mut layers = Vec::new();
        for layer in 0..config.layers {
            layers.push(Layer::load(&mut reader, &config, layer)?);
        }
        let norm = reader.norm("output_norm", config.width, config.epsilon)?;
        Ok(Decoder { config, device: device.clone(), embedding, layers, norm, output, rope, vocabulary })
    }

    /// Its shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tokens that it knows.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// A sequence that holds nothing, with room for `room` tokens.
    pub fn sequence(&self, room: usize) -> Kv {
        Kv::new(&self.config, room, &self.device)
    }

    /// Runs the next tokens of several sequences, and says for each that wants it how likely each token is next. After an
    /// error the sequences hold what they held before.
    pub fn step(&self, slices: &mut [Slice<'_>]) -> Result<Vec<Option<Vec<f32>>>, DecoderError> {
        let (tokens, positions) = self.rows(slices)?;
        for slice in slices.iter_mut() {
            slice.kv.reserve(slice.tokens.len())?;
        }
        let spans = self.spans(slices)?;
        let (angles, window_angles) = self.angles(&positions)?;
        let mut rows = self.embed(tokens)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let windowed = window_angles.as_ref().filter(|_| layer.attention.is_windowed());
            rows = layer.forward(index, &rows, windowed.unwrap_or(&angles), &spans, slices)?;
        }
        let logits = self.logits(&rows, &spans, slices)?;
        for slice in slices.iter_mut() {
            slice.kv.commit(slice.tokens.len());
        }
        Ok(logits)
    }

    /// All tokens and their positions. A token that the model does not know is refused here, before anything is computed.
    fn rows(&self, slices: &[Slice<'_>]) -> Result<(Vec<u32>, Vec<usize>), DecoderError> {
        let mut tokens = Vec::new();
        let mut positions = Vec::new();
        for slice in slices {
            tokens.extend_from_slice(slice.tokens);
            positions.extend((0..slice.tokens.len()).map(|row| slice.kv.len() + row));
        }
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            let what = format!("token {token} is not among the {} of the weights", self.vocabulary);
            return Err(DecoderError::Metadata(what));
        }
        match slices.iter().any(|slice| slice.tokens.is_empty()) {
            true => Err(DecoderError::Metadata("a slice without tokens".to_owned())),
            false => Ok((tokens, positions)),
        }
    }

    fn spans(&self, slices: &[Slice<'_>]) -> Result<Vec<Span>, DecoderError> {
        let mut first = 0;
        let mut spans = Vec::with_capacity(slices.len());
        for slice in slices {
            spans.push(Span::new(first, slice, self.config.window, &self.device)?);
            first += slice.tokens.len();
        }
        Ok(spans)
    }

    fn angles(&self, positions: &[usize]) -> Result<(Angles, Option<Angles>), DecoderError> {
        let window = match self.rope.differs_by_window() {
            true => Some(self.rope.angles(positions, true, &self.device)?),
            false => None,
        };
        Ok((self.rope.angles(positions, false, &self.device)?, window))
    }

    fn embed(&self, tokens: Vec<u32>) -> Result<Tensor, DecoderError> {
        let count = tokens.len();
        let rows = self.embedding.embedding(&Tensor::from_vec(tokens, count, &self.device)?)?;
        Ok(match self.config.embedding_scale {
            Some(scale) => (rows * scale)?,
            None => rows,
        })
    }

    /// The output layer over the last rows of those who want it.
    fn logits(
        &self,
        rows: &Tensor,
        spans: &[Span],
        slices: &[Slice<'_>],
    ) -> Result<Vec<Option<Vec<f32>>>, DecoderError> {
        let wanted = spans.iter().zip(slices).filter(|(_, slice)| slice.logits);
        let last: Vec<u32> = wanted.map(|(span, _)| (span.first + span.rows - 1) as u32).collect();
        if last.is_empty() {
            return Ok(slices.iter().map(|_| None).collect());
        }
        let count = last.len();
        let rows = match count == rows.dim(0)? {
            true => rows.clone(),
            false => rows.index_select(&Tensor::from_vec(last, count, &self.device)?, 0)?,
        };
        let mut logits = self.output.forward(&self.norm.forward(&rows)?)?;
        if let Some(cap) = self.config.logit_softcap {
            logits = ((logits / cap)?.tanh()? * cap)?;
        }
        let mut logits = logits.to_vec2::<f32>()?.into_iter();
        Ok(slices.iter().map(|slice| slice.logits.then(|| logits.next()).flatten()).collect())
    }
}
