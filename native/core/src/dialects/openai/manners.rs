//! What one upstream of this dialect takes beyond OpenAI's own members, and what it does not: servers differ, and none
//! says so, so that the catalogue does ([`super::quirks`]). What is not taken is refused by some (Groq, Mistral and Cerebras answer 400 or 422 to a member that they do
//! not know) and ignored by others, and some refuse requests without it (DeepSeek's and Moonshot's thinking models want
//! `reasoning_content` back wherever tools were called, Gemini's its signatures).

use crate::config::CapField;

/// Whether a member is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Taken {
    /// It is left out and reported.
    Never,
    /// It is sent as it is.
    Always,
    /// A server of many models, where it is the model that wants it: told by its name.
    #[default]
    ByModel,
}

impl Taken {
    /// Whether it is, for `model`; `words` are in the names of those that want it.
    pub(super) fn by(self, model: &str, words: &[&str]) -> bool {
        match self {
            Taken::Never => false,
            Taken::Always => true,
            Taken::ByModel => {
                let model = model.to_ascii_lowercase();
                words.iter().any(|word| model.contains(word))
            }
        }
    }
}

/// Of one upstream: what its type's quirks add up to ([`super::quirks`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Which field bounds the output of a chat.
    pub cap_field: CapField,
    /// `messages[].reasoning_content`.
    pub reasoning_content: Taken,
    /// `messages[].reasoning_details`: where thoughts of this dialect's own origin go.
    pub reasoning_details: bool,
    /// `extra_content.google.thought_signature` of calls.
    pub google_signatures: Taken,
    /// `cache_control` on messages, parts and tools.
    pub cache_control: Taken,
    /// `thinking` with `type`, beside `reasoning_effort`.
    pub thinking: Taken,
    /// `top_k` and `min_p`: vLLM, SGLang, llama.cpp, LM Studio, Ollama, OpenRouter, Together and Fireworks know them.
    pub sampling: bool,
    /// The role `developer`.
    pub developer: bool,
    /// Tools of type `custom` and a choice of type `allowed_tools`.
    pub openai_tools: bool,
    /// `metadata` is refused unless `store` is true.
    pub metadata_of_stored: bool,
    /// Most stop sequences.
    pub stops: Option<usize>,
    /// Refuses an `x-request-id` that is no UUID.
    pub uuid_ids: bool,
}

impl Manners {
    /// Of a server of which nothing is known.
    pub const USUAL: Manners = Manners {
        cap_field: CapField::MaxTokens,
        reasoning_content: Taken::ByModel,
        reasoning_details: false,
        google_signatures: Taken::ByModel,
        cache_control: Taken::ByModel,
        thinking: Taken::Never,
        sampling: true,
        developer: false,
        openai_tools: false,
        metadata_of_stored: false,
        stops: None,
        uuid_ids: false,
    };
}

impl Default for Manners {
    fn default() -> Manners {
        Manners::USUAL
    }
}

/// Models that want their thoughts back, or take them: DeepSeek's, and Moonshot's that think.
pub(super) const WANT_THOUGHTS: &[&str] = &["deepseek", "kimi-k2-thinking", "kimi-k2.", "kimi-k3"];
/// Models that sign calls as Google does.
pub(super) const SIGN_CALLS: &[&str] = &["gemini"];
/// Models whose hosts take cache markers.
pub(super) const MARK_CACHES: &[&str] = &["claude"];
/// OpenAI's models that do not think: they refuse `reasoning_effort`, whatever it says.
pub(super) const NO_EFFORT: &[&str] = &["gpt-4", "gpt-3.5"];
