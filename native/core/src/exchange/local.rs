//! Answers that need no upstream: model lists, health, metrics.

use bytes::Bytes;

use super::call::shown;
use super::target::Target;
use super::Exchange;
use crate::dialects::openai::models;
use crate::error::{Code, Failure};
use crate::ledger::Ending;
use crate::route::Resolved;

impl Exchange {
    pub(super) fn answer_locally(&mut self, target: &Target) {
        match target {
            Target::Models => {
                let list = models::list(&self.listed());
                self.reply_json(200, list);
            }
            Target::Model(id) => match self.listed().iter().find(|(model, _)| model == id) {
                Some((model, owner)) => self.reply_json(200, models::one(model, owner)),
                None => {
                    let words = format!("The model '{}' does not exist, or this key may not use it. GET /v1/models lists what there is.", shown(id));
                    self.fail(Failure::new(Code::UnknownModel, words).param("model"));
                }
            },
            Target::Health => self.reply_json(200, health_body("ok")),
            Target::Ready if self.gateway.is_draining() => self.reply_json(503, health_body("draining")),
            Target::Ready => self.reply_json(200, health_body("ready")),
            Target::Metrics => {
                let text = self.gateway.render_metrics();
                let headers = self.headers(b"text/plain; version=0.0.4; charset=utf-8", 0);
                self.reply(200, headers, Bytes::from(text));
                self.conclude(Ending::Completed, None);
            }
            Target::Inference(_) | Target::Explain => {}
        }
    }

    pub(super) fn reply_json(&mut self, status: u16, body: Vec<u8>) {
        let headers = self.headers(b"application/json", 0);
        self.reply(status, headers, Bytes::from(body));
        self.conclude(Ending::Completed, None);
    }

    /// The models that this holder may use: those it could ask, each with the first provider that it would be asked of.
    fn listed(&self) -> Vec<(String, String)> {
        let holder = &self.call().holder;
        let listed = self.snap.routes.listed().iter().filter_map(|listed| {
            let Resolved::Candidates(candidates) = self.snap.routes.resolve(&listed.model) else { return None };
            let upstream = |provider: u32| &self.snap.upstreams[provider as usize];
            let mut allowed = candidates.iter().filter(|c| holder.allows(&c.model, upstream(c.provider)));
            let first = allowed.next()?.provider;
            let lister = allowed.find(|c| c.provider == listed.provider).map_or(first, |c| c.provider);
            Some((listed.model.to_string(), upstream(lister).name.to_string()))
        });
        listed.collect()
    }
}

fn health_body(status: &str) -> Vec<u8> {
    format!("{{\"status\":\"{status}\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION")).into_bytes()
}
