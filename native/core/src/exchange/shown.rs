//! What Ollama's clients ask beside answers: what a model can do, which are in memory, and that one be loaded.

use std::collections::BTreeSet;

use super::call::shown;
use super::target::Target;
use super::Exchange;
use crate::clock::SECOND;
use crate::dialects::ollama::load::{self, Load};
use crate::dialects::ollama::show::{asked_model, loaded, show, Known};
use crate::dialects::Dialect;
use crate::error::{Code, Failure};
use crate::probe::Facts;

/// Nobody says when a model leaves memory. Ollama's clients call more than 20 years "forever".
const FOREVER_SECS: i64 = 100 * 365 * 86_400;
/// Whoever asks nothing needs few bytes for it; what is longer is not read twice.
const LONGEST_LOAD: usize = 4 << 10;

impl Exchange {
    /// `POST /api/show`
    pub(super) fn answer_show(&mut self, body: &[u8]) {
        let known = asked_model(body).and_then(|name| self.known(&name).ok_or_else(|| no_model(&name)));
        match known {
            Ok(known) => self.reply_json(200, show(&known)),
            Err(failure) => self.fail(failure),
        }
    }

    fn known(&self, name: &str) -> Option<Known> {
        let candidate = self.known_as(name)?;
        let facts = self.gateway.facts_of(&self.snap, candidate.provider, &candidate.model);
        Some(known(facts.named(name)))
    }

    /// `GET /api/ps`: of the models in memory those that this holder may use, each once.
    pub(super) fn loaded_json(&self) -> Vec<u8> {
        let mut told = BTreeSet::new();
        let all = self.gateway.loaded(&self.snap).into_iter().filter(|(provider, facts)| {
            let may_use = self.allowed(&facts.model).iter().any(|candidate| candidate.provider == *provider);
            may_use && told.insert(facts.model.clone())
        });
        let models: Vec<Known> = all.map(|(_, facts)| known(facts)).collect();
        let now = self.now.wall_us.div_euclid(SECOND as i64);
        loaded(&models, now.saturating_add(FOREVER_SECS))
    }

    /// Whether a request of Ollama's asks nothing.
    pub(super) fn asked_load(&self, body: &[u8]) -> Option<Load> {
        let call = self.call();
        let asks = matches!(call.target, Some(Target::Inference(Dialect::Ollama, _))) && body.len() <= LONGEST_LOAD;
        asks.then(|| load::asked(&call.asked, body)).flatten()
    }

    /// Clients load a model before they ask it. hoosh has nothing to load, nor anything to unload: that is its providers'.
    pub(super) fn answer_load(&mut self, load: Load, body: &[u8]) {
        let named = asked_model(body).and_then(|name| match self.known_as(&name) {
            Some(_) if load == Load::Unload => {
                let words = "keep_alive of 0 would take the model out of memory: ask its own server for that.";
                Err(Failure::new(Code::InvalidValue, words).param("keep_alive"))
            }
            Some(_) => Ok(name),
            None => Err(no_model(&name)),
        });
        match named {
            Ok(model) => {
                let reply = crate::dialects::Reply { model, ..self.reply_of() };
                self.reply_json(200, load::answer(&reply));
            }
            Err(failure) => self.fail(failure),
        }
    }
}

fn no_model(name: &str) -> Failure {
    let words = format!("model '{}' not found, or this key may not use it: /api/tags lists what there is", shown(name));
    Failure::new(Code::UnknownModel, words).param("model")
}

fn known(facts: Facts) -> Known {
    // Who says nothing answers chats, unless it is known for vectors.
    let chats = facts.chat.unwrap_or(facts.embeddings != Some(true));
    let able = [
        ("completion", Some(chats)),
        ("tools", facts.tools),
        ("vision", facts.vision),
        ("audio", facts.audio),
        ("embedding", facts.embeddings),
        ("thinking", facts.reasoning),
    ];
    let size = facts.memory_bytes.unwrap_or_default();
    let is_elsewhere = facts.accelerator.as_deref().is_some_and(|accelerator| accelerator != "cpu");
    Known {
        name: facts.model,
        context_length: facts.context,
        embedding_length: facts.dimensions,
        quantization: facts.quantization,
        capabilities: able.into_iter().filter(|(_, able)| *able == Some(true)).map(|(name, _)| name).collect(),
        size,
        size_vram: if is_elsewhere { size } else { 0 },
    }
}
