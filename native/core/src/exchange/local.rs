//! Answers that need no upstream: model lists, health, metrics.

use bytes::Bytes;

use super::call::Target;
use super::Exchange;
use crate::dialects::openai::models;
use crate::error::{Code, Failure};
use crate::ledger::Ending;

impl Exchange {
    /// Model lists, health and metrics need no upstream.
    pub(super) fn answer_locally(&mut self, target: &Target) {
        let json = |exchange: &mut Exchange, status, body: Vec<u8>| {
            let headers = exchange.headers(b"application/json", 0);
            exchange.reply(status, headers, Bytes::from(body));
            exchange.conclude(Ending::Completed, None);
        };
        match target {
            Target::Models => {
                let body = models::list(&self.listed());
                json(self, 200, body);
            }
            Target::Model(id) => match self.listed().iter().find(|(model, _)| model == id) {
                Some((model, owner)) => {
                    let body = models::one(model, owner);
                    json(self, 200, body);
                }
                None => {
                    let words = format!("The model '{id}' does not exist, or this key may not use it. GET /v1/models lists what there is.");
                    self.fail(Failure::new(Code::UnknownModel, words).param("model"));
                }
            },
            Target::Health => json(self, 200, health_body("ok")),
            Target::Ready if self.gateway.is_draining() => json(self, 503, health_body("draining")),
            Target::Ready => json(self, 200, health_body("ready")),
            Target::Metrics => {
                let text = self.gateway.render_metrics();
                let headers = self.headers(b"text/plain; version=0.0.4; charset=utf-8", 0);
                self.reply(200, headers, Bytes::from(text));
                self.conclude(Ending::Completed, None);
            }
            Target::Inference(_) => {}
        }
    }

    /// The models that this holder may use, with the provider that lists each first.
    pub(super) fn listed(&self) -> Vec<(String, String)> {
        let holder = &self.call().holder;
        let listed = self.snap.routes.listed().iter().filter_map(|listed| {
            let upstream = &self.snap.upstreams[listed.provider as usize];
            let bare = listed.model.strip_prefix(&format!("{}/", upstream.name)).unwrap_or(&listed.model);
            let allowed = holder.allows(&listed.model, upstream) || holder.allows(bare, upstream);
            allowed.then(|| (listed.model.to_string(), upstream.name.to_string()))
        });
        listed.collect()
    }
}

fn health_body(status: &str) -> Vec<u8> {
    format!("{{\"status\":\"{status}\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION")).into_bytes()
}
