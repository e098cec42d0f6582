//! Idempotency keys: one upstream call for each while its answer is remembered, given again to nobody else.

use hoosh_core::clock::SECOND;
use hoosh_core::dialects::neutral::Endpoint;

use super::Invariant;
use crate::world::World;

/// Who asked what under which key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Identity {
    tenant: (String, Vec<String>),
    endpoint: Option<Endpoint>,
    key: String,
    body: Vec<u8>,
}

/// A whole answer of the asker's own upstream.
#[derive(Debug)]
pub(crate) struct Answered {
    identity: Identity,
    x: usize,
    asked_us: u64,
    began_us: u64,
    until_us: u64,
}

impl World {
    /// `None`: it has no key, or keys are not read.
    pub(crate) fn identity(&self, x: usize) -> Option<Identity> {
        let (caller, ttl_secs) = (&self.xs[x].caller, self.pinned(x).idempotency.ttl_secs);
        let key = caller.once.clone().filter(|_| ttl_secs > 0)?;
        Some(Identity { tenant: self.tenant(x), endpoint: caller.endpoint(), key, body: caller.body.to_vec() })
    }

    /// An attempt for `x`, or for a child of it, is made although its answer is remembered.
    pub(crate) fn judge_asked_again(&mut self, x: usize) -> Result<(), (Invariant, String)> {
        let (root, now_us) = (self.root(x), self.now.mono_us);
        self.xs[root].asked_us.get_or_insert(now_us);
        let Some(identity) = self.identity(root) else { return Ok(()) };
        let known = self.books.answered.iter().find(|a| a.identity == identity && a.x != root && now_us < a.until_us);
        match known {
            Some(known) => {
                Err((Invariant::Cache, format!("it was answered to {} under its idempotency key, and asks", known.x)))
            }
            None => Ok(()),
        }
    }

    /// `x` has a whole answer of its own upstream: it is remembered, and nobody else asked the same meanwhile.
    pub(crate) fn note_answered(&mut self, x: usize) -> Result<(), (Invariant, String)> {
        let Some((identity, asked_us)) = self.identity(x).zip(self.xs[x].asked_us) else { return Ok(()) };
        let began_us = self.xs[x].out.began_us;
        let slack_us = 10 * self.plan.lag_us;
        let twin = self.books.answered.iter().find(|a| {
            let together = a.began_us.min(began_us).saturating_sub(a.asked_us.max(asked_us));
            a.identity == identity && together > slack_us
        });
        if let Some(twin) = twin {
            return Err((Invariant::Cache, format!("{} and it asked at once under one idempotency key", twin.x)));
        }
        let until_us = began_us.saturating_sub(slack_us) + self.pinned(x).idempotency.ttl_secs * SECOND;
        self.books.answered.push(Answered { identity, x, asked_us, began_us, until_us });
        self.count("remembered");
        Ok(())
    }

    /// `x` was given again what `other` had.
    pub(crate) fn judge_replayed(&mut self, x: usize, other: usize) -> Result<(), String> {
        self.count("replayed");
        let other = self.root(other);
        if !self.xs[x].ups.is_empty() {
            return Err("it asked an upstream, and was given what another had been".into());
        }
        match self.identity(x).zip(self.identity(other)) {
            Some((mine, theirs)) if mine == theirs => Ok(()),
            // The other may have had it from the cache: then only its own question tells.
            _ if self.identity(x).is_some() && self.tenant(x) == self.tenant(other) => Ok(()),
            _ => Err(format!("it was given again the answer of {other}, who asked something else")),
        }
    }
}
