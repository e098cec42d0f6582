//! What a model of an engine can do.

/// A model that an engine serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The name by which it is asked for, without the provider's.
    pub model: String,
    /// Tokens of prompt and answer together.
    pub context: Option<u32>,
    /// Tokens of an answer; `None`: as many as the context leaves.
    pub max_output: Option<u32>,
    /// Numbers of a vector, where it makes vectors.
    pub dimensions: Option<u32>,
    /// What it understands.
    pub abilities: Abilities,
    /// How its weights are stored, as GGUF names it (`Q4_K_M`, `F16`).
    pub quantization: Option<String>,
    /// What computes it: `cpu`, `cuda`, `metal`.
    pub accelerator: Option<String>,
    /// Bytes that it takes in memory, or would.
    pub memory_bytes: Option<u64>,
    /// Whether it is in memory.
    pub loaded: bool,
}

/// What may be asked of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Chat and text completions.
    pub chat: bool,
    /// Calling functions.
    pub tools: bool,
    /// Pictures in messages.
    pub vision: bool,
    /// Sound in messages.
    pub audio: bool,
    /// Vectors.
    pub embeddings: bool,
    /// Answers that keep to a JSON schema.
    pub structured_output: bool,
    /// Thinking apart from the answer.
    pub reasoning: bool,
}
