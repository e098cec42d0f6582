//! What models can and cannot do: as the operator says (`[[models]]`), else as their engines and servers say.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::config::{Config, Model};
use crate::glob::Glob;
use crate::probe::Facts;

/// What is known of a model at a provider. `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Takes tools.
    pub tools: Option<bool>,
    /// Takes images.
    pub images: Option<bool>,
    /// Takes or gives audio.
    pub audio: Option<bool>,
    /// Input tokens that it holds.
    pub context_tokens: Option<u64>,
    /// Output tokens that it may be asked for.
    pub max_output_tokens: Option<u64>,
    /// Chats, or goes on with a text.
    pub chat: Option<bool>,
    /// Makes embeddings.
    pub embeddings: Option<bool>,
    /// Keeps to a JSON schema.
    pub structured_output: Option<bool>,
    /// Thinks before it answers, if asked to.
    pub reasoning: Option<bool>,
}

/// What a request needs of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// It brings tools.
    pub tools: bool,
    /// It holds images.
    pub images: bool,
    /// It holds or wants audio.
    pub audio: bool,
    /// It is a chat or a completion.
    pub chat: bool,
    /// It wants embeddings.
    pub embeddings: bool,
    /// Its answer must keep to a JSON schema.
    pub structured_output: bool,
    /// Input tokens: counted, or a bound that is several times the truth.
    pub input_tokens: u64,
    /// Which of the two.
    pub is_counted: bool,
}

/// Why a model cannot answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It takes no tools.
    Tools,
    /// It takes no images.
    Images,
    /// It neither takes nor gives audio.
    Audio,
    /// It answers no chats and completions.
    Chat,
    /// It makes no embeddings.
    Embeddings,
    /// It keeps to no JSON schema.
    Schema,
    /// The input is longer than it holds.
    Context {
        /// Tokens that it holds.
        holds: u64,
        /// Tokens of the input.
        input: u64,
    },
}

impl Lack {
    /// One word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lack::Tools => "takes_no_tools",
            Lack::Images => "takes_no_images",
            Lack::Audio => "has_no_audio",
            Lack::Chat => "answers_no_chats",
            Lack::Embeddings => "makes_no_embeddings",
            Lack::Schema => "keeps_to_no_schema",
            Lack::Context { .. } => "context_too_short",
        }
    }
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lack::Tools => f.write_str("takes no tools"),
            Lack::Images => f.write_str("takes no images"),
            Lack::Audio => f.write_str("has no audio"),
            Lack::Chat => f.write_str("answers no chats"),
            Lack::Embeddings => f.write_str("makes no embeddings"),
            Lack::Schema => f.write_str("keeps to no JSON schema"),
            Lack::Context { holds, input } => write!(f, "holds {holds} tokens of input, and this has about {input}"),
        }
    }
}

/// All that is said of models.
pub(super) struct Known {
    /// By the model's name.
    exact: HashMap<Box<str>, Vec<Said>, FixedState>,
    /// The longest text first.
    patterns: Vec<(Glob, Said)>,
    /// What engines and servers say, by the model's name.
    probed: HashMap<Box<str>, Vec<Said>, FixedState>,
}

struct Said {
    /// Index of the provider that it is said of alone.
    provider: Option<u32>,
    bounds: Bounds,
}

impl Known {
    /// `probed`: what the engine or server of provider `p` says, in place `p`, which may be missing.
    pub fn of(config: &Config, probed: &[Vec<Facts>], hasher: FixedState) -> Known {
        let exact = HashMap::with_hasher(hasher.clone());
        let mut known = Known { exact, patterns: Vec::new(), probed: HashMap::with_hasher(hasher) };
        for (provider, facts) in (0..).zip(probed).flat_map(|(at, all)| all.iter().map(move |facts| (at, facts))) {
            let said = Said { provider: Some(provider), bounds: Bounds::probed(facts) };
            known.probed.entry(facts.model.as_str().into()).or_default().push(said);
        }
        let mut places: HashMap<&str, u32, FixedState> = HashMap::with_hasher(known.exact.hasher().clone());
        for (at, provider) in (0u32..).zip(&config.providers) {
            places.entry(&provider.name).or_insert(at);
        }
        for model in &config.models {
            // One that is not there has no candidates either.
            let provider = model.provider.as_ref().map(|name| places.get(&**name).copied().unwrap_or(u32::MAX));
            let said = Said { provider, bounds: Bounds::said(model) };
            match Glob::new(&model.name) {
                Glob::Exact(name) => known.exact.entry(name).or_default().push(said),
                glob => known.patterns.push((glob, said)),
            }
        }
        // Of equals, one that names the provider before one that does not.
        known.exact.values_mut().for_each(|all| all.sort_by_key(|said| said.provider.is_none()));
        known.patterns.sort_by_key(|(glob, said)| (std::cmp::Reverse(glob.literal_bytes()), said.provider.is_none()));
        known
    }

