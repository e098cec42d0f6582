//! Credentials that a provider refused, and tokens a minute: who may be asked yet, by books of our own.
//!
//! Both are lenient where two things happen at one time: what the core does between two steps cannot be seen from outside.

use std::collections::BTreeMap;

use hoosh_core::clock::SECOND;
use hoosh_core::config::{self, CredentialSource};
use hoosh_core::gateway::LoopResult;
use hoosh_core::http::UpstreamRequest;

use super::scope::secret_of;
use crate::world::{UpState, World};

/// How long a refused credential is left alone at least.
const ALONE_US: u64 = 10 * SECOND;

/// A provider and a secret of it.
type Credential = (String, String);

/// What is remembered since the last reload.
#[derive(Debug, Default)]
pub(crate) struct HealthBooks {
    /// Refused ones: until when they are left alone, and the attempt that is to find out.
    refused: BTreeMap<Credential, (u64, Option<(usize, u32)>)>,
    /// When each was refused or accepted again: of what began before, nothing follows.
    changed_us: BTreeMap<Credential, u64>,
    /// What the gateway's loop asks on its own account.
    probes: BTreeMap<u64, Credential>,
    /// Files of credentials that are being read.
    readings: BTreeMap<u64, Reading>,
    /// By such a file: what it said last, and before that.
    texts: BTreeMap<String, (String, String)>,
    /// By provider: when, which attempt, and how many tokens it may use at least.
    tokens: BTreeMap<String, Vec<(u64, usize, u32, u64)>>,
}

/// A file of a credential that is being read.
#[derive(Debug)]
struct Reading {
    provider: String,
    file: String,
    /// What the provider is shown until then.
    shown: String,
}

impl HealthBooks {
    fn accept(&mut self, credential: &Credential, now_us: u64) {
        if self.refused.remove(credential).is_some() {
            self.changed_us.insert(credential.clone(), now_us);
        }
    }

    pub(crate) fn asked_by_loop(&mut self, id: u64, provider: &str, request: &UpstreamRequest) {
        self.probes.extend(secret_of(request).map(|secret| (id, (provider.to_owned(), secret))));
    }

    /// What the file said last, or what is configured.
    pub(crate) fn asked_to_read(&mut self, id: u64, provider: &str, file: &str, configured: &str) -> String {
        let shown = self.texts.get(file).map_or(configured, |(last, _)| last).to_owned();
        let reading = Reading { provider: provider.to_owned(), file: file.to_owned(), shown: shown.clone() };
        self.readings.insert(id, reading);
        shown
    }

    /// Whether a provider may be shown this. What is in the file holds from when it was read; a request that was written
    /// before has the one before.
    pub(crate) fn is_shown(&self, credential: &config::Credential, sent: &str) -> bool {
        let configured = credential.secret.expose();
        let Some(CredentialSource::File(file)) = credential.renewal.as_ref().map(|renewal| &renewal.source) else {
            return sent == configured;
        };
        match self.texts.get(file) {
            Some((last, before)) => sent == last || sent == before || before.is_empty() && sent.starts_with(&**file),
            None => sent.starts_with(&**file),
        }
    }

    pub(crate) fn answered_to_loop(&mut self, id: u64, result: &LoopResult, now_us: u64) {
        match result {
            LoopResult::Read(result) => {
                let (Some(reading), Ok(text)) = (self.readings.remove(&id), result) else { return };
                self.was_read(reading, text.expose().trim(), now_us);
            }
            LoopResult::Fetched(result) => {
                let well = matches!(result, Ok((200..=299 | 404 | 405, _)));
                if let Some(credential) = self.probes.remove(&id).filter(|_| well) {
                    self.accept(&credential, now_us);
                }
            }
            // The log counts its batches by itself: its numbers are others' too.
            LoopResult::Logged(_) | LoopResult::Stored(_) => {}
        }
    }

    fn was_read(&mut self, reading: Reading, text: &str, now_us: u64) {
        if text.contains(' ') {
            return;
        }
        if text != reading.shown {
            // Another credential, and nothing is known of it, though its provider may have refused that very text before
            // the one that was shown until now.
            let credential = (reading.provider, text.to_owned());
            self.refused.remove(&credential);
            self.changed_us.insert(credential, now_us);
        }
        match self.texts.get_mut(&reading.file) {
            Some((last, before)) if last != text => *before = std::mem::replace(last, text.to_owned()),
            Some(_) => {}
            None => drop(self.texts.insert(reading.file, (text.to_owned(), String::new()))),
        }
    }
}

