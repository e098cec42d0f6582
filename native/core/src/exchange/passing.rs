//! Requests that pass as they are: who may be asked, and what is written to them. `passed_on` has their answers.

use bytes::Bytes;

use super::ask::Ask;
use super::passed_on::Passable;
use super::upload::Upload;
use super::Exchange;
use crate::config::{catalogue, Strategy};
use crate::dialects::passed::Service;
use crate::error::{Code, Failure};
use crate::gateway::Upstream;
use crate::http::{Body, Headers, UpstreamRequest};
use crate::json::Edits;
use crate::route::{Candidate, Resolved};
use crate::sync::Arc;

/// What an exchange keeps of a request that passes as it is.
#[derive(Debug, Default)]
pub(super) struct Passing {
    pub upload: Option<Upload>,
    /// The head of the answer that goes on.
    pub head: Passable,
    /// The answer goes on as bytes that nobody reads.
    pub is_raw: bool,
}

impl Exchange {
    pub(super) fn ask(&self) -> Option<&Ask> {
        self.call.as_ref()?.ask.as_deref()
    }

    pub(super) fn service(&self) -> Option<Service> {
        self.ask().map(|ask| ask.passed.service())
    }

    pub(super) fn passing(&mut self) -> &mut Passing {
        self.passing.get_or_insert_default()
    }

    pub(super) fn is_raw(&self) -> bool {
        self.passing.as_ref().is_some_and(|passing| passing.is_raw)
    }

    /// Who offers what is asked for and serves the model, if one is named.
    pub(super) fn offers(&self, ask: &Ask) -> Result<Arc<[Candidate]>, Failure> {
        let service = ask.passed.service();
        let named = match &ask.provider {
            Some(name) => match self.snap.routes.provider(name) {
                Some(provider) => Some(provider),
                None => {
                    let words = "There is no provider of that name. See [[providers]] in the configuration.";
                    return Err(Failure::new(Code::InvalidValue, words).param("provider"));
                }
            },
            None => None,
        };
        let model = &self.facts().model;
        let all = if model.is_empty() { self.everybody(named.is_some()) } else { self.resolve(model)? };
        let offers = |candidate: &&Candidate| {
            let upstream = &self.snap.upstreams[candidate.provider as usize];
            // Hooks see requests of JSON, and none of these.
            let offered = match &ask.home {
                Some(home) => candidate.model == home.model,
                None => upstream.services.has(service),
            };
            !upstream.hooked && offered && named.is_none_or(|named| named == candidate.provider)
        };
        let candidates: Arc<[Candidate]> = all.iter().filter(offers).cloned().collect();
        if candidates.is_empty() {
            return Err(unsupported(service, model));
        }
        Ok(candidates)
    }

    /// Every provider, in the order of the strategy; for requests without a model.
    fn everybody(&self, named: bool) -> Arc<[Candidate]> {
        let config = &self.snap.config;
        if config.server.strategy == Strategy::Direct && !named && config.providers.len() > 1 {
            return [].into();
        }
        let mut all: Vec<_> = (0u32..)
            .zip(&config.providers)
            .map(|(provider, it)| Candidate {
                provider,
                step: 0,
                model: "".into(),
                priority: it.priority,
                bounds: None,
            })
            .collect();
        all.sort_by_key(|candidate| candidate.priority);
        all.into()
    }

    fn resolve(&self, model: &str) -> Result<Arc<[Candidate]>, Failure> {
        match self.snap.routes.resolve(model) {
            Resolved::Candidates(candidates) => Ok(candidates),
            Resolved::Unknown { nearest } => Err(self.unknown_model(model, nearest)),
        }
    }

    pub(super) fn write_passed(&self, to: &Candidate, upstream: &Upstream, credential: u16) -> Option<UpstreamRequest> {
        let (call, ask) = (self.call(), self.ask()?);
        let Some(super::target::Target::Passed(passed, id)) = &call.target else { return None };
        let mut headers: Headers = Vec::with_capacity(6);
        let mut header = |name: &'static str, value: Bytes| headers.push((Bytes::from_static(name.as_bytes()), value));
        match &ask.boundary {
            Some(boundary) => {
                header("content-type", format!("multipart/form-data; boundary=\"{boundary}\"").into());
            }
            None if ask.has_body() => header("content-type", Bytes::from_static(b"application/json")),
            None => {}
        }
        header("accept", Bytes::from_static(b"*/*"));
        header("accept-encoding", Bytes::from_static(b"identity"));
        header("user-agent", Bytes::from_static(super::request::USER_AGENT.as_bytes()));
        if !upstream.uuid_ids || super::call::is_uuid(&call.request_id) {
            headers.push(super::call::id_header(call));
        }
        headers.extend(upstream.credential(credential, upstream.usual_version()));
        self.pass_request_headers(upstream, &mut headers);
        let upload = self.passing.as_ref().and_then(|passing| passing.upload.as_ref());
        Some(UpstreamRequest {
            origin: upstream.origin.clone()?,
            method: ask.method,
            target: (passed.target(&upstream.prefix, id.as_deref()) + &ask.query).into(),
            headers,
            body: match upload {
                Some(upload) => upload.body(&to.model),
                None if ask.has_body() => Body::Whole(self.edited_body(to, upstream, Edits::new())),
                None => Body::Whole(Bytes::new()),
            },
        })
    }
}

fn unsupported(service: Service, model: &str) -> Failure {
    let types = catalogue::types().iter().filter(|kind| kind.services.has(service)).map(|kind| kind.name.as_str());
    let types = types.collect::<Vec<_>>().join(", ");
    let whose = if model.is_empty() { String::new() } else { format!(" of '{}'", super::call::shown(model)) };
    let words =
        format!("No provider{whose} that may be asked offers {}. Provider types that do: {types}.", service.as_str());
    Failure::new(Code::EndpointUnsupported, words)
}
