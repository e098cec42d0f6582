//! Where an attempt may go: configured providers, the key's scope, live revocation; and how many there may be.

use hoosh_core::clock::SECOND;
use hoosh_core::config::{Config, Provider, Token};
use hoosh_core::http::UpstreamRequest;

use super::health::HealthBooks;
use super::Invariant;
use crate::caller::Flaw;
use crate::plan::SHORT_CONTEXT;
use crate::world::World;

impl World {
    /// The provider that a request goes to, by its address; the address itself if it is nobody's.
    pub(crate) fn provider_of(&self, request: &UpstreamRequest) -> String {
        let all = self.plan.configs.iter().flat_map(|config| &config.providers);
        let found = all.into_iter().find(|p| p.base_url.as_ref().is_some_and(|url| url.origin == request.origin));
        found.map_or_else(|| request.origin.authority(), |provider| provider.name.clone())
    }

    /// Checks one attempt.
    pub(crate) fn check_send(&mut self, x: usize, u: u32, to: &str, body: &[u8], request: Option<&UpstreamRequest>) {
        if u > 0 {
            self.books.retries += 1;
        }
        let judged = self
            .judge_route(x, u, to, body, request)
            .map_err(|words| (Invariant::Scope, words))
            .and_then(|()| self.judge_retry(x, u).map_err(|words| (Invariant::Retries, words)))
            .and_then(|()| self.judge_rate(x, to).map_err(|words| (Invariant::Retries, words)))
            .and_then(|()| self.judge_token_rate(x, u, to, body).map_err(|words| (Invariant::Retries, words)))
            .and_then(|()| {
                let secret = request.and_then(secret_of);
                self.judge_credential(x, u, to, secret.as_deref()).map_err(|words| (Invariant::Retries, words))
            })
            .and_then(|()| self.judge_asked_again(x))
            .and_then(|()| self.judge_content(x).map_err(|words| (Invariant::Outcome, words)));
        if let Err((invariant, words)) = judged {
            self.fail(invariant, Some(x), words);
        }
    }

    /// Judges by the configuration that it began with. One that waited, and has asked nobody, may have been routed by one
    /// that came since: from then on that is its own.
    fn judge_route(
        &mut self,
        x: usize,
        u: u32,
        to: &str,
        body: &[u8],
        request: Option<&UpstreamRequest>,
    ) -> Result<(), String> {
        let began_with = self.xs[x].config;
        let judged = self.judge_place(x, to, body, request);
        if judged.is_ok() || u > 0 {
            return judged;
        }
        for later in began_with + 1..=self.config {
            self.xs[x].config = later;
            if self.judge_place(x, to, body, request).is_ok() {
                return Ok(());
            }
        }
        self.xs[x].config = began_with;
        judged
    }

    fn judge_place(&self, x: usize, to: &str, body: &[u8], request: Option<&UpstreamRequest>) -> Result<(), String> {
        let (driven, pinned, current) = (&self.xs[x], self.pinned(x), &self.plan.configs[self.config]);
        let caller = &driven.caller;
        let Some(provider) = pinned.providers.iter().find(|p| p.name == to) else {
            return Err(format!("{to} is not among the providers that it began with"));
        };
        if !current.providers.iter().any(|p| p.name == to) {
            return Err(format!("{to} was withdrawn"));
        }
        if driven.must_refuse {
            return Err("it came while nothing new was to be let in".into());
        }
        // What is wrong with a body that is sent on is not known when its attempt begins.
        let is_late = caller.is_upload() && matches!(caller.flaw, Flaw::TooLarge | Flaw::Framing);
        if (caller.flaw != Flaw::None && !is_late) || (caller.endpoint().is_none() && !caller.is_upload()) {
            return Err(format!("a request with a flaw ({:?}) went to an upstream", caller.flaw));
        }
        let model = if caller.is_upload() { Some(String::new()) } else { model_in(body) };
        let model = model.ok_or("the request names no model")?;
        if !caller.is_upload() && !serves(provider, &model) {
            return Err(format!("{to} does not serve {model}"));
        }
        let asked = self.stands_for(x);
        if !asked.iter().any(|name| *name == model || *name == format!("{to}/{model}")) {
            return Err(format!("{model} at {to} is none of {asked:?}"));
        }
        self.judge_bounds(x, to, &model, body)?;
        if let Some(request) = request {
            check_secrets(request, provider, &self.books.health)?;
        }
        if caller.neutral || pinned.auth.tokens.is_empty() {
            // Whoever needs no key is let go on only as long as nobody needs one.
            return match caller.neutral || current.auth.tokens.is_empty() {
                true => Ok(()),
                false => Err("keys are asked for since".into()),
            };
        }
        let name = caller.key.map(|key| format!("key-of-caller-{key}")).ok_or("it has no key")?;
        let token = token(pinned, &name).ok_or("its key is not known")?;
        if token_scope_excludes(token, pinned, to, &model) && !grants(token, pinned, &caller.model) {
            return Err(format!("{:?} does not allow {model} at {to}", token.models));
        }
        match self.plan.configs[self.config].auth.tokens.iter().any(|t| t.token.expose() == name) {
            true => Ok(()),
            false => Err("its key was revoked".into()),
        }
    }

