//! Responses that an upstream keeps: where each is, and what is asked of it there.

use super::attempt::{Attempt, Follow};
use super::target::Target;
use super::Exchange;
use crate::dialects::anthropic::thread;
use crate::dialects::openai::passed::{read_usage, said, unread, Said};
use crate::dialects::openai::request::Facts;
use crate::dialects::passed::{is_id, Passed, Service};
use crate::dialects::responses::history;
use crate::dialects::Dialect;
use crate::gateway::{Gateway, Snapshot};
use crate::history::ResponseKey;
use crate::homes::{Home, Known};
use crate::json::{Index, Limits, Value};

/// What would be asked of the upstream that keeps the response, and the response's id. `None`: this asks for none, or not so.
pub(super) fn passed<'a>(target: &'a Target, method: &str) -> Option<(Passed, &'a str)> {
    let (passed, id) = match target {
        Target::Kept(id, _) => (Passed::Response, id),
        Target::KeptItems(id, _) => (Passed::ResponseItems, id),
        Target::KeptCancel(id) => (Passed::CancelResponse, id),
        _ => return None,
    };
    passed.allow().split(", ").any(|allowed| allowed == method).then_some((passed, id))
}

/// Where a response is that an upstream keeps, as far as that is known without the store.
pub(super) fn of(id: &str, tenant: &str, gateway: &Gateway, snap: &Snapshot) -> Option<Home> {
    match gateway.home_known(&ResponseKey::of(tenant, id)) {
        Known::Own(home) => Some(home).filter(|home| is_there(home, snap)),
        Known::Others | Known::Nobody => None,
    }
}

/// Whether who kept it may still be asked: a reload may have taken it out.
pub(super) fn is_there(home: &Home, snap: &Snapshot) -> bool {
    let hooked = |provider: u32| snap.upstreams[provider as usize].hooked;
    // Hooks see requests of JSON, and none of these.
    speaks(home, snap, Dialect::OpenAiResponses) && !snap.routes.provider(&home.provider).is_some_and(hooked)
}

/// Whether it is configured yet, with that credential, and speaks `dialect`.
pub(super) fn speaks(home: &Home, snap: &Snapshot, dialect: Dialect) -> bool {
    let Some(provider) = snap.routes.provider(&home.provider) else { return false };
    let upstream = &snap.upstreams[provider as usize];
    upstream.dialect == dialect && upstream.credentials.all().len() > usize::from(home.credential)
}

/// The facts of a request about a response: the model that made it says who may ask.
pub(super) fn facts_of(home: &Home) -> Facts {
    unread(home.asked.to_string())
}

/// What an answer about a response is. A response that failed is no failure to tell of it.
pub(super) fn said_of(body: &[u8], service: Option<Service>) -> Said {
    if service != Some(Service::Responses) {
        return said(body);
    }
    let Ok(index) = Index::scan(body, Limits::default()) else { return Said::Malformed };
    let is_response = |value: Option<Value<'_>>| value.is_some_and(|kind| kind.str_eq("response"));
    if is_response(index.get(body, "object")) {
        return Said::Fine(index.get(body, "usage").and_then(read_usage));
    }
    match index.get(body, "response") {
        // An event.
        Some(response) => Said::Fine(response.get("usage").and_then(read_usage)),
        None => said(body),
    }
}

impl Exchange {
    /// Where the response is that it asks for or goes on from.
    pub(super) fn home(&self) -> Option<&Home> {
        if let Some(ask) = self.ask() {
            return ask.home.as_ref();
        }
        self.facts.as_ref()?.source.as_ref()?.home.as_deref()
    }

    /// An answer begins that its upstream keeps: `body` is the response, or an event with it. Its id.
    pub(super) fn remember_home(&self, body: &[u8], owed: bool) -> Option<Box<str>> {
        let index = Index::scan(body, Limits::default()).ok()?;
        let response = index.get(body, "response").or_else(|| index.get(body, "message"));
        let id = match response {
            Some(response) => response.get("id"),
            None => index.get(body, "id"),
        };
        let id = id.and_then(Value::as_str).filter(|id| is_id(id))?;
        let upstream = &self.attempt.as_ref()?.upstream;
        let home = Home {
            provider: upstream.name.clone(),
            credential: self.choice.asked_with.last().map_or(0, |(_, n)| *n),
            asked: self.facts().model.as_str().into(),
            model: self.account.model.clone()?,
            owed,
        };
        self.gateway.remember_home(self.response_key(&id), home);
        Some(id.into())
    }

    /// The first event of a stream names the response.
    pub(super) fn note_home(&mut self, data: &[u8]) {
        let Some(Attempt { follow: Follow::Spoken(spoken), upstream, .. }) = &mut self.attempt else { return };
        let dialect = upstream.dialect;
        if !std::mem::take(&mut spoken.unnamed) || !self.is_kept_there(dialect) {
            return;
        }
        let source = self.facts().source.as_ref();
        let background =
            dialect == Dialect::OpenAiResponses && source.is_some_and(|source| history::is_background(&source.body));
        let id = self.remember_home(data, background).filter(|_| background);
        if let Some(Attempt { follow: Follow::Spoken(spoken), .. }) = &mut self.attempt {
            spoken.background = id;
        }
    }

    /// Whether the upstream keeps the answer: a caller of Responses says no by `store`, and one of Anthropic's yes by `thread`.
    pub(super) fn is_kept_there(&self, dialect: Dialect) -> bool {
        let source = self.facts.as_ref().and_then(|facts| facts.source.as_ref());
        let Some(source) = source.filter(|_| self.dialect() == dialect) else { return false };
        match dialect {
            Dialect::OpenAiResponses => history::is_to_be_kept(&source.body),
            Dialect::Anthropic => thread::of(&source.body).is_some(),
            _ => false,
        }
    }

    /// It was thrown away there.
    pub(super) fn leave_home(&self) {
        let call = self.call();
        if let (Some(Target::Passed(Passed::Response, Some(id))), Some("DELETE")) = (&call.target, call.method) {
            self.gateway.forget_home(self.response_key(id));
        }
    }
}