    /// What is known of `model` at `provider`, each fact from the most exact of those that tell it: the model's name
    /// before a pattern, a longer pattern before a shorter one, and of equals one that names the provider. What nobody says
    /// is as its engine or server says.
    pub fn get(&self, provider: u32, model: &str) -> Option<Arc<Bounds>> {
        if self.exact.is_empty() && self.patterns.is_empty() && self.probed.is_empty() {
            return None;
        }
        let probed = self.probed.get(model).into_iter().flatten().find(|said| said.provider == Some(provider));
        let all = self.configured(provider, model).into_iter().chain(probed.map(|said| said.bounds.clone()));
        all.reduce(Bounds::or).map(Arc::new)
    }

    /// What the operator says of it.
    pub fn configured(&self, provider: u32, model: &str) -> Option<Bounds> {
        let exact = self.exact.get(model).into_iter().flatten();
        let patterns = self.patterns.iter().filter(|(glob, _)| glob.matches(model)).map(|(_, said)| said);
        let all = exact.chain(patterns).filter(|said| said.provider.is_none_or(|own| own == provider));
        all.map(|said| said.bounds.clone()).reduce(Bounds::or)
    }
}

impl Bounds {
    /// What stands against putting a request with these needs to it. What is not known does not, nor does a length that
    /// was not counted.
    pub fn lacks(&self, needs: &Needs) -> Option<Lack> {
        let cannot = |able: Option<bool>, needed: bool| needed && able == Some(false);
        if cannot(self.tools, needs.tools) {
            return Some(Lack::Tools);
        }
        if cannot(self.images, needs.images) {
            return Some(Lack::Images);
        }
        if cannot(self.audio, needs.audio) {
            return Some(Lack::Audio);
        }
        if cannot(self.chat, needs.chat) {
            return Some(Lack::Chat);
        }
        if cannot(self.embeddings, needs.embeddings) {
            return Some(Lack::Embeddings);
        }
        if cannot(self.structured_output, needs.structured_output) {
            return Some(Lack::Schema);
        }
        let holds = self.context_tokens.filter(|holds| needs.is_counted && needs.input_tokens > *holds)?;
        Some(Lack::Context { holds, input: needs.input_tokens })
    }

    /// Whether the input must be counted to know if it fits.
    pub fn may_overflow(&self, needs: &Needs) -> bool {
        !needs.is_counted && self.context_tokens.is_some_and(|holds| needs.input_tokens > holds)
    }

    fn said(model: &Model) -> Bounds {
        Bounds {
            tools: model.tools,
            images: model.images,
            audio: model.audio,
            context_tokens: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            ..Bounds::default()
        }
    }

    fn probed(facts: &Facts) -> Bounds {
        // An encoder counts by a vocabulary that is unlike any counted with here, and may be asked to cut what is too long.
        // It judges by itself; no other model would be one to go to, since its vectors mean something else.
        let is_encoder = facts.embeddings == Some(true) && facts.chat == Some(false);
        Bounds {
            tools: facts.tools,
            images: facts.vision,
            audio: facts.audio,
            context_tokens: facts.context.filter(|_| !is_encoder),
            max_output_tokens: facts.max_output,
            chat: facts.chat,
            embeddings: facts.embeddings,
            structured_output: facts.structured_output,
            reasoning: facts.reasoning,
        }
    }

    /// What it does not tell, as `other` does.
    fn or(self, other: Bounds) -> Bounds {
        Bounds {
            tools: self.tools.or(other.tools),
            images: self.images.or(other.images),
            audio: self.audio.or(other.audio),
            context_tokens: self.context_tokens.or(other.context_tokens),
            max_output_tokens: self.max_output_tokens.or(other.max_output_tokens),
            chat: self.chat.or(other.chat),
            embeddings: self.embeddings.or(other.embeddings),
            structured_output: self.structured_output.or(other.structured_output),
            reasoning: self.reasoning.or(other.reasoning),
        }
    }
}
