//! Opens an attempt: the caller's bytes for its upstream, with only those fields changed that must be.

use bytes::Bytes;

use super::answered::answered_by;
use super::attempt::Attempt;
use super::call::is_uuid;
use super::{Exchange, Phase, Step, UpstreamId};
use crate::config::{CapField, ProviderKind};
use crate::dialects::neutral;
use crate::error::{Code, Failure};
use crate::gateway::Upstream;
use crate::health;
use crate::http::{Body, Headers, UpstreamRequest};
use crate::json::{self, Edits};
use crate::limit::Permit;
use crate::route::Candidate;
use crate::sync::Arc;

pub(super) const USER_AGENT: &str = concat!("hoosh/", env!("CARGO_PKG_VERSION"));

impl Exchange {
    /// Sends the request, or hands it to an engine of this process.
    pub(super) fn open(
        &mut self,
        to: &Candidate,
        upstream: Arc<Upstream>,
        health: health::Admission,
        permit: Option<Permit>,
    ) {
        let u: UpstreamId = self.choice.attempts;
        self.choice.attempts += 1;
        let step = match upstream.kind {
            ProviderKind::OpenAi if self.ask().is_some() => {
                self.write_passed(to, &upstream, health.n).map(|request| Step::Send { u, request })
            }
            ProviderKind::OpenAi if upstream.hooked => self
                .write_request(to, &upstream, health.n)
                .map(|request| self.call_step(u, &upstream, request.body.whole(), Some(request))),
            ProviderKind::OpenAi => {
                self.write_request(to, &upstream, health.n).map(|request| Step::Send { u, request })
            }
            ProviderKind::Engine => Some(self.call_step(u, &upstream, self.upstream_body(to, &upstream), None)),
        };
        let Some(step) = step else {
            self.fail(Failure::new(Code::Internal, "A provider without an address was chosen."));
            return;
        };
        self.steps.push_back(step);
        if self.passing.is_some() {
            self.begin_upload(u, &to.model);
        }
        let named = self.facts().output_cap;
        self.account.capped = self.told_cap(to, &upstream).filter(|cap| named != Some(*cap));
        self.account.answered_by = Some(answered_by(&upstream.name, &to.model));
        self.account.provider = Some(upstream.clone());
        self.account.model = Some(to.model.clone());
        let deadlines = self.deadlines_at(&to.model, &upstream);
        self.total_secs = deadlines.total_secs;
        self.attempt = Some(Attempt::open(u, upstream, deadlines, health, permit, self.now.mono_us));
        self.phase = Phase::Attempt;
    }

    fn call_step(&self, u: UpstreamId, upstream: &Upstream, body: Bytes, request: Option<UpstreamRequest>) -> Step {
        let (written, standing) = (request.map(Box::new), self.standing());
        let request = neutral::Request { endpoint: self.endpoint(), body, upstream: written, standing };
        Step::Call { u, engine: upstream.name.clone(), request }
    }

    fn write_request(&self, to: &Candidate, upstream: &Upstream, credential: u16) -> Option<UpstreamRequest> {
        let call = self.call();
        let accept: &'static [u8] = if self.facts().stream { b"text/event-stream" } else { b"application/json" };
        let mut headers: Headers = Vec::with_capacity(6);
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json")));
        headers.push((Bytes::from_static(b"accept"), Bytes::from_static(accept)));
        headers.push((Bytes::from_static(b"accept-encoding"), Bytes::from_static(b"identity")));
        headers.push((Bytes::from_static(b"user-agent"), Bytes::from_static(USER_AGENT.as_bytes())));
        if !upstream.uuid_ids || is_uuid(&call.request_id) {
            headers.push(super::call::id_header(call));
        }
        if let Some(authorization) = upstream.authorization(credential) {
            headers.push((Bytes::from_static(b"authorization"), authorization));
        }
        self.pass_request_headers(upstream, &mut headers);
        Some(UpstreamRequest {
            origin: upstream.origin.clone()?,
            method: "POST",
            target: upstream.target(self.endpoint()).clone(),
            headers,
            body: Body::Whole(self.upstream_body(to, upstream)),
        })
    }

    /// The caller's body, with only those fields changed that must be.
    pub(super) fn upstream_body(&self, to: &Candidate, upstream: &Upstream) -> Bytes {
        let facts = self.facts();
        let mut edits = Edits::new();
        if *to.model != *facts.model && !facts.model.is_empty() {
            let mut name = Vec::with_capacity(to.model.len() + 2);
            json::write_string(&mut name, &to.model);
            edits.set("model", name);
        }
        if facts.index.get(&facts.body, "pool").is_some() {
            edits.remove("pool");
        }
        if facts.stream && !facts.include_usage && self.ask().is_none() {
            edits.set("stream_options", self.usage_options());
        }
        match (self.cap_at(to, upstream), to.most_output()) {
            (Some(cap), _) => self.cap_output(cap, upstream.cap_field, &mut edits),
            (None, Some(most)) => {
                self.lower_caps(most, &mut edits);
            }
            (None, None) => {}
        }
        if edits.is_empty() {
            return facts.body.clone();
        }
        Bytes::from(edits.apply(&facts.body, &facts.index))
    }

    /// `stream_options` with usage asked for, whatever else the caller put there kept.
    fn usage_options(&self) -> Vec<u8> {
        let facts = self.facts();
        let given =
            facts.index.get(&facts.body, "stream_options").filter(|options| options.kind() == json::Kind::Object);
        let Some(given) = given else { return b"{\"include_usage\":true}".to_vec() };
        match json::Index::scan(given.raw(), json::Limits::default()) {
            Ok(index) => {
                let mut edits = Edits::new();
                edits.set("include_usage", Bytes::from_static(b"true"));
                edits.apply(given.raw(), &index)
            }
            Err(_) => b"{\"include_usage\":true}".to_vec(),
        }
    }

    /// What was reserved, and what limits allow, is what the upstream may spend: the worst case is enforced, not guessed. Every cap that the
    /// caller named and that is larger is lowered, because nobody knows which of two an upstream obeys.
    fn cap_output(&self, cap: u64, field: CapField, edits: &mut Edits) {
        if !self.lower_caps(cap, edits) {
            let newer = self.endpoint() == neutral::Endpoint::Chat && field == CapField::MaxCompletionTokens;
            let name = if newer { "max_completion_tokens" } else { "max_tokens" };
            edits.set(name, Bytes::from(cap.to_string()));
        }
    }

    /// Lowers the caps that the caller named; whether there is one.
    fn lower_caps(&self, cap: u64, edits: &mut Edits) -> bool {
        let facts = self.facts();
        let chat = self.endpoint() == neutral::Endpoint::Chat;
        // Completions know but one name: whatever stands in the other is no cap.
        let names: &[&'static str] = if chat { &["max_tokens", "max_completion_tokens"] } else { &["max_tokens"] };
        let mut named = false;
        for name in names {
            let Some(own) = facts.index.get(&facts.body, name).filter(|own| !own.is_null()) else { continue };
            named = true;
            if own.as_u64().is_none_or(|own| own > cap) {
                edits.set(*name, Bytes::from(cap.to_string()));
            }
        }
        named
    }
}
