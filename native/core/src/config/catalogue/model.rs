//! What is known of a model at the providers of a type.

use super::{Catalogue, ProviderType};
use crate::config::{BaseUrl, LongPrompts, Price, Provider, Rates};
use crate::probe::Facts;

/// `[[models]]` of a catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownModel {
    /// The type of its providers.
    pub provider: String,
    /// As it is asked for there, or a prefix that ends in `*`.
    pub name: String,
    /// Input tokens that it holds.
    pub context_tokens: Option<u64>,
    /// Output tokens that it may be asked for.
    pub max_output_tokens: Option<u64>,
    /// What it takes: of [`MODALITIES`].
    pub modalities: Vec<&'static str>,
    /// What it does: of [`CAPABILITIES`].
    pub capabilities: Vec<&'static str>,
    /// What it costs.
    pub price: Option<KnownPrice>,
    /// The day on which all that was so, as `YYYY-MM-DD`.
    pub as_of: Option<String>,
    /// The page that says so.
    pub source: Option<String>,
}

/// What a model costs at the providers of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownPrice {
    /// What tokens cost.
    pub rates: Rates,
    /// What they cost in a request with a long prompt.
    pub long_prompts: Option<LongPrompts>,
}

/// What a model may take.
pub const MODALITIES: &[&str] = &["text", "image", "audio", "video", "pdf"];
/// What a model may do.
pub const CAPABILITIES: &[&str] = &["chat", "embeddings", "tools", "structured_output", "reasoning"];

impl KnownModel {
    /// What is listed is so; of what is not, nothing is known.
    pub fn facts(&self) -> Facts {
        let takes = |word: &str| self.modalities.contains(&word).then_some(true);
        let does = |word: &str| self.capabilities.contains(&word).then_some(true);
        Facts {
            context: self.context_tokens,
            max_output: self.max_output_tokens,
            chat: does("chat"),
            tools: does("tools"),
            vision: takes("image"),
            audio: takes("audio"),
            embeddings: does("embeddings"),
            structured_output: does("structured_output"),
            reasoning: does("reasoning"),
            ..Facts::default().named(&self.name)
        }
    }

    /// What it costs, as an operator would write it.
    pub fn price(&self) -> Option<Price> {
        self.price.map(|price| Price {
            model: self.name.clone(),
            provider: None,
            rates: price.rates,
            long_prompts: price.long_prompts,
        })
    }

    /// How well it fits a name: not at all, by so many bytes of a prefix, or exactly.
    fn fits(&self, model: &str) -> Option<usize> {
        match self.name.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix).then_some(prefix.len()),
            None => (self.name == model).then_some(usize::MAX),
        }
    }
}

impl Catalogue {
    /// What is known of the models of `provider`, an operator's words before hoosh's. A type's models are known where the
    /// type's own service is asked, and nowhere else: what is behind another address may be called the same.
    pub fn models_of<'a>(&'a self, provider: &'a Provider) -> impl Iterator<Item = &'a KnownModel> {
        let asked = |kind: Option<&ProviderType>| kind.is_some_and(|kind| is_at_home(provider, kind));
        let own = asked(self.find(&provider.type_name)).then_some(self.models.as_slice());
        // hoosh knows models of services alone, which have keys; for others they need not be read.
        let service = Catalogue::built_in().own(&provider.type_name).filter(|kind| kind.key_variable.is_some());
        let known = asked(service).then(Catalogue::built_in_models);
        let all = own.into_iter().chain(known).flatten();
        all.filter(|model| model.provider == provider.type_name)
    }

    /// What is known of one of them: an exact name goes before the longest prefix.
    pub fn model<'a>(&'a self, provider: &'a Provider, model: &str) -> Option<&'a KnownModel> {
        let fitting = self.models_of(provider).filter_map(|known| Some((known.fits(model)?, known)));
        // Of equals the first.
        fitting.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, known)| known)
    }
}

/// Whether a provider is where its type says, if it says where. A proxy on the way there makes no difference.
fn is_at_home(provider: &Provider, kind: &ProviderType) -> bool {
    let place = |url: &'_ BaseUrl| (url.origin.tls, url.origin.port);
    kind.home.as_ref().is_none_or(|home| {
        let url = provider.base_url.as_ref();
        url.is_some_and(|url| place(url) == place(home) && url.origin.host == home.origin.host)
    })
}
