//! `GET /v1/providers`: what each provider and its models can do, and from whom that is known.

use super::discovered::{cards, lists};
use super::page::Page;
use super::snapshot::Snapshot;
use super::Gateway;
use crate::clock::Now;
use crate::config::ProviderKind;
use crate::engine::Card;
use crate::route::Bounds;
use crate::sync::lock;

/// From whom something is known.
#[derive(Clone, Copy)]
enum Source {
    /// The model's own engine.
    Probed,
    /// hoosh itself, of every provider of the type.
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

/// A value and from whom it is known: the operator's word before the engine's.
fn known<T>(configured: Option<T>, probed: Option<T>) -> (Option<T>, Source) {
    match (configured, probed) {
        (Some(value), _) => (Some(value), Source::Configured),
        (None, Some(value)) => (Some(value), Source::Probed),
        (None, None) => (None, Source::Unknown),
    }
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

    fn model(&mut self, model: &str, said: &Bounds, card: Option<&Card>) {
        let probed = |able: fn(&Card) -> bool| known(None, card.map(able));
        self.text("model", Some(model));
        self.known_text("accelerator", known(None, card.and_then(|card| card.accelerator.as_deref())));
        self.known_number("context", known(said.context_tokens, card.and_then(|card| card.context).map(u64::from)));
        let max_output = card.and_then(|card| card.max_output).map(u64::from);
        self.known_number("max_output", known(said.max_output_tokens, max_output));
        let dimensions = card.and_then(|card| card.dimensions).map(u64::from);
        self.known_number("dimensions", known(None, dimensions));
        // Whoever speaks the dialect streams, and of an engine hoosh makes a stream.
        self.known_flag("streaming", (Some(true), Source::Catalogue));
        self.known_flag("chat", probed(|card| card.abilities.chat));
        self.known_flag("tools", known(said.tools, card.map(|card| card.abilities.tools)));
        self.known_flag("vision", known(said.images, card.map(|card| card.abilities.vision)));
        self.known_flag("audio", known(said.audio, card.map(|card| card.abilities.audio)));
        self.known_flag("embeddings", probed(|card| card.abilities.embeddings));
        self.known_flag("structured_output", probed(|card| card.abilities.structured_output));
        self.known_flag("reasoning", probed(|card| card.abilities.reasoning));
        self.known_text("quantization", known(None, card.and_then(|card| card.quantization.as_deref())));
        self.known_number("memory_bytes", known(None, card.and_then(|card| card.memory_bytes)));
        self.known_flag("loaded", probed(|card| card.loaded));
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

    /// `/v1/providers`.
    pub(crate) fn report_capabilities(&self, now_us: u64) -> Vec<u8> {
        let mut page = Page(Vec::with_capacity(4096));
        page.0.push(b'{');
        let snapshot = self.snapshot.load();
        let reported = {
            let discovered = &lock(&self.chores).discovered;
            lists(&snapshot.config, discovered).into_iter().zip(cards(&snapshot.config, discovered))
        };
        page.list("providers", reported.enumerate(), |page, (at, (models, cards))| {
            report(page, &snapshot, at, models, &cards, now_us);
        });
        page.0.push(b'}');
        page.0
    }
}

fn report(page: &mut Page, snapshot: &Snapshot, at: usize, reported: Vec<String>, cards: &[Card], now_us: u64) {
    let (upstream, provider) = (&snapshot.upstreams[at], &snapshot.config.providers[at]);
    page.text("name", Some(&upstream.name));
    page.text("type", Some(&upstream.type_name));
    page.text(
        "kind",
        Some(match upstream.kind {
            ProviderKind::OpenAi => "http",
            ProviderKind::Engine => "engine",
        }),
    );
    page.text("base_url", provider.base_url.as_ref().map(ToString::to_string).as_deref());
    page.object("health", |page| page.condition(&upstream.condition(now_us), now_us));
    page.list("models", models(snapshot, at, reported).iter(), |page, model| {
        let said = snapshot.routes.configured(at as u32, model).unwrap_or_default();
        page.model(model, &said, cards.iter().find(|card| card.model == *model));
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