    fn judge_retry(&self, x: usize, u: u32) -> Result<(), String> {
        let retry = &self.pinned(x).retry;
        if u >= retry.max_attempts {
            return Err(format!("attempt {} of at most {}", u + 1, retry.max_attempts));
        }
        let seconds = (self.now.mono_us - self.books.began_us).div_ceil(SECOND) + 1;
        let floor = seconds * u64::from(retry.min_per_sec);
        let share = self.books.requests * u64::from(retry.budget_percent) / 100;
        if self.books.retries > floor + share {
            let words = format!("{} retries of {} requests in {seconds} s", self.books.retries, self.books.requests);
            return Err(format!("{words}: more than {floor} + {share}"));
        }
        Ok(())
    }

    /// In any span of time, a provider is asked at most as often as its rate says.
    fn judge_rate(&mut self, x: usize, to: &str) -> Result<(), String> {
        let rpm = self.pinned(x).providers.iter().find(|p| p.name == to).and_then(|p| p.rate_limit_rpm);
        let (Some(rpm), now_us) = (rpm.map(u64::from), self.now.mono_us) else { return Ok(()) };
        let slack_us = 10 * self.plan.lag_us;
        let asked = self.books.asked_us.entry(to.into()).or_default();
        asked.push(now_us);
        let since = |at: usize| (asked.len() - at) as u64;
        let most = |at: usize| rpm + ((now_us - asked[at] + slack_us) * rpm).div_ceil(60 * SECOND);
        match (0..asked.len()).find(|at| since(*at) > most(*at)) {
            None => Ok(()),
            Some(at) => {
                let words = format!("{to} was asked {} times in {} µs", since(at), now_us - asked[at]);
                Err(format!("{words}, at {rpm} a minute"))
            }
        }
    }

    /// Whether the key of `x` has a scope, and somebody who serves its model is outside.
    pub(crate) fn leaves_out_somebody(&self, x: usize) -> bool {
        let (caller, pinned) = (&self.xs[x].caller, self.pinned(x));
        if caller.is_upload() {
            return true;
        }
        let name = caller.key.map(|key| format!("key-of-caller-{key}")).unwrap_or_default();
        let Some(token) = token(pinned, &name).filter(|_| !caller.neutral) else { return false };
        let names = self.stands_for(x);
        let leaves_out = |provider: &Provider, name: &String| {
            let model = name.strip_prefix(&format!("{}/", provider.name)).unwrap_or(name);
            serves(provider, model) && token_scope_excludes(token, pinned, &provider.name, model)
        };
        !grants(token, pinned, &caller.model)
            && pinned.providers.iter().any(|provider| names.iter().any(|name| leaves_out(provider, name)))
    }

    /// What the caller of `x` means by the model that it names: that one, or the models of an alias.
    pub(crate) fn stands_for(&self, x: usize) -> Vec<String> {
        let asked = &self.xs[x].caller.model;
        let alias = self.pinned(x).aliases.iter().find(|alias| alias.name == *asked);
        alias.map_or_else(|| vec![asked.clone()], |alias| alias.models.clone())
    }

