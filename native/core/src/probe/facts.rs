//! What is known of a model from whoever computes it.

use crate::engine::Card;

/// What a model is and can do, as its engine or its server says. `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name by which it is asked for, without the provider's.
    pub model: String,
    /// Tokens of prompt and answer together.
    pub context: Option<u64>,
    /// Tokens of an answer.
    pub max_output: Option<u64>,
    /// Numbers of a vector.
    pub dimensions: Option<u64>,
    /// Chat and text completions.
    pub chat: Option<bool>,
    /// Calling functions.
    pub tools: Option<bool>,
    /// Pictures in messages.
    pub vision: Option<bool>,
    /// Sound in messages.
    pub audio: Option<bool>,
    /// Vectors.
    pub embeddings: Option<bool>,
    /// Answers that keep to a JSON schema.
    pub structured_output: Option<bool>,
    /// Thinking apart from the answer.
    pub reasoning: Option<bool>,
    /// How its weights are stored, as GGUF names it.
    pub quantization: Option<String>,
    /// What computes it.
    pub accelerator: Option<String>,
    /// Bytes that it takes in memory, or would.
    pub memory_bytes: Option<u64>,
    /// Whether it is in memory.
    pub loaded: Option<bool>,
}

impl Facts {
    /// The same of another name.
    pub fn named(self, model: &str) -> Facts {
        Facts { model: model.to_owned(), ..self }
    }

    /// What it does not tell, as `other` does.
    pub fn or(self, other: &Facts) -> Facts {
        Facts {
            model: self.model,
            context: self.context.or(other.context),
            max_output: self.max_output.or(other.max_output),
            dimensions: self.dimensions.or(other.dimensions),
            chat: self.chat.or(other.chat),
            tools: self.tools.or(other.tools),
            vision: self.vision.or(other.vision),
            audio: self.audio.or(other.audio),
            embeddings: self.embeddings.or(other.embeddings),
            structured_output: self.structured_output.or(other.structured_output),
            reasoning: self.reasoning.or(other.reasoning),
            quantization: self.quantization.or_else(|| other.quantization.clone()),
            accelerator: self.accelerator.or_else(|| other.accelerator.clone()),
            memory_bytes: self.memory_bytes.or(other.memory_bytes),
            loaded: self.loaded.or(other.loaded),
        }
    }

    /// Whether routing sees no difference: what is in memory changes often, and none of it matters there.
    pub fn is_asked_as(&self, other: &Facts) -> bool {
        let asked = |facts: &Facts| {
            let sizes = (facts.context, facts.max_output);
            let does = (facts.chat, facts.tools, facts.vision, facts.audio, facts.embeddings);
            (sizes, does, facts.structured_output, facts.reasoning)
        };
        self.model == other.model && asked(self) == asked(other)
    }
}

impl From<&Card> for Facts {
    fn from(card: &Card) -> Facts {
        let able = &card.abilities;
        Facts {
            model: card.model.clone(),
            context: card.context.map(u64::from),
            max_output: card.max_output.map(u64::from),
            dimensions: card.dimensions.map(u64::from),
            chat: Some(able.chat),
            tools: Some(able.tools),
            vision: Some(able.vision),
            audio: Some(able.audio),
            embeddings: Some(able.embeddings),
            structured_output: Some(able.structured_output),
            reasoning: Some(able.reasoning),
            quantization: card.quantization.clone(),
            accelerator: card.accelerator.clone(),
            memory_bytes: card.memory_bytes,
            loaded: Some(card.loaded),
        }
    }
}
