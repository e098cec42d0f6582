//! What clients of a dialect may ask beside answers and the list of models.

use super::{Ask, Reply};
use crate::error::Failure;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What is known of a model that the body names.
    Show,
    /// The models in memory.
    Loaded,
    /// Which version of a server's API is spoken.
    Version,
}

/// What is known of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The name by which it is asked for.
    pub name: String,
    /// Tokens of its context.
    pub context_length: Option<u64>,
    /// Numbers of a vector.
    pub embedding_length: Option<u64>,
    /// `Q4_K_M`.
    pub quantization: Option<String>,
    /// `completion`, `tools`, `vision`, `audio`, `embedding`, `thinking`.
    pub capabilities: Vec<&'static str>,
    /// Bytes that it takes in memory; 0 where nobody knows.
    pub size: u64,
    /// Of these, in the accelerator's memory.
    pub size_vram: u64,
}

/// What a request for an answer wants that asks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The model in memory.
    Load,
    /// The model out of memory.
    Unload,
}

/// The questions of a dialect that has them.
pub trait Questions: Sync {
    /// The model that the body of [`Question::Show`] or of a [`Load`] names.
    ///
    /// # Errors
    /// The body is no JSON object, or names none.
    fn model(&self, body: &[u8]) -> Result<String, Failure>;

    /// The answer to [`Question::Show`].
    fn show(&self, known: &Known) -> Vec<u8>;

    /// The answer to [`Question::Loaded`], and until when they stay there, seconds since the epoch.
    fn loaded(&self, models: &[Known], until: i64) -> Vec<u8>;

    /// The answer to [`Question::Version`].
    fn version(&self) -> Vec<u8>;

    /// Whether a request for an answer only loads a model, or unloads it.
    fn load(&self, ask: &Ask, body: &[u8]) -> Option<Load>;

    /// The answer to [`Load::Load`].
    fn answer_load(&self, reply: &Reply) -> Vec<u8>;

    /// Where it lists its models, in messages.
    fn list(&self) -> &'static str;
}
