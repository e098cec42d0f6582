//! The families of models, and in what they differ.
//!
//! All are decoders of the same build: attention and a gated feed-forward net, each after a norm and added to what came
//! in. What a file has in addition (biases, norms of queries and keys, norms after each half) is seen by its tensors;
//! what tensors cannot tell is here. The rules are those of llama.cpp (`src/llama-model.cpp`), which writes the files.

/// A family, as `general.architecture` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 1 to 3, Mistral, TinyLlama and many more.
    Llama,
    /// Qwen 1.5 to 2.5.
    Qwen2,
    /// Qwen 3, dense.
    Qwen3,
    /// Phi 3 and 3.5.
    Phi3,
    /// Gemma 1.
    Gemma,
    /// Gemma 2.
    Gemma2,
    /// Gemma 3, text.
    Gemma3,
}

impl Architecture {
    /// Every name that is known.
    pub const NAMES: [&'static str; 7] = ["llama", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3"];

    /// By its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "llama" => Architecture::Llama,
            "qwen2" => Architecture::Qwen2,
            "qwen3" => Architecture::Qwen3,
            "phi3" => Architecture::Phi3,
            "gemma" => Architecture::Gemma,
            "gemma2" => Architecture::Gemma2,
            "gemma3" => Architecture::Gemma3,
            _ => return None,
        })
    }

    /// Whether positions turn neighbours (0 with 1) or halves (0 with n/2). The rows of Llama's weights are stored in
    /// the order that makes neighbours right.
    pub(crate) const fn turns_neighbours(self) -> bool {
        matches!(self, Architecture::Llama)
    }

    pub(crate) const fn is_gemma(self) -> bool {
        matches!(self, Architecture::Gemma | Architecture::Gemma2 | Architecture::Gemma3)
    }

    /// Of how many layers in a row the last alone sees everything, where a window is set; 0: none sees everything.
    pub(crate) const fn window_pattern(self) -> usize {
        match self {
            Architecture::Gemma2 => 2,
            Architecture::Gemma3 => 6,
            _ => 0,
        }
    }

    /// Whether a window in the metadata is used. Qwen's files may name one that the models do not use.
    pub(crate) const fn has_window(self) -> bool {
        matches!(self, Architecture::Llama | Architecture::Phi3 | Architecture::Gemma2 | Architecture::Gemma3)
    }

    /// The window of files that name none: the first ones of Gemma 2 do not.
    pub(crate) const fn default_window(self) -> u32 {
        match self {
            Architecture::Gemma2 => 4096,
            _ => 0,
        }
    }

    /// The number of layers of the model of this family whose queries are scaled by its width instead of its heads'
    /// (Gemma 27B: `query_pre_attn_scalar` differs from the size of a head).
    pub(crate) const fn layers_scaled_by_width(self) -> Option<usize> {
        match self {
            Architecture::Gemma2 => Some(46),
            Architecture::Gemma3 => Some(62),
            _ => None,
        }
    }
}
