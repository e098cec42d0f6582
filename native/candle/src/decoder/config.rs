//! The shape of a model, read from its metadata and checked.

use crate::file::Metadata;

use super::rope::RopeConfig;
use super::{Architecture, DecoderError};

/// The most that any of these numbers may be: far above every model, and low enough that products of three fit.
const MOST: usize = 1 << 20;

/// The shape of a model.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) architecture: Architecture,
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) feed_forward: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_size: usize,
    /// Tokens that it was made for.
    pub(crate) context: usize,
    pub(crate) epsilon: f32,
    pub(crate) rope: RopeConfig,
    /// Tokens that a windowed layer sees, the newest included.
    pub(crate) window: Option<usize>,
    pub(crate) query_scale: f64,
    pub(crate) attention_softcap: Option<f64>,
    pub(crate) logit_softcap: Option<f64>,
    pub(crate) embedding_scale: Option<f64>,
}

impl Config {
    /// Reads and checks. `context`, where given, is how many tokens will be used at most.
    pub fn from_metadata(metadata: &Metadata, context: Option<u32>) -> Result<Self, DecoderError> {
        let name = metadata.str("general.architecture")?;
        let architecture = Architecture::from_name(name).ok_or_else(|| DecoderError::Architecture(name.to_owned()))?;
        let keys = Keys { metadata, prefix: name };
        if keys.number_or("expert_count", 0)? > 0 {
            return Err(DecoderError::Unsupported("a mixture of experts".to_owned()));
        }
        let layers = keys.count("block_count")?;
        let width = keys.count("embedding_length")?;
        let heads = keys.count("attention.head_count")?;
        let kv_heads = keys.count_or("attention.head_count_kv", heads)?;
        if heads % kv_heads != 0 {
            return Err(DecoderError::Metadata(format!("{heads} heads do not share {kv_heads} heads of keys evenly")));
        }
        let head_size = match keys.number_or("attention.key_length", 0)? {
            0 if width % heads != 0 => {
                return Err(DecoderError::Metadata(format!("a width of {width} does not divide into {heads} heads")));
            }
            0 => width / heads,
            _ => keys.count("attention.key_length")?,
        };
        if keys.count_or("attention.value_length", head_size)? != head_size {
            return Err(DecoderError::Unsupported("values of another size than keys".to_owned()));
        }
        let trained = keys.count("context_length").map(|length| length.min(MOST))?;
        let used = context.map_or(trained, |context| (context as usize).clamp(1, MOST));
        let window = match architecture.has_window() {
            true => keys.number_or("attention.sliding_window", architecture.default_window())? as usize,
            false => 0,
        };
        let scaled_by = match architecture.layers_scaled_by_width() == Some(layers) {
            true => width / heads,
            false => head_size,
        };
        Ok(Config {
            architecture,
            layers,
            width,
            feed_forward: keys.count("feed_forward_length")?,
            heads,
            kv_heads,
            head_size,
            context: used,
            epsilon: keys.fraction_or("attention.layer_norm_rms_epsilon", 1e-5)?,
            rope: RopeConfig::from_keys(&keys, architecture, head_size, used)?,
            window: Some(window).filter(|window| *window > 0),
            query_scale: 1.0 / (scaled_by.max(1) as f64).sqrt(),
            attention_softcap: keys.softcap("attn_logit_softcapping", architecture, 50.0)?,
            logit_softcap: keys.softcap("final_logit_softcapping", architecture, 30.0)?,
            embedding_scale: architecture.is_gemma().then(|| (width as f64).sqrt()),
        })
    }

    /// The window of layer `layer`, if it has one.
    pub(crate) fn window_of(&self, layer: usize) -> Option<usize> {
        let pattern = self.architecture.window_pattern();
        let sees_all = pattern > 0 && layer % pattern == pattern - 1;
        self.window.filter(|_| !sees_all)
    }

    /// Bytes that the keys and values of one token take.
    pub fn kv_bytes_per_token(&self) -> u64 {
        (self.layers * self.kv_heads * self.head_size * 2 * size_of::<f32>()) as u64
    }
}

/// Metadata below the name of the architecture.
pub(crate) struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(crate) fn number_or(&self, name: &str, default: u32) -> Result<u32, DecoderError> {
        Ok(self.metadata.u32_or(&self.key(name), default)?)
    }

    pub(crate) fn count(&self, name: &str) -> Result<usize, DecoderError> {
        let key = self.key(name);
        self.bounded(name, self.metadata.get_u32(&key)?)
    }

    pub(crate) fn count_or(&self, name: &str, default: usize) -> Result<usize, DecoderError> {
        let key = self.key(name);
        self.bounded(name, self.metadata.u32_or(&key, default as u32)?)
    }

    fn bounded(&self, name: &str, number: u32) -> Result<usize, DecoderError> {
        match number as usize {
            0 => Err(DecoderError::Metadata(format!("`{}` is 0", self.key(name)))),
            number if number > MOST && name != "context_length" => {
                Err(DecoderError::Metadata(format!("`{}` is {number}, more than {MOST}", self.key(name))))
            }
            number => Ok(number),
        }
    }

    pub(crate) fn fraction_or(&self, name: &str, default: f32) -> Result<f32, DecoderError> {
        Ok(self.metadata.f32_or(&self.key(name), default)?)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, DecoderError> {
        Ok(self.metadata.bool_or(&self.key(name), false)?)
    }

    pub(crate) fn word(&self, name: &str) -> Result<Option<&str>, DecoderError> {
        Ok(self.metadata.opt_str(&self.key(name))?)
    }

    /// Gemma 2 caps its scores whether its file says how or not; others have no such key.
    fn softcap(&self, name: &str, architecture: Architecture, default: f32) -> Result<Option<f64>, DecoderError> {
        let default = if architecture == Architecture::Gemma2 { default } else { 0.0 };
        let cap = self.fraction_or(name, default)?;
        Ok((cap > 0.0).then_some(f64::from(cap)))
    }
}
