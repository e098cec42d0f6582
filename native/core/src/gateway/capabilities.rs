//! `GET /v1/providers`: what each provider and its models can do, and from whom that is known.

use std::collections::BTreeMap;

use super::discovered::{facts, lists};
use super::page::Page;
use super::snapshot::Snapshot;
use super::Gateway;
use crate::clock::Now;
use crate::config::catalogue::KnownModel;
use crate::config::{Price, ProviderKind, Rates};
use crate::engine::Card;
use crate::price::{decimal, PriceSource};
use crate::probe::Facts;
use crate::route::Bounds;
use crate::sync::lock;

/// From whom something is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The model's own engine, or its server.
    Probed,
    /// hoosh itself, or what the operator added to its catalogue.
    Catalogue,
    /// The operator: `[[models]]`.
    Configured,
    /// Nobody.
    Unknown,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Source::Probed => "probed",
            Source::Catalogue => "catalogue",
            Source::Configured => "configured",
            Source::Unknown => "unknown",
        }
    }
}

/// A value and from whom it is known: the operator's word before the engine's or server's, and that before the catalogue's.
fn known<T>(configured: Option<T>, probed: Option<T>, listed: Option<T>) -> (Option<T>, Source) {
    let all = [(configured, Source::Configured), (probed, Source::Probed), (listed, Source::Catalogue)];
    let first = all.into_iter().find(|(value, _)| value.is_some());
    first.unwrap_or((None, Source::Unknown))
}

impl Page {
    fn known_text(&mut self, name: &str, (text, source): (Option<&str>, Source)) {
        self.object(name, |page| {
            page.text("value", text);
            page.text("source", Some(source.as_str()));
        });
    }

    fn known_number(&mut self, name: &str, (number, source): (Option<u64>, Source)) {
        self.object(name, |page| {
            page.number("value", number);
            page.text("source", Some(source.as_str()));
        });
    }

    fn known_flag(&mut self, name: &str, (flag, source): (Option<bool>, Source)) {
        self.object(name, |page| {
            page.flag("value", flag);
            page.text("source", Some(source.as_str()));
        });
    }

    fn model(&mut self, model: &str, said: &Bounds, probed: &Facts, listed: &Facts) {
        self.text("model", Some(model));
        self.known_text("accelerator", known(None, probed.accelerator.as_deref(), None));
        self.known_number("context", known(said.context_tokens, probed.context, listed.context));
        self.known_number("max_output", known(said.max_output_tokens, probed.max_output, listed.max_output));
        self.known_number("dimensions", known(None, probed.dimensions, None));
        // Whoever speaks the dialect streams, and of an engine hoosh makes a stream.
        self.known_flag("streaming", (Some(true), Source::Catalogue));
        self.known_flag("chat", known(None, probed.chat, listed.chat));
        self.known_flag("tools", known(said.tools, probed.tools, listed.tools));
        self.known_flag("vision", known(said.images, probed.vision, listed.vision));
        self.known_flag("audio", known(said.audio, probed.audio, listed.audio));
        self.known_flag("embeddings", known(None, probed.embeddings, listed.embeddings));
        self.known_flag("structured_output", known(None, probed.structured_output, listed.structured_output));
        self.known_flag("reasoning", known(None, probed.reasoning, listed.reasoning));
        self.known_text("quantization", known(None, probed.quantization.as_deref(), None));
        self.known_number("memory_bytes", known(None, probed.memory_bytes, None));
        self.known_flag("loaded", known(None, probed.loaded, None));
    }

    /// What tokens cost. Prices of cache writes stand there where they are known.
    fn rates(&mut self, rates: &Rates) {
        for (key, rate) in rates.named() {
            if rate.is_some() || !key.starts_with("cache_write") {
                self.text(key, rate.map(decimal).as_deref());
            }
        }
    }

    fn price(&mut self, price: Option<(&Price, PriceSource)>, as_of: Option<&str>) {
        let source = match price {
            None => Source::Unknown,
            Some((_, PriceSource::Configured)) => Source::Configured,
            Some((_, PriceSource::Catalogue)) => Source::Catalogue,
        };
        self.object("price", |page| {
            match price {
                None => page.text("value", None),
                Some((price, _)) => page.object("value", |page| {
                    page.rates(&price.rates);
                    if let Some(long) = &price.long_prompts {
                        page.object("long_prompts", |page| {
                            page.number("above_tokens", Some(long.above_tokens));
                            page.rates(&long.rates);
                        });
                    }
                }),
            }
            page.text("source", Some(source.as_str()));
            if source == Source::Catalogue {
                page.text("as_of", as_of);
            }
        });
    }
}

