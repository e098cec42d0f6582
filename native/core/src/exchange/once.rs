//! `Idempotency-Key`: a request that is sent again because its answer was lost is not paid for again.
//!
//! Stripe's contract, but for one thing: only what is final is remembered, an answer that came whole or a provider's refusal
//! of the request itself. An error that may pass (a timeout, a rate limit, a provider that is down) is no result here: SDKs
//! send the same key with every try, and would be given their first failure until the key expires.

use super::gates::Gate;
use super::target::Target;
use super::{Exchange, Move};
use crate::error::{Code, Failure};
use crate::http::HeaderView;
use crate::idempotency::{Digest, Marks, Said, Standing};
use crate::ledger::Ending;
use bytes::Bytes;

/// The longest key, as with Stripe.
const MAX_KEY: usize = 255;

/// The key of a request, if it has one.
pub(super) fn key_of(headers: &dyn HeaderView) -> Result<Option<Box<[u8]>>, Failure> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    if !(1..=MAX_KEY).contains(&key.len()) || !key.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        let words = "'Idempotency-Key' must have 1 to 255 characters of visible ASCII.";
        return Err(Failure::new(Code::InvalidValue, words).param("idempotency-key"));
    }
    Ok(Some(key.into()))
}

/// Of the whole body, as it came, and of what else the request says of itself: the provider that it names, or its path.
pub(super) fn digest(body: &[u8], besides: Option<&str>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(body);
    if let Some(besides) = besides {
        hasher.update(besides.as_bytes()).update(&(besides.len() as u64).to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// The part of all that may be remembered that one whole answer may take, where it passes as it is: a picture is larger
/// than what else is kept.
const MOST_OF_ALL: u64 = 4;

impl Exchange {
    /// Whether the same was asked before under the same key, by the same tenant.
    pub(super) fn pass_once(&mut self) -> Move {
        let asked = self.call().once.as_deref().zip(self.facts().digest);
        // An upload has no digest: it is sent on while it comes.
        let Some((key, body)) = asked else { return self.go(Gate::Rate) };
        let path = self.call().target.as_ref().map(Target::path).unwrap_or_default();
        let mut hasher = blake3::Hasher::new_derive_key("hoosh: tenant, path and idempotency key");
        for part in [self.call().holder.tenant.as_bytes(), path.as_bytes(), key] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let key = *hasher.finalize().as_bytes();
        match self.gateway.remembered.ask(key, body, self.now.mono_us) {
            Standing::First(claim) => {
                self.holds.claim = Some(claim);
                self.go(Gate::Rate)
            }
            Standing::Answered(said) => {
                self.say_again(&said);
                Move::Again
            }
            Standing::Running => {
                let words = "A request with this 'Idempotency-Key' is in progress. Ask again when it has ended.";
                self.refuse(Failure::new(Code::IdempotencyInProgress, words).retry_after(1))
            }
            Standing::Mismatch => {
                let words = "This 'Idempotency-Key' was used for another request. Take a new key for each.";
                self.refuse(Failure::new(Code::IdempotencyMismatch, words).param("idempotency-key"))
            }
        }
    }

    fn say_again(&mut self, said: &Said) {
        let marks = &said.marks;
        (self.account.replayed, self.account.said_cache) = (true, marks.cache);
        (self.account.answered_by, self.account.capped) = (marks.answered_by.clone(), marks.capped);
        self.out.passed_headers.clone_from(&marks.passed);
        self.mark_content();
        if said.stream {
            self.commit();
            self.replay(&said.body);
            self.finish();
            return;
        }
        let refused = said.status >= 400;
        if refused && self.out.is_started() {
            // The stream began early: its refusal is an event.
            self.out.passed_error = Some(said.body.clone());
            return self.fail(Failure::new(Code::UpstreamRefused, "Said before."));
        }
        let mut headers = self.headers_of(marks.content_type.as_ref(), marks.disposition.as_ref(), 2);
        if refused {
            headers.push((Bytes::from_static(b"x-should-retry"), Bytes::from_static(b"false")));
        }
        self.reply(said.status, headers, said.body.clone());
        match refused {
            true => self.conclude(Ending::Refused, Some(Code::UpstreamRefused)),
            false => self.conclude(Ending::Completed, None),
        }
    }

    /// Whether the answer is kept while it passes.
    pub(super) fn keeps_answer(&self) -> bool {
        self.holds.keeps() || self.holds.claim.is_some()
    }

    /// Leaves what was said to whoever asks the same again, if it is final.
    pub(super) fn remember(&mut self, ending: Ending) {
        let Some(claim) = self.holds.claim.take() else { return };
        // One that began early has its refusal in a stream; to ask again costs nothing then. What a hook of the operator's
        // declines it may allow the next time.
        let is_final =
            ending == Ending::Completed || self.was_refused() && !self.account.declined && !self.out.is_started();
        let body = if self.holds.keeps() { self.out.capture.copy() } else { self.out.capture.take() };
        if let (Some(body), true) = (body, is_final) {
            let stream = self.out.is_started() && !self.is_raw();
            let said = Said { status: self.out.status, body, stream, marks: self.marks(ending) };
            claim.keep(said, &self.snap.config.idempotency, self.now.mono_us);
        }
    }

    fn marks(&self, ending: Ending) -> Marks {
        let head = self.passing.as_ref().map(|passing| &passing.head).filter(|_| ending == Ending::Completed);
        let json = Some(Bytes::from_static(b"application/json"));
        Marks {
            content_type: head.map_or(json, |head| head.content_type.clone()),
            disposition: head.and_then(|head| head.disposition.clone()),
            answered_by: self.account.answered_by.clone(),
            cache: self.account.cache,
            capped: self.account.capped,
            passed: self.out.passed_headers.clone(),
        }
    }

    /// Keeps a whole answer that passes as it is.
    pub(super) fn keep_passed(&mut self, body: &Bytes) {
        if self.holds.claim.is_some() && body.len() as u64 <= self.snap.config.idempotency.max_bytes / MOST_OF_ALL {
            self.out.capture.hold(body);
        }
    }
}
