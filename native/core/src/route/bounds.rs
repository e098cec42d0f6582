//! What models can and cannot do, as the operator says (`[[models]]`).

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::config::{Config, Model};
use crate::glob::Glob;

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
}

struct Said {
    /// Index of the provider that it is said of alone.
    provider: Option<u32>,
    bounds: Bounds,
}

impl Known {
    pub fn of(config: &Config, hasher: FixedState) -> Known {
        let mut known = Known { exact: HashMap::with_hasher(hasher), patterns: Vec::new() };
        for model in &config.models {
            let provider = model.provider.as_ref().map(|name| {
                let at = config.providers.iter().position(|provider| provider.name == *name);
                // One that is not there has no candidates either.
                at.map_or(u32::MAX, |at| at as u32)
            });
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
    /// before a pattern, a longer pattern before a shorter one, and of equals one that names the provider.
    pub fn get(&self, provider: u32, model: &str) -> Option<Arc<Bounds>> {
        if self.exact.is_empty() && self.patterns.is_empty() {
            return None;
        }
        let exact = self.exact.get(model).into_iter().flatten();
        let patterns = self.patterns.iter().filter(|(glob, _)| glob.matches(model)).map(|(_, said)| said);
        let all = exact.chain(patterns).filter(|said| said.provider.is_none_or(|own| own == provider));
        all.map(|said| said.bounds.clone()).reduce(Bounds::or).map(Arc::new)
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
        }
    }
}