impl Gateway {
    /// What the engine of `provider` can do, as it says now: to be told when it is there, and whenever that changes. A
    /// reload forgets none of it.
    pub fn report_engine(&self, provider: &str, cards: Vec<Card>, now: Now) {
        let news = lock(&self.chores).discovered.report(provider, cards);
        if news {
            self.swap(None, now);
        }
    }

    /// What is known of `model` at a provider: the operator's word before the engine's or server's, and that before the
    /// catalogue's.
    pub(crate) fn facts_of(&self, snapshot: &Snapshot, provider: u32, model: &str) -> Facts {
        let said = snapshot.routes.configured(provider, model).unwrap_or_default();
        let said = Facts {
            context: said.context_tokens,
            max_output: said.max_output_tokens,
            chat: said.chat,
            tools: said.tools,
            vision: said.images,
            audio: said.audio,
            embeddings: said.embeddings,
            structured_output: said.structured_output,
            ..Facts::default().named(model)
        };
        let Some(provider) = snapshot.config.providers.get(provider as usize) else { return said };
        let told = lock(&self.chores).discovered.facts(provider);
        let said = told.iter().find(|facts| facts.model == model).map_or(said.clone(), |facts| said.or(facts));
        let listed = snapshot.config.catalogue.model(provider, model).map(KnownModel::facts);
        listed.map_or(said.clone(), |listed| said.or(&listed))
    }

    /// The models in memory, each with its provider.
    pub(crate) fn loaded(&self, snapshot: &Snapshot) -> Vec<(u32, Facts)> {
        let told = facts(&snapshot.config, &lock(&self.chores).discovered);
        let all = (0u32..).zip(told).flat_map(|(at, told)| told.into_iter().map(move |facts| (at, facts)));
        all.filter(|(_, facts)| facts.loaded == Some(true)).collect()
    }

    /// `/v1/providers`.
    pub(crate) fn report_capabilities(&self, now_us: u64) -> Vec<u8> {
        let mut page = Page(Vec::with_capacity(4096));
        page.0.push(b'{');
        let snapshot = self.snapshot.load();
        let reported = {
            let discovered = &lock(&self.chores).discovered;
            lists(&snapshot.config, discovered).into_iter().zip(facts(&snapshot.config, discovered))
        };
        page.list("providers", reported.enumerate(), |page, (at, (models, facts))| {
            report(page, &snapshot, at, models.unwrap_or_default(), &facts, now_us);
        });
        page.0.push(b'}');
        page.0
    }
}

fn report(page: &mut Page, snapshot: &Snapshot, at: usize, reported: Vec<String>, facts: &[Facts], now_us: u64) {
    let (upstream, provider) = (&snapshot.upstreams[at], &snapshot.config.providers[at]);
    page.text("name", Some(&upstream.name));
    page.text("type", Some(&upstream.type_name));
    page.text(
        "kind",
        Some(match upstream.kind {
            ProviderKind::Http => "http",
            ProviderKind::Engine => "engine",
        }),
    );
    page.text("base_url", provider.base_url.as_ref().map(ToString::to_string).as_deref());
    page.object("health", |page| page.condition(&upstream.condition(now_us), now_us));
    let facts: BTreeMap<&str, &Facts> = facts.iter().map(|facts| (facts.model.as_str(), facts)).collect();
    let unknown = Facts::default();
    page.list("models", models(snapshot, at, reported).iter(), |page, model| {
        let said = snapshot.routes.configured(at as u32, model).unwrap_or_default();
        let listed = snapshot.config.catalogue.model(provider, model);
        let listed_facts = listed.map(KnownModel::facts).unwrap_or_default();
        page.model(model, &said, facts.get(model.as_str()).unwrap_or(&&unknown), &listed_facts);
        let price = snapshot.prices.as_ref().and_then(|prices| prices.price(Some(&upstream.name), model));
        page.price(price, listed.and_then(|listed| listed.as_of.as_deref()));
    });
}

/// The models that it is known to have: those named in its `models`, then those that it reports and `models` admits.
fn models(snapshot: &Snapshot, at: usize, reported: Vec<String>) -> Vec<String> {
    let provider = &snapshot.config.providers[at];
    let mut models: Vec<String> = provider.models.iter().filter(|model| !model.contains('*')).cloned().collect();
    let admitted = reported.into_iter().filter(|model| snapshot.routes.lists(at as u32, model));
    models.extend(admitted.filter(|model| !provider.models.contains(model)));
    models
}
