//! Which models each provider says it has, and what it says of them: over HTTP, or as an engine of this process reports.

use hashbrown::{HashMap, HashSet};

use crate::config::{BaseUrl, Config, Provider, ProviderKind};
use crate::dialects::openai::fields::MAX_MODEL_BYTES;
use crate::engine::Card;
use crate::probe::{Facts, MAX_LISTED};
use crate::sync::Arc;

type ByProvider<T> = HashMap<Arc<str>, T, foldhash::fast::FixedState>;
type Providers = HashSet<Arc<str>, foldhash::fast::FixedState>;

/// What providers said, by their names. It outlasts a configuration.
#[derive(Default)]
pub(crate) struct Discovered {
    lists: ByProvider<Vec<String>>,
    cards: ByProvider<Vec<Card>>,
    told: ByProvider<Told>,
    /// Local servers that were looked for and are not there.
    away: Providers,
}

/// What a server over HTTP says of its models. Another address is another server.
#[derive(Default)]
struct Told {
    base_url: Option<BaseUrl>,
    facts: Vec<Facts>,
}

impl Discovered {
    pub fn has_list(&self, provider: &Arc<str>) -> bool {
        self.lists.contains_key(provider)
    }

    /// The models that a provider said it has, if it said anything.
    pub fn models(&self, provider: &str, kind: ProviderKind) -> Option<Vec<String>> {
        match kind {
            ProviderKind::Http => self.lists.get(provider).cloned(),
            ProviderKind::Engine => {
                self.cards.get(provider).map(|cards| cards.iter().map(|card| card.model.clone()).collect())
            }
        }
    }

    fn cards(&self, provider: &str) -> &[Card] {
        self.cards.get(provider).map_or(&[], Vec::as_slice)
    }

    /// What a provider says of its models.
    pub fn facts(&self, provider: &Provider) -> Vec<Facts> {
        match provider.kind {
            ProviderKind::Engine => self.cards(&provider.name).iter().map(Facts::from).collect(),
            ProviderKind::Http => {
                let told = self.told.get(provider.name.as_str()).filter(|told| told.base_url == provider.base_url);
                told.map_or_else(Vec::new, |told| told.facts.clone())
            }
        }
    }

    fn told(&mut self, provider: &Arc<str>, base_url: Option<&BaseUrl>) -> &mut Told {
        let told = self.told.entry(provider.clone()).or_default();
        if told.base_url.as_ref() != base_url {
            *told = Told { base_url: base_url.cloned(), facts: Vec::new() };
        }
        told
    }

    /// All that the server of `provider` says, in place of what it said before. Whether that changes who can be asked for
    /// what.
    pub fn tell(&mut self, provider: &Arc<str>, base_url: Option<&BaseUrl>, facts: Vec<Facts>) -> bool {
        let told = self.told(provider, base_url);
        let before = std::mem::replace(&mut told.facts, facts);
        !are_asked_alike(&before, &told.facts)
    }

    /// What it says of one model, likewise.
    pub fn tell_of(&mut self, provider: &Arc<str>, base_url: Option<&BaseUrl>, facts: Facts) -> bool {
        let all = &mut self.told(provider, base_url).facts;
        let Some(before) = all.iter_mut().find(|before| before.model == facts.model) else {
            let news = !facts.is_asked_as(&Facts::default().named(&facts.model));
            all.push(facts);
            return news;
        };
        let news = !before.is_asked_as(&facts);
        *before = facts;
        news
    }

    /// Forgets what it said of other models than these, likewise.
    pub fn keep(&mut self, provider: &Arc<str>, base_url: Option<&BaseUrl>, is_left: impl Fn(&str) -> bool) -> bool {
        let all = &mut self.told(provider, base_url).facts;
        let before = all.len();
        all.retain(|facts| is_left(&facts.model));
        all.len() != before
    }

    /// Whether these models of a provider are news. That it has none is noted, but takes no known ones away.
    pub fn learn(&mut self, provider: Arc<str>, models: Vec<String>) -> bool {
        let back = self.away.remove(&provider);
        if models.is_empty() {
            self.lists.entry(provider).or_default();
            return back;
        }
        let news = self.lists.get(&provider) != Some(&models) || back;
        if news {
            self.lists.insert(provider, models);
        }
        news
    }

    /// A provider that was looked for gave no list. Whether that is news: one that gave a list before is only down.
    pub fn missed(&mut self, provider: &Provider) -> bool {
        let name: Arc<str> = provider.name.as_str().into();
        is_looked_for(provider) && !self.has_list(&name) && self.away.insert(name)
    }

    /// Whether nobody is known to be there: such a server serves no model until it says which.
    pub fn is_away(&self, provider: &Provider) -> bool {
        is_looked_for(provider) && self.away.contains(provider.name.as_str())
    }

    /// Whether what an engine reports changes who can be asked for what.
    pub fn report(&mut self, provider: &str, mut cards: Vec<Card>) -> bool {
        cards.retain(|card| is_name(&card.model));
        cards.truncate(MAX_LISTED);
        let before = self.cards.insert(provider.into(), cards);
        let facts = |cards: &[Card]| cards.iter().map(Facts::from).collect::<Vec<_>>();
        !are_asked_alike(&facts(&before.unwrap_or_default()), &facts(self.cards(provider)))
    }
}

/// The models of each provider of a configuration, in its order; `None` of one that is not there.
pub(super) fn lists(config: &Config, discovered: &Discovered) -> Vec<Option<Vec<String>>> {
    let list = |provider: &Provider| discovered.models(&provider.name, provider.kind).unwrap_or_default();
    config.providers.iter().map(|provider| (!discovered.is_away(provider)).then(|| list(provider))).collect()
}

/// What each says of them.
pub(super) fn facts(config: &Config, discovered: &Discovered) -> Vec<Vec<Facts>> {
    config.providers.iter().map(|provider| discovered.facts(provider)).collect()
}

/// Whether hoosh looks for it on its own account. Whoever wrote it down, or gave it a key, knows that it is there.
fn is_looked_for(provider: &Provider) -> bool {
    provider.found && provider.credentials.is_empty()
}

fn are_asked_alike(some: &[Facts], others: &[Facts]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| one.is_asked_as(other))
}

fn is_name(model: &str) -> bool {
    !model.is_empty() && model.len() <= MAX_MODEL_BYTES && !model.chars().any(char::is_control)
}
