//! Which models each provider says it has: by its list over HTTP, or as an engine of this process reports.

use hashbrown::HashMap;

use crate::config::{Config, ProviderKind};
use crate::dialects::openai::fields::MAX_MODEL_BYTES;
use crate::engine::Card;
use crate::json;
use crate::sync::Arc;

type ByProvider<T> = HashMap<Arc<str>, Vec<T>, foldhash::fast::FixedState>;

/// Most models that a list may add; what is longer is no list of models.
const MAX_LISTED: usize = 10_000;

/// What providers said, by their names. It outlasts a configuration.
#[derive(Default)]
pub(crate) struct Discovered {
    lists: ByProvider<String>,
    cards: ByProvider<Card>,
}

impl Discovered {
    pub fn has_list(&self, provider: &Arc<str>) -> bool {
        self.lists.contains_key(provider)
    }

    /// The models that a provider said it has, if it said anything.
    pub fn models(&self, provider: &str, kind: ProviderKind) -> Option<Vec<String>> {
        match kind {
            ProviderKind::OpenAi => self.lists.get(provider).cloned(),
            ProviderKind::Engine => {
                self.cards.get(provider).map(|cards| cards.iter().map(|card| card.model.clone()).collect())
            }
        }
    }

    /// What an engine says of its models.
    pub fn cards(&self, provider: &str) -> &[Card] {
        self.cards.get(provider).map_or(&[], Vec::as_slice)
    }

    /// Whether these models of a provider are news. That it has none is noted, but takes no known ones away.
    pub fn learn(&mut self, provider: Arc<str>, models: Vec<String>) -> bool {
        if models.is_empty() {
            self.lists.entry(provider).or_default();
            return false;
        }
        let news = self.lists.get(&provider) != Some(&models);
        if news {
            self.lists.insert(provider, models);
        }
        news
    }

    /// Whether what an engine reports changes who can be asked for what.
    pub fn report(&mut self, provider: &str, mut cards: Vec<Card>) -> bool {
        cards.retain(|card| is_name(&card.model));
        cards.truncate(MAX_LISTED);
        let before = self.cards.insert(provider.into(), cards);
        let (before, now) = (before.unwrap_or_default(), self.cards(provider));
        before.len() != now.len() || before.iter().zip(now).any(|(before, now)| !is_asked_alike(before, now))
    }
}

/// The models of each provider of a configuration, in its order.
pub(super) fn lists(config: &Config, discovered: &Discovered) -> Vec<Vec<String>> {
    config.providers.iter().map(|p| discovered.models(&p.name, p.kind).unwrap_or_default()).collect()
}

/// The same of what engines report.
pub(super) fn cards(config: &Config, discovered: &Discovered) -> Vec<Vec<Card>> {
    let cards = |p: &crate::config::Provider| match p.kind {
        ProviderKind::Engine => discovered.cards(&p.name).to_vec(),
        ProviderKind::OpenAi => Vec::new(),
    };
    config.providers.iter().map(cards).collect()
}

/// Routing sees no difference: what is in memory changes often, and none of it matters there.
fn is_asked_alike(one: &Card, other: &Card) -> bool {
    let asked = |card: &Card| (card.context, card.max_output, card.abilities);
    one.model == other.model && asked(one) == asked(other)
}

fn is_name(model: &str) -> bool {
    !model.is_empty() && model.len() <= MAX_MODEL_BYTES && !model.chars().any(char::is_control)
}

pub(super) fn read_list(body: &[u8]) -> Vec<String> {
    let Ok(index) = json::Index::scan(body, json::Limits::default()) else { return Vec::new() };
    let data = index.get(body, "data").filter(|data| data.kind() == json::Kind::Array);
    let ids = data.into_iter().flat_map(|data| data.elements()).filter(|model| model.kind() == json::Kind::Object);
    ids.filter_map(|model| model.get("id").and_then(|id| id.as_str()))
        .filter(|id| !id.is_empty() && id.len() <= MAX_MODEL_BYTES)
        .take(MAX_LISTED)
        .map(|id| id.into_owned())
        .collect()
}
