//! Answers that need no upstream: model lists, health, metrics.

use bytes::Bytes;

use super::call::shown;
use super::target::Target;
use super::Exchange;
use crate::dialects::Model;
use crate::error::{Code, Failure};
use crate::ledger::Ending;
use crate::route::{Candidate, Resolved};

/// Who owns an alias.
const OWN: &str = "hoosh";

impl Exchange {
    pub(super) fn answer_locally(&mut self, target: &Target) {
        match target {
            Target::Models => {
                let list = self.dialect().protocol().models_body(&self.listed());
                self.reply_json(200, list);
            }
            Target::Model(id) => match self.owner_of(id) {
                Some(owner) => {
                    let model = Model { id: id.clone(), owner };
                    let body = self.dialect().protocol().model_body(&model);
                    self.reply_json(200, body);
                }
                None => {
                    let words = format!("The model '{}' does not exist, or this key may not use it. GET /v1/models lists what there is.", shown(id));
                    self.fail(Failure::new(Code::UnknownModel, words).param("model"));
                }
            },
            Target::Health => self.reply_json(200, health_body("ok")),
            Target::Ready => {
                let unready = self.gateway.unready();
                let body = ready_body(unready, self.snap.providers_word(), self.mounts_word());
                self.reply_json(if unready.is_some() { 503 } else { 200 }, body);
            }
            Target::Providers => {
                let report = self.gateway.report_providers(self.now.mono_us);
                self.reply_json(200, report);
            }
            Target::Capabilities => {
                let report = self.gateway.report_capabilities(self.now.mono_us);
                self.reply_json(200, report);
            }
            Target::Metrics => {
                let text = self.gateway.render_metrics();
                let headers = self.headers(b"text/plain; version=0.0.4; charset=utf-8", 0);
                self.reply(200, headers, Bytes::from(text));
                self.conclude(Ending::Completed, None);
            }
            Target::CacheStats => self.reply_json(200, self.gateway.cache_stats(&self.snap)),
            Target::Cache => {
                let cleared = self.snap.cache.as_ref().map_or(0, |cache| cache.clear());
                self.reply_json(200, format!("{{\"object\":\"cache\",\"cleared\":{cleared}}}").into_bytes());
            }
            Target::Tokens(_) => {
                let pools = self.pools_json();
                self.reply_json(200, pools);
            }
            Target::Costs => {
                let costs = self.gateway.costs_json(self.now.wall_us);
                self.reply_json(200, costs);
            }
            Target::Kept(id, _) | Target::KeptItems(id, _) | Target::KeptCancel(id) => self.find_kept(id),
            Target::Question(dialect, question, _) => self.answer_question(*dialect, *question),
            Target::Inference(..) | Target::Count(_) | Target::Passed(..) | Target::Explain | Target::Mounted(_) => {}
        }
    }

    pub(super) fn answer_preflight(&mut self) {
        let mut headers = self.headers(b"text/plain", 6);
        if let Some(cors) = &self.call().cors {
            cors.write_preflight(&mut headers);
        }
        self.reply(200, headers, Bytes::new());
        self.conclude(Ending::Completed, None);
    }

    pub(super) fn reply_json(&mut self, status: u16, body: Vec<u8>) {
        let headers = self.headers(b"application/json", 0);
        self.reply(status, headers, Bytes::from(body));
        self.conclude(Ending::Completed, None);
    }

    /// Whether the applications that are mounted run, where there are any.
    fn mounts_word(&self) -> Option<&'static str> {
        let word = if self.gateway.mounts_run() { "running" } else { "down" };
        (!self.snap.config.server.mounts.is_empty()).then_some(word)
    }

    /// The models that this holder may use: those it could ask, each with the first provider that it would be asked of.
    fn listed(&self) -> Vec<Model> {
        let listed = self.snap.routes.listed().iter().filter_map(|listed| {
            let allowed = self.allowed(&listed.model);
            let first = allowed.first()?;
            let owner = match listed.alias {
                true => OWN.into(),
                false => {
                    let lister = allowed.iter().find(|candidate| candidate.provider == listed.provider);
                    self.provider_name(lister.unwrap_or(first))
                }
            };
            Some(Model { id: listed.model.to_string(), owner })
        });
        listed.collect()
    }

    /// Who has a model that this holder may use and that is known by this name, also with its provider before it.
    fn owner_of(&self, id: &str) -> Option<String> {
        let candidate = self.known_as(id)?;
        let is_alias = self.snap.routes.alias(id).is_some();
        Some(if is_alias { OWN.into() } else { self.provider_name(&candidate) })
    }

    /// What such a name means: whoever would be asked first.
    pub(super) fn known_as(&self, id: &str) -> Option<Candidate> {
        let (allowed, routes) = (self.allowed(id), &self.snap.routes);
        let first = allowed.first()?;
        if routes.alias(id).is_some() {
            return Some(first.clone());
        }
        // Whoever serves every name cannot tell whether there is such a model.
        let is_known = |candidate: &Candidate| routes.lists(candidate.provider, &candidate.model);
        let known = allowed.iter().find(|candidate| is_known(candidate));
        let listed_elsewhere = || routes.listed().iter().any(|listed| *listed.model == *id).then_some(first);
        known.or_else(listed_elsewhere).cloned()
    }

    pub(super) fn allowed(&self, model: &str) -> Vec<Candidate> {
        let (holder, routes) = (&self.call().holder, &self.snap.routes);
        let Resolved::Candidates(candidates) = routes.resolve(model) else { return Vec::new() };
        let granted = holder.grants(model, routes);
        let upstream = |candidate: &Candidate| &self.snap.upstreams[candidate.provider as usize];
        candidates.iter().filter(|c| holder.allows(&c.model, upstream(c), granted)).cloned().collect()
    }

    fn provider_name(&self, candidate: &Candidate) -> String {
        self.snap.upstreams[candidate.provider as usize].name.to_string()
    }
}

fn ready_body(unready: Option<&str>, providers: &str, mounts: Option<&str>) -> Vec<u8> {
    let (status, version) = (unready.unwrap_or("ready"), env!("CARGO_PKG_VERSION"));
    let mounts = mounts.map(|word| format!(",\"mounts\":\"{word}\"")).unwrap_or_default();
    format!("{{\"status\":\"{status}\",\"version\":\"{version}\",\"providers\":\"{providers}\"{mounts}}}").into_bytes()
}

fn health_body(status: &str) -> Vec<u8> {
    format!("{{\"status\":\"{status}\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION")).into_bytes()
}
