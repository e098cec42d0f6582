//! What clients of some dialects ask beside answers: what a model can do, which are in memory, and that one be loaded.

use std::collections::BTreeSet;

use super::call::shown;
use super::target::Target;
use super::Exchange;
use crate::clock::SECOND;
use crate::dialects::questions::{Known, Load, Question, Questions};
use crate::dialects::{Dialect, Reply};
use crate::error::{Code, Failure};
use crate::probe::Facts;

/// Nobody says when a model leaves memory. Ollama's clients call more than 20 years "forever".
const FOREVER_SECS: i64 = 100 * 365 * 86_400;
/// Whoever asks nothing needs few bytes for it; what is longer is not read twice.
const LONGEST_LOAD: usize = 4 << 10;

impl Exchange {
    /// What has no body.
    pub(super) fn answer_question(&mut self, dialect: Dialect, question: Question) {
        let Some(questions) = dialect.door().questions else { return self.fail(no_question()) };
        let answer = match question {
            Question::Loaded => self.loaded_by(questions),
            Question::Version => questions.version(),
            // It names its model in a body: `answer_show`.
            Question::Show => return,
        };
        self.reply_json(200, answer);
    }

    /// [`Question::Show`]
    pub(super) fn answer_show(&mut self, dialect: Dialect, body: &[u8]) {
        let Some(questions) = dialect.door().questions else { return self.fail(no_question()) };
        let named = questions.model(body);
        match named.and_then(|name| self.known(&name).ok_or_else(|| no_model(questions, &name))) {
            Ok(known) => self.reply_json(200, questions.show(&known)),
            Err(failure) => self.fail(failure),
        }
    }

    fn known(&self, name: &str) -> Option<Known> {
        let candidate = self.known_as(name)?;
        let facts = self.gateway.facts_of(&self.snap, candidate.provider, &candidate.model);
        Some(known(facts.named(name)))
    }

    /// Of the models in memory those that this holder may use, each once.
    fn loaded_by(&self, questions: &dyn Questions) -> Vec<u8> {
        let mut told = BTreeSet::new();
        let all = self.gateway.loaded(&self.snap).into_iter().filter(|(provider, facts)| {
            let may_use = self.allowed(&facts.model).iter().any(|candidate| candidate.provider == *provider);
            may_use && told.insert(facts.model.clone())
        });
        let models: Vec<Known> = all.map(|(_, facts)| known(facts)).collect();
        let now = self.now.wall_us.div_euclid(SECOND as i64);
        questions.loaded(&models, now.saturating_add(FOREVER_SECS))
    }

    /// Whether a request for an answer asks nothing, in a dialect where that means something.
    pub(super) fn asked_load(&self, body: &[u8]) -> Option<(&'static dyn Questions, Load)> {
        let call = self.call();
        let Some(Target::Inference(dialect, _)) = call.target else { return None };
        let questions = dialect.door().questions.filter(|_| body.len() <= LONGEST_LOAD)?;
        Some((questions, questions.load(&call.asked, body)?))
    }

    /// Clients load a model before they ask it. hoosh has nothing to load, nor anything to unload: that is its providers'.
    pub(super) fn answer_load(&mut self, questions: &dyn Questions, load: Load, body: &[u8]) {
        let named = questions.model(body).and_then(|name| match self.known_as(&name) {
            Some(_) if load == Load::Unload => {
                let words = "keep_alive of 0 would take the model out of memory: ask its own server for that.";
                Err(Failure::new(Code::InvalidValue, words).param("keep_alive"))
            }
            Some(_) => Ok(name),
            None => Err(no_model(questions, &name)),
        });
        match named {
            Ok(model) => {
                let reply = Reply { model, ..self.reply_of() };
                self.reply_json(200, questions.answer_load(&reply));
            }
            Err(failure) => self.fail(failure),
        }
    }
}

fn no_question() -> Failure {
    Failure::new(Code::UnknownPath, "This dialect has no such question.")
}

fn no_model(questions: &dyn Questions, name: &str) -> Failure {
    let (shown, list) = (shown(name), questions.list());
    let words = format!("model '{shown}' not found, or this key may not use it: {list} lists what there is");
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