    /// Nothing goes to a model that cannot do it, as far as this crate writes such requests.
    fn judge_bounds(&self, x: usize, to: &str, model: &str, body: &[u8]) -> Result<(), String> {
        let known = self.pinned(x).models.iter().filter(|known| known.provider.as_deref() == Some(to));
        for known in known.filter(|known| matches(&known.name, model)) {
            // Words of five bytes that are two tokens each.
            if known.context_tokens == Some(SHORT_CONTEXT) && body.len() as u64 > 6 * SHORT_CONTEXT {
                return Err(format!(
                    "{} bytes went to {model} at {to}, which holds {SHORT_CONTEXT} tokens",
                    body.len()
                ));
            }
            let caps = ["max_tokens", "max_completion_tokens"].map(|name| number_of(body, name));
            if let Some(cap) =
                caps.into_iter().flatten().find(|cap| known.max_output_tokens.is_some_and(|most| *cap > most))
            {
                return Err(format!("{model} at {to} is asked for {cap} tokens"));
            }
        }
        Ok(())
    }

    fn judge_content(&self, x: usize) -> Result<(), String> {
        let driven = &self.xs[x];
        // Signs of life are nobody's words.
        let said = String::from_utf8_lossy(&driven.out.bytes).replace(": keep-alive\n\n", "");
        if said.is_empty() {
            return Ok(());
        }
        Err("a second attempt after bytes of another reached the caller".into())
    }
}

/// The secret that a request shows its provider.
pub(crate) fn secret_of(request: &UpstreamRequest) -> Option<String> {
    let sent = request.headers.iter().find(|(name, _)| &name[..] == b"authorization").map(|(_, value)| value)?;
    String::from_utf8_lossy(sent).strip_prefix("Bearer ").map(str::to_owned)
}

fn check_secrets(request: &UpstreamRequest, provider: &Provider, books: &HealthBooks) -> Result<(), String> {
    let sent = secret_of(request);
    let shown = |sent: &str| provider.credentials.iter().any(|credential| books.is_shown(credential, sent));
    let known = sent.as_deref().is_some_and(shown);
    if !known && (sent.is_some() || !provider.credentials.is_empty()) {
        return Err("the provider's credential is not one of those configured".into());
    }
    let leaks = |bytes: &[u8]| bytes.windows(13).any(|window| window == b"key-of-caller");
    match request.headers.iter().any(|(_, value)| leaks(value)) || leaks(request.body.bytes()) {
        true => Err("the caller's key went to an upstream".into()),
        false => Ok(()),
    }
}

/// The model in a body as this crate writes it: `model` comes first.
fn model_in(body: &[u8]) -> Option<String> {
    let start = body.windows(9).position(|window| window == b"\"model\":\"")? + 9;
    let length = body[start..].iter().position(|byte| *byte == b'"')?;
    String::from_utf8(body[start..start + length].to_vec()).ok()
}

/// The number in a field of a body as this crate writes it.
fn number_of(body: &[u8], name: &str) -> Option<u64> {
    let text = String::from_utf8_lossy(body);
    let rest = text.split_once(&format!("\"{name}\":"))?.1;
    rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => name.is_empty(),
        Some(("*", rest)) => (0..=name.len()).any(|at| matches(rest, &name[at..])),
        Some((letter, rest)) => name.strip_prefix(letter).is_some_and(|name| matches(rest, name)),
    }
}

/// A scope that names an alias grants what it leads to.
fn grants(token: &Token, config: &Config, asked: &str) -> bool {
    config.aliases.iter().any(|alias| alias.name == asked) && token.models.iter().any(|model| model == asked)
}

fn serves(provider: &Provider, model: &str) -> bool {
    provider.models.is_empty() || provider.models.iter().any(|pattern| matches(pattern, model))
}

fn token<'a>(config: &'a Config, key: &str) -> Option<&'a Token> {
    config.auth.tokens.iter().find(|token| token.token.expose() == key)
}

fn token_scope_excludes(token: &Token, config: &Config, provider: &str, model: &str) -> bool {
    let allows = |pattern: &String| match pattern.split_once('/') {
        Some((first, rest)) if config.providers.iter().any(|p| p.name == first) => {
            first == provider && matches(rest, model)
        }
        _ => matches(pattern, model),
    };
    !token.models.is_empty() && !token.models.iter().any(allows)
}