impl World {
    /// The exchange was told, and looked, that an attempt of it met with 401 or 403.
    pub(crate) fn note_refusals(&mut self, x: usize) {
        let (now_us, current) = (self.now.mono_us, self.config);
        let driven = &mut self.xs[x];
        let heard = driven.gone_us.is_none() && driven.config == current;
        let mut refused = 0;
        for up in &mut driven.ups {
            let Some(secret) = up.secret.clone().filter(|_| std::mem::take(&mut up.refused_told)) else { continue };
            let credential = (up.provider.clone(), secret);
            let books = &mut self.books.health;
            if heard && books.changed_us.get(&credential).is_none_or(|at_us| up.opened_us > *at_us) {
                books.refused.insert(credential.clone(), (now_us + ALONE_US, None));
                books.changed_us.insert(credential, now_us);
                refused += 1;
            }
        }
        (0..refused).for_each(|_| self.count("credential refused"));
    }

    /// A refused credential is not asked with before its time, and then by one that finds out.
    pub(crate) fn judge_credential(&mut self, x: usize, u: u32, to: &str, secret: Option<&str>) -> Result<(), String> {
        let (Some(secret), now_us) = (secret, self.now.mono_us) else { return Ok(()) };
        let credential = (to.to_owned(), secret.to_owned());
        let Some((until_us, probe)) = self.books.health.refused.get(&credential).copied() else { return Ok(()) };
        if now_us < until_us {
            return Err(format!("{secret} was refused, and is asked with {} µs before its time", until_us - now_us));
        }
        match probe {
            None => drop(self.books.health.refused.insert(credential, (until_us, Some((x, u))))),
            Some((other, attempt)) if self.is_at_work(other, attempt) => {
                return Err(format!("{secret} was refused, and #{other} is finding out whether it still is"));
            }
            Some(_) => self.books.health.accept(&credential, now_us),
        }
        Ok(())
    }

    /// Whether an attempt stands, has said nothing good yet, and its exchange has nothing to do that was not seen.
    fn is_at_work(&self, x: usize, u: u32) -> bool {
        let driven = &self.xs[x];
        let open = driven.ups.get(u as usize).is_some_and(|up| up.state == UpState::Open && !up.answered);
        open && !driven.look_set && driven.exchange.is_some() && !driven.is_gone() && !driven.out.is_over()
    }

    /// What attempts in progress may use keeps to the provider's tokens a minute in any span.
    pub(crate) fn judge_token_rate(&mut self, x: usize, u: u32, to: &str, body: &[u8]) -> Result<(), String> {
        let pinned = self.pinned(x);
        let tpm = pinned.providers.iter().find(|p| p.name == to).and_then(|p| p.rate_limit_tpm);
        let (Some(tpm), now_us) = (tpm.map(u64::from), self.now.mono_us) else { return Ok(()) };
        if self.xs[x].caller.is_upload() {
            // Files cost none.
            return Ok(());
        }
        let most_output = pinned.models.iter().filter(|known| known.provider.as_deref() == Some(to));
        let most_output = most_output.filter_map(|known| known.max_output_tokens).min().unwrap_or(u64::MAX);
        let least = least_tokens(body, pinned.limits.reserve_output.min(most_output));
        self.books.health.tokens.entry(to.into()).or_default().push((now_us, x, u, least));
        self.count("tokens a minute");
        let slack_us = 10 * self.plan.lag_us;
        let mut sum = 0;
        for (at_us, x, u, tokens) in self.books.health.tokens[to].iter().rev() {
            let mine = *at_us == now_us && self.xs[*x].ups.len() <= *u as usize;
            sum += if mine || self.holds_tokens(*x, *u) { *tokens } else { 0 };
            let most = tpm + ((now_us - at_us + slack_us) * tpm).div_ceil(60 * SECOND);
            if sum > most {
                return Err(format!("{to} may be at work on {sum} tokens of {} µs, at {tpm} a minute", now_us - at_us));
            }
        }
        Ok(())
    }

    fn holds_tokens(&self, x: usize, u: u32) -> bool {
        let driven = &self.xs[x];
        let open = driven.ups.get(u as usize).is_some_and(|up| up.state == UpState::Open);
        open && !driven.look_set && driven.exchange.is_some() && !driven.is_gone() && !driven.out.is_over()
    }
}

/// Tokens that nobody can take this request for less than: its cap, and nearly all of its bytes.
fn least_tokens(body: &[u8], reserve_output: u64) -> u64 {
    let fields: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let input = (body.len() as u64).saturating_sub(200);
    if !fields["input"].is_null() {
        return input;
    }
    let caps = ["max_tokens", "max_completion_tokens"].into_iter().filter_map(|name| fields[name].as_u64());
    let output = caps.min().unwrap_or(reserve_output);
    input + output * fields["n"].as_u64().unwrap_or(1)
}
