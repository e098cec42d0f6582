//! What `config.json` says of a decoder, as the metadata of GGUF.

use serde::Deserialize;

use crate::decoder::{DecoderError, BY_HALVES};
use crate::file::Value;

/// The file, as far as it matters.
#[derive(Deserialize)]
pub(super) struct Shape {
    model_type: String,
    hidden_size: u32,
    intermediate_size: u32,
    num_hidden_layers: u32,
    num_attention_heads: u32,
    num_key_value_heads: Option<u32>,
    head_dim: Option<u32>,
    max_position_embeddings: u32,
    rms_norm_eps: Option<f32>,
    tie_word_embeddings: Option<bool>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    sliding_window: Option<u32>,
    #[serde(default)]
    use_sliding_window: bool,
    partial_rotary_factor: Option<f32>,
    rope_theta: Option<f32>,
    rope_scaling: Option<Rope>,
    /// The same two in newer files.
    rope_parameters: Option<Rope>,
    quantization_config: Option<serde_json::Value>,
}

/// How positions turn.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Rope {
    #[serde(alias = "type")]
    pub(super) rope_type: Option<String>,
    pub(super) rope_theta: Option<f32>,
    pub(super) factor: Option<f32>,
    pub(super) low_freq_factor: Option<f32>,
    pub(super) high_freq_factor: Option<f32>,
    pub(super) original_max_position_embeddings: Option<u32>,
    partial_rotary_factor: Option<f32>,
}

impl Shape {
    pub(super) fn metadata(&self) -> Result<Vec<(String, Value)>, DecoderError> {
        self.refuse_unsupported()?;
        let name = self.architecture();
        let rope = self.rope();
        let number = |number: u32| Value::Whole(number.into());
        let fraction = |fraction: f32| Value::Float(fraction.into());
        let mut own = vec![
            ("context_length", number(self.max_position_embeddings)),
            ("embedding_length", number(self.hidden_size)),
            ("block_count", number(self.num_hidden_layers)),
            ("feed_forward_length", number(self.intermediate_size)),
            ("attention.head_count", number(self.num_attention_heads)),
            ("attention.head_count_kv", number(self.num_key_value_heads.unwrap_or(self.num_attention_heads))),
            ("attention.layer_norm_rms_epsilon", fraction(self.rms_norm_eps.unwrap_or(1e-6))),
            ("rope.freq_base", fraction(self.base())),
            ("rope.dimension_count", number(self.turned()?)),
            (BY_HALVES, Value::Flag(true)),
        ];
        if let Some(head) = self.head_dim {
            own.push(("attention.key_length", number(head)));
            own.push(("attention.value_length", number(head)));
        }
        own.extend(self.sliding_window.map(|window| ("attention.sliding_window", number(window))));
        if rope.rope_type.as_deref() == Some("linear") {
            own.push(("rope.scaling.type", Value::Text("linear".into())));
            own.push(("rope.scaling.factor", fraction(rope.factor.unwrap_or(1.0))));
        }
        let mut all = vec![("general.architecture".to_owned(), Value::Text(name.into()))];
        all.extend(own.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
        Ok(all)
    }

    /// Whether the output is the table of words read backwards, whatever else the file holds.
    pub(super) fn is_tied(&self) -> bool {
        self.tie_word_embeddings.unwrap_or(self.model_type == "gemma")
    }

    /// Whether norms are stored less one.
    pub(super) fn raises_norms(&self) -> bool {
        self.model_type == "gemma"
    }

    pub(super) fn rope(&self) -> Rope {
        self.rope_parameters.clone().or_else(|| self.rope_scaling.clone()).unwrap_or_default()
    }

    pub(super) fn base(&self) -> f32 {
        self.rope().rope_theta.or(self.rope_theta).unwrap_or(10_000.0)
    }

    /// Numbers of a head that positions turn.
    pub(super) fn turned(&self) -> Result<u32, DecoderError> {
        let head = match self.head_dim {
            Some(head) => head,
            None => self.hidden_size.checked_div(self.num_attention_heads).unwrap_or(0),
        };
        let share = self.rope().partial_rotary_factor.or(self.partial_rotary_factor).unwrap_or(1.0);
        match share > 0.0 && share <= 1.0 && head > 0 {
            true => Ok((head as f32 * share) as u32),
            false => Err(DecoderError::Metadata("config.json has heads of no numbers, or turns more than all".into())),
        }
    }

    /// Mistral is Llama with a window.
    fn architecture(&self) -> &str {
        match self.model_type.as_str() {
            "mistral" => "llama",
            other => other,
        }
    }

    fn refuse_unsupported(&self) -> Result<(), DecoderError> {
        let unsupported = |what: &str| Err(DecoderError::Unsupported(what.to_owned()));
        if self.quantization_config.is_some() {
            return unsupported("weights that are quantized in safetensors; take the model in GGUF");
        }
        if self.use_sliding_window && self.model_type.starts_with("qwen") {
            return unsupported("a window in some of its layers");
        }
        let activation = self.hidden_activation.as_deref().or(self.hidden_act.as_deref());
        let known = match self.model_type.as_str() {
            "gemma" => matches!(activation, None | Some("gelu" | "gelu_pytorch_tanh")),
            _ => matches!(activation, None | Some("silu" | "swish")),
        };
        match known {
            true => Ok(()),
            false => unsupported("another activation than that of its family"),
        }
    }
}
