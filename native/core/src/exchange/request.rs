//! Opens an attempt: the caller's bytes for its upstream, with only those fields changed that must be.

use bytes::Bytes;

use super::answered::answered_by;
use super::attempt::Attempt;
use super::call::is_uuid;
use super::{Exchange, Phase, Step, UpstreamId};
use crate::config::ProviderKind;
use crate::dialects::neutral;
use crate::dialects::openai::{effort, splice};
use crate::dialects::own::{leave_pool, name_model};
use crate::dialects::{Dialect, Loss, To};
use crate::error::{Code, Failure};
use crate::gateway::Upstream;
use crate::health;
use crate::http::{Body, Headers, UpstreamRequest};
use crate::json::Edits;
use crate::limit::Permit;
use crate::route::Candidate;
use crate::sync::Arc;

pub(super) const USER_AGENT: &str = concat!("hoosh/", env!("CARGO_PKG_VERSION"));

fn no_address() -> Failure {
    Failure::new(Code::Internal, "A provider without an address was chosen.")
}

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
            ProviderKind::Http if self.ask().is_some() => self
                .write_passed(to, &upstream, health.n)
                .ok_or_else(no_address)
                .map(|request| Step::Send { u, request }),
            ProviderKind::Http if upstream.hooked => self
                .write_request(to, &upstream, health.n)
                .map(|request| self.call_step(u, &upstream, request.body.whole(), Some(request))),
            ProviderKind::Http => self.write_request(to, &upstream, health.n).map(|request| Step::Send { u, request }),
            ProviderKind::Engine => {
                self.upstream_body(to, &upstream, &[]).map(|body| self.call_step(u, &upstream, body, None))
            }
        };
        let step = match step {
            Ok(step) => step,
            Err(failure) => return self.fail(failure),
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

    fn write_request(
        &mut self,
        to: &Candidate,
        upstream: &Upstream,
        credential: u16,
    ) -> Result<UpstreamRequest, Failure> {
        let origin = upstream.origin.clone().ok_or_else(no_address)?;
        let version = self.version(upstream);
        let body = self.upstream_body(to, upstream, &version)?;
        let (call, dialect) = (self.call(), upstream.dialect);
        let accept = if self.facts().stream { dialect.door().framing.media_type() } else { "application/json" };
        let mut headers: Headers = Vec::with_capacity(6);
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json")));
        headers.push((Bytes::from_static(b"accept"), Bytes::from_static(accept.as_bytes())));
        headers.push((Bytes::from_static(b"accept-encoding"), Bytes::from_static(b"identity")));
        headers.push((Bytes::from_static(b"user-agent"), Bytes::from_static(USER_AGENT.as_bytes())));
        if !upstream.uuid_ids || is_uuid(&call.request_id) {
            headers.push(super::call::id_header(call));
        }
        headers.extend(upstream.credential(credential, &version));
        self.pass_request_headers(upstream, &mut headers);
        self.add_told(upstream, version, &mut headers);
        let target = match dialect {
            Dialect::NEUTRAL => upstream.target(self.endpoint()).clone(),
            dialect => {
                let (protocol, address) = (upstream.protocol(), self.address(to, upstream, &[]));
                let target = match self.dialect() == dialect {
                    true => protocol.target_in(self.call().asked.form, &address),
                    false => protocol.target(&address),
                };
                Bytes::from(format!("{}{target}", upstream.prefix))
            }
        };
        Ok(UpstreamRequest { origin, method: "POST", target, headers, body: Body::Whole(body) })
    }

    /// Of the dialect's API: the caller's where it speaks the same, unless the provider's table names one.
    pub(super) fn version(&self, upstream: &Upstream) -> Bytes {
        let Some((header, usual)) = &upstream.version else { return Bytes::new() };
        let of = |headers: &Headers| headers.iter().find(|(name, _)| name == header).map(|(_, value)| value.clone());
        let told = || of(&self.call().told).filter(|_| self.dialect() == upstream.dialect);
        of(&upstream.headers).or_else(told).unwrap_or_else(|| usual.clone())
    }

    /// Headers of the dialect: what the caller said in its own, and the version.
    fn add_told(&self, upstream: &Upstream, version: Bytes, headers: &mut Headers) {
        let has = |headers: &Headers, name: &[u8]| headers.iter().any(|(own, _)| own == name);
        let named = upstream.version.as_ref().map(|(header, _)| header);
        if self.dialect() == upstream.dialect {
            for (name, value) in self.call().told.iter().filter(|(name, _)| Some(name) != named) {
                if !has(headers, name) {
                    headers.push((name.clone(), value.clone()));
                }
            }
        }
        headers.extend(named.filter(|name| !has(headers, name)).map(|name| (name.clone(), version)));
    }

    fn address<'a>(&self, to: &'a Candidate, upstream: &Upstream, version: &'a [u8]) -> To<'a> {
        let named = self.facts().output_cap;
        To {
            endpoint: self.endpoint(),
            model: &to.model,
            stream: self.facts().stream,
            cap: self.told_cap(to, upstream).filter(|cap| named != Some(*cap)),
            version: std::str::from_utf8(version).unwrap_or_default(),
        }
    }

    /// The body in the upstream's dialect. What that cannot carry is put down, or refused if the caller is strict.
    fn upstream_body(&mut self, to: &Candidate, upstream: &Upstream, version: &[u8]) -> Result<Bytes, Failure> {
        let (body, loss) = self.translate(to, upstream, version)?;
        self.lose(loss)?;
        Ok(body)
    }

    /// The body in the upstream's dialect, and what is lost on the way. Between equal dialects nothing is.
    pub(super) fn translate(
        &self,
        to: &Candidate,
        upstream: &Upstream,
        version: &[u8],
    ) -> Result<(Bytes, Loss), Failure> {
        let (own, facts) = (self.dialect(), self.facts());
        let source = facts.source.as_deref();
        let bar = source.and_then(|source| source.bar.as_deref());
        if let Some(why) = bar.filter(|_| upstream.dialect != own || upstream.kind == ProviderKind::Engine) {
            return Err(why.clone());
        }
        // Another upstream of its dialect has not what it goes on from.
        let home = source.and_then(|source| source.home.as_ref());
        if let Some(why) = bar.filter(|_| home.is_some_and(|home| home.provider != upstream.name)) {
            return Err(why.clone());
        }
        let mut loss = source.map_or_else(Loss::default, |source| source.loss.clone());
        let (mut edits, mut written) = (Edits::new(), Loss::default());
        let is_engine = upstream.kind == ProviderKind::Engine;
        if (is_engine || upstream.dialect != own) && to.never_thinks() {
            effort::leave_out(&facts.body, &facts.index, &mut edits, &mut written);
        }
        if is_engine && source.is_none() {
            loss.join(&written);
            return Ok((self.edited_body(to, upstream, edits), loss));
        }
        let address = self.address(to, upstream, version);
        let body = match source {
            // What hoosh gave of another dialect's answer, and its caller gives back.
            None if upstream.dialect == own && upstream.protocol().has_own(&facts.body) => {
                upstream.protocol().splice_loses(&facts.body, &mut loss);
                upstream.protocol().splice_request(&address, &facts.body)
            }
            None if upstream.dialect == own => return Ok((self.edited_body(to, upstream, edits), loss)),
            Some(source) if upstream.dialect == own => {
                let body = own.protocol().splice_request(&address, &source.body);
                return Ok((Bytes::from(body), Loss::default()));
            }
            _ => {
                let neutral = match edits.is_empty() {
                    true => facts.body.clone(),
                    false => edits.apply(&facts.body, &facts.index).into(),
                };
                let body = upstream.protocol().write_request(&address, &neutral, &mut written)?;
                let said = source.map_or(&facts.body, |source| &source.body);
                loss.join_spelled(&written, own.protocol().places(), said);
                body
            }
        };
        Ok((Bytes::from(body), loss))
    }

    fn lose(&mut self, loss: Loss) -> Result<(), Failure> {
        self.refuse_loss(&loss)?;
        self.account.loss = loss;
        Ok(())
    }

    /// The body that policy read, with these edits and otherwise only those fields changed that must be. It is scanned already.
    pub(super) fn edited_body(&self, to: &Candidate, upstream: &Upstream, mut edits: Edits) -> Bytes {
        let facts = self.facts();
        let (index, body, endpoint) = (&facts.index, &facts.body, self.endpoint());
        match facts.model.is_empty() {
            true => leave_pool(index, body, &mut edits),
            false => name_model(&to.model, index, body, &mut edits),
        }
        if facts.stream && !facts.include_usage && self.ask().is_none() {
            splice::ask_for_usage(index, body, &mut edits);
        }
        // What was reserved, and what limits allow, is what the upstream may spend: the worst case is enforced, not guessed.
        match (self.cap_at(to, upstream), to.most_output()) {
            (Some(cap), _) => splice::cap_output(upstream.cap_field, endpoint, cap, index, body, &mut edits),
            (None, Some(most)) => {
                splice::lower_caps(endpoint, most, index, body, &mut edits);
            }
            (None, None) => {}
        }
        if edits.is_empty() {
            return body.clone();
        }
        Bytes::from(edits.apply(body, index))
    }
}
