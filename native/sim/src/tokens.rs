//! Callers of `/v1/tokens/*`: they reserve, report once, twice or never, and try what is not theirs.

use hoosh_core::clock::SECOND;

use crate::caller::{Path, Spend};
use crate::check::Invariant;
use crate::world::World;

/// How long an ended reservation is remembered.
const GRACE_US: u64 = 300 * SECOND;

/// A reservation that a caller got.
#[derive(Debug)]
pub struct Granted {
    id: String,
    /// Whose it is.
    holder: String,
    /// By which it was got.
    key: Option<usize>,
    neutral: bool,
    expires_us: u64,
    /// Reports that were sent, and those that were taken.
    sent: u32,
    taken: u32,
}

type Judged = Result<(), (Invariant, String)>;

fn broken(words: impl Into<String>) -> Judged {
    Err((Invariant::Reservations, words.into()))
}

impl World {
    /// What a report says is known only when it is sent: somebody's id, mostly its own.
    pub(crate) fn write_report(&mut self, x: usize) {
        if self.xs[x].caller.path != Path::Tokens(Spend::Report) {
            return;
        }
        if !self.granted.is_empty() && self.dice.chance(80) {
            let (key, neutral) = {
                let one = &self.granted[self.dice.below(self.granted.len())];
                (one.key, one.neutral)
            };
            let caller = &mut self.xs[x].caller;
            (caller.key, caller.neutral) = (key, neutral);
            caller.headers.retain(|(name, _)| name != "Authorization" && name != "expect");
            caller.expects_continue = false;
            caller.headers.extend(key.map(|key| ("Authorization".into(), format!("Bearer key-of-caller-{key}"))));
        }
        let holder = self.tenant(x).0;
        let own: Vec<usize> = (0..self.granted.len()).filter(|at| self.granted[*at].holder == holder).collect();
        let at = match own.is_empty() || self.dice.chance(10) {
            true if self.granted.is_empty() => None,
            true => Some(self.dice.below(self.granted.len())),
            // The newest ones again and again, so that some are reported twice.
            false => Some(own[own.len() - 1 - self.dice.below(own.len().min(3))]),
        };
        let id = match at {
            Some(at) => {
                self.granted[at].sent += 1;
                self.granted[at].id.clone()
            }
            None => format!("rsv-{:032x}", self.dice.bits()),
        };
        let (input, output) = (self.dice.span(1, 100_000) - 1, self.dice.span(1, 100_000) - 1);
        let body = match self.dice.chance(50) {
            true => format!(r#"{{"id":"{id}","actual":{input}}}"#),
            false => format!(r#"{{"id":"{id}","input_tokens":{input},"output_tokens":{output},"model":"alpha"}}"#),
        };
        let caller = &mut self.xs[x].caller;
        caller.body = body.into();
        caller.headers.retain(|(name, _)| name != "Content-Length");
    }

    /// Holds an answer of `/v1/tokens/*` against what was granted.
    pub(crate) fn judge_tokens(&mut self, x: usize) -> Judged {
        let Path::Tokens(spend) = self.xs[x].caller.path else { return Ok(()) };
        let (status, bytes) = (self.xs[x].out.status, self.xs[x].out.bytes.clone());
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        self.count(&format!("tokens {spend:?} {status}"));
        match (spend, status) {
            (Spend::Reserve, 200) => {
                let Some(id) = body["id"].as_str().filter(|_| body["reserved"] == true) else {
                    return broken(format!("granted, and no id: {body}"));
                };
                if self.granted.iter().any(|granted| granted.id == id) {
                    return broken("an id was given twice");
                }
                let (id, holder, began_us) = (id.to_string(), self.tenant(x).0, self.xs[x].out.began_us);
                let expires_us = began_us + self.xs[x].caller.ttl_secs * SECOND;
                let (key, neutral) = (self.xs[x].caller.key, self.xs[x].caller.neutral);
                self.granted.push(Granted { id, holder, key, neutral, expires_us, sent: 0, taken: 0 });
                Ok(())
            }
            (Spend::Report, 200 | 404 | 409) => self.judge_report(x, status),
            (Spend::Pools, 200) if body["pools"].as_array().is_none() => broken("no list of pools"),
            _ => Ok(()),
        }
    }

    fn judge_report(&mut self, x: usize, status: u16) -> Judged {
        let asked: serde_json::Value = serde_json::from_slice(&self.xs[x].caller.body).unwrap_or_default();
        let (holder, began_us) = (self.tenant(x).0, self.xs[x].out.began_us);
        let found = self.granted.iter_mut().find(|granted| Some(&*granted.id) == asked["id"].as_str());
        let Some(granted) = found else {
            return if status == 404 { Ok(()) } else { broken("an id that nobody was given was found") };
        };
        match status {
            200 if granted.holder != holder => broken("somebody else's reservation was settled"),
            200 if granted.taken > 0 => broken("a reservation was settled twice"),
            200 => {
                granted.taken += 1;
                Ok(())
            }
            409 if granted.sent < 2 => broken("settled before, and nobody reported it"),
            404 if granted.holder == holder && began_us < granted.expires_us + GRACE_US => {
                broken("a reservation of its own was not found")
            }
            _ => Ok(()),
        }
    }
}
