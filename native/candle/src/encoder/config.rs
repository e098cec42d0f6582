//! What `config.json` says of an encoder.

use serde::Deserialize;

use crate::decoder::DecoderError;
use crate::folder::{talker, ModelFolder};

/// More layers than any encoder has.
const MOST_LAYERS: usize = 512;
/// More numbers than any row of weights has; products of two such sizes do not overflow.
const WIDEST: usize = 1 << 20;

/// A kind of encoder. They compute the same; tensors are named, and positions counted, in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// BERT.
    Bert,
    /// RoBERTa, XLM-RoBERTa and CamemBERT: positions are counted from behind the padding token's number on.
    Roberta,
    /// DistilBERT.
    DistilBert,
}

impl Family {
    /// The words of `model_type` that are known.
    pub const NAMES: [&'static str; 5] = ["bert", "camembert", "distilbert", "roberta", "xlm-roberta"];

    /// The family that `model_type` is the name of.
    pub fn of(model_type: &str) -> Option<Family> {
        match model_type {
            "bert" => Some(Family::Bert),
            "roberta" | "xlm-roberta" | "camembert" => Some(Family::Roberta),
            "distilbert" => Some(Family::DistilBert),
            _ => None,
        }
    }
}

/// What stands between the two matrices of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    /// With the error function.
    Gelu,
    /// With the hyperbolic tangent in its place.
    GeluTanh,
    Relu,
    Silu,
}

/// The shape of an encoder.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its kind.
    pub family: Family,
    /// Numbers for each token.
    pub width: usize,
    /// Numbers for each token between the two matrices of a layer.
    pub(super) feed_forward: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    /// Tokens of its vocabulary.
    pub vocabulary: usize,
    /// Rows of the table of positions.
    pub(super) positions: usize,
    /// Kinds of text; 0: there is no table of them.
    pub(super) kinds: usize,
    pub(super) epsilon: f32,
    pub(super) activation: Activation,
    /// The token that stands for nothing.
    pub(super) padding: u32,
}

/// The file as it is, with the names that BERT and RoBERTa have, or those of DistilBERT.
#[derive(Deserialize)]
struct Raw {
    model_type: Option<String>,
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    layer_norm_eps: Option<f32>,
    #[serde(alias = "activation")]
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    pad_token_id: Option<u32>,
    is_decoder: Option<bool>,
}

impl Config {
    /// What the model in `folder` says of itself.
    pub fn of(folder: &ModelFolder) -> Result<Config, DecoderError> {
        let kind = folder.model_type()?;
        let family = kind.as_deref().and_then(Family::of).ok_or_else(|| not_known(kind.as_deref()))?;
        let raw: Raw = folder.config()?;
        raw.refuse_unsupported()?;
        let config = Config {
            family,
            width: raw.hidden_size,
            feed_forward: raw.intermediate_size,
            layers: raw.num_hidden_layers,
            heads: raw.num_attention_heads,
            vocabulary: raw.vocab_size,
            positions: raw.max_position_embeddings,
            kinds: if family == Family::DistilBert { 0 } else { raw.type_vocab_size.unwrap_or(2).max(1) },
            epsilon: raw.layer_norm_eps.unwrap_or(1e-12),
            activation: activation(raw.hidden_act.as_deref().unwrap_or("gelu"))?,
            padding: raw.pad_token_id.unwrap_or(if family == Family::Roberta { 1 } else { 0 }),
        };
        config.check()
    }

    /// Tokens that it can take at once.
    pub fn most_tokens(&self) -> usize {
        self.positions.saturating_sub(self.first_position())
    }

    /// Numbers that a step holds at a time for each token: what goes into a layer, queries, keys, values, what they come to,
    /// and the two sides of what bends.
    pub(crate) fn step_numbers(&self) -> u64 {
        (8 * self.width + 2 * self.feed_forward) as u64
    }

    /// The place of the first token in the table of positions.
    pub(super) fn first_position(&self) -> usize {
        match self.family {
            Family::Roberta => self.padding as usize + 1,
            Family::Bert | Family::DistilBert => 0,
        }
    }

    fn check(self) -> Result<Config, DecoderError> {
        let wrong = |what: String| Err(DecoderError::Metadata(what));
        let sizes = [self.width, self.feed_forward, self.vocabulary, self.positions, self.heads];
        if sizes.iter().any(|size| !(1..=WIDEST * 16).contains(size))
            || self.width > WIDEST
            || self.feed_forward > WIDEST
        {
            return wrong("a size in config.json is zero or larger than any model has".into());
        }
        if !(1..=MOST_LAYERS).contains(&self.layers) {
            return wrong(format!("{} layers, and models have 1 to {MOST_LAYERS}", self.layers));
        }
        if self.width % self.heads != 0 {
            return wrong(format!("{} numbers for each token cannot be shared by {} heads", self.width, self.heads));
        }
        if self.most_tokens() == 0 {
            return wrong(format!("{} positions leave no room for a text", self.positions));
        }
        if !(self.epsilon.is_finite() && self.epsilon >= 0.0) {
            return wrong("`layer_norm_eps` is not a small number".into());
        }
        Ok(self)
    }
}

impl Raw {
    fn refuse_unsupported(&self) -> Result<(), DecoderError> {
        let unsupported = |what: String| Err(DecoderError::Unsupported(what));
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return unsupported(format!("positions of the type `{other}`")),
        }
        match self.is_decoder {
            Some(true) => {
                unsupported(format!("a {} that continues texts", self.model_type.as_deref().unwrap_or("model")))
            }
            _ => Ok(()),
        }
    }
}

fn not_known(kind: Option<&str>) -> DecoderError {
    let known = [&Family::NAMES[..], &talker::NAMES].concat().join(", ");
    let kind = kind.unwrap_or("(none)");
    let kind: String = kind.chars().take(40).flat_map(char::escape_debug).collect();
    DecoderError::Unsupported(format!(
        "a `model_type` of {kind} in config.json; in safetensors, these are known: {known}"
    ))
}

fn activation(name: &str) -> Result<Activation, DecoderError> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        "silu" | "swish" => Ok(Activation::Silu),
        other => {
            let other: String = other.chars().take(40).flat_map(char::escape_debug).collect();
            Err(DecoderError::Unsupported(format!("the activation `{other}`")))
        }
    }
}
