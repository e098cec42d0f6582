//! Credentials of files and commands, read again: when it is time, and soon after a provider refused one.
//!
//! What is read holds for every attempt that is written from then on, whichever configuration its exchange began with; what
//! was sent goes on with what it has. A text that differs is another credential: nothing is known of its health.

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::chores::{Chores, What};
use super::snapshot::{Snapshot, Upstream};
use super::{Gateway, LoopStep};
use crate::clock::{Now, SECOND};
use crate::config::{Credential, LogLevel, Provider, Secret};
use crate::health::CredentialHealth;
use crate::sync::{lock, Arc, Mutex};

/// From one reading to the next at least, where it is no refresh: after a refusal, or a reading that failed. Doubled with
/// each that brought nothing.
const PAUSE_US: u64 = 10 * SECOND;
/// Where the doubling ends.
const LONGEST_PAUSE_US: u64 = 300 * SECOND;
/// A reading that takes longer is given up. A command has 10 seconds of it.
const READ_DEADLINE_US: u64 = 15 * SECOND;

/// What a provider is shown to be let in, as it is now. Outlasts a reload that keeps its source.
pub(crate) struct Shown {
    authorization: ArcSwap<Bytes>,
    readings: Mutex<Readings>,
}

#[derive(Default)]
struct Readings {
    in_progress: bool,
    /// From when `refresh_secs` counts: the last reading, or the loop's first look.
    since_us: Option<u64>,
    /// When the loop had it read last: the end, so that a command that takes long has its pause too.
    read_us: Option<u64>,
    /// The last one failed.
    failed: bool,
    /// How many in a row brought nothing while something was wanted.
    in_vain: u32,
    /// Counts reloads: what a reading brings that began before one may be older than what the reload brought.
    reloads: u64,
    /// To be read at once: of a reload's text and a reading's, nobody knows which is the newer.
    again: bool,
}

/// One reading, on its way.
pub(super) struct Reading {
    provider: Arc<str>,
    n: usize,
    shown: Arc<Shown>,
    health: Arc<CredentialHealth>,
    /// As in [`Readings`], when it began.
    reloads: u64,
}

impl Reading {
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }
}

// The text is nobody's to see.
impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown(…)")
    }
}

impl Shown {
    pub fn new(secret: &Secret) -> Arc<Shown> {
        Arc::new(Shown { authorization: ArcSwap::from_pointee(bearer(secret)), readings: Mutex::default() })
    }

    /// The header's value.
    pub fn authorization(&self) -> Bytes {
        Bytes::clone(&self.authorization.load())
    }

    /// Whether this text is news. What was known of the one before is forgotten then.
    fn take(&self, secret: &Secret, health: &CredentialHealth, now_us: u64) -> bool {
        let authorization = bearer(secret);
        if self.authorization() == authorization {
            return false;
        }
        // In this order: who is let in by the new health sends the new text.
        self.authorization.store(Arc::new(authorization));
        health.renew(now_us);
        lock(&self.readings).in_vain = 0;
        true
    }

    /// When it is to be read, if it is not being read: by its own time, and because the provider refuses it.
    fn due_us(&self, refresh_secs: Option<u64>, is_refused: bool, now_us: u64) -> Option<u64> {
        let mut readings = lock(&self.readings);
        let since_us = *readings.since_us.get_or_insert(now_us);
        if readings.in_progress {
            return None;
        }
        if readings.again {
            return Some(now_us);
        }
        let wanted = is_refused || readings.failed;
        if !wanted {
            readings.in_vain = 0;
        }
        let pause_us = PAUSE_US.saturating_mul(1 << readings.in_vain.saturating_sub(1).min(32)).min(LONGEST_PAUSE_US);
        let demanded = wanted.then(|| readings.read_us.map_or(now_us, |read_us| read_us.saturating_add(pause_us)));
        // While it brings nothing its own time does not count: it may be shorter than the pause.
        let regular = refresh_secs.filter(|_| readings.in_vain == 0);
        let regular = regular.map(|seconds| since_us.saturating_add(seconds.saturating_mul(SECOND)));
        demanded.into_iter().chain(regular).min()
    }

    /// A reading begins; returns how many reloads there were before it.
    fn begin(&self, now_us: u64) -> u64 {
        let mut readings = lock(&self.readings);
        (readings.in_progress, readings.again) = (true, false);
        (readings.since_us, readings.read_us) = (Some(now_us), Some(now_us));
        readings.reloads
    }

    /// A reload read it well. `is_news`: its text is another than what was shown.
    fn reloaded(&self, is_news: bool, now_us: u64) {
        let mut readings = lock(&self.readings);
        let lately = |at_us: u64| now_us < at_us.saturating_add(LONGEST_PAUSE_US);
        readings.again |= is_news && readings.read_us.is_some_and(lately);
        (readings.failed, readings.in_vain) = (false, 0);
        (readings.since_us, readings.read_us) = (Some(now_us), Some(now_us));
        readings.reloads += 1;
    }

    /// Whether what a reading brought may be taken. Where a reload came between, it is read again.
    fn is_current(&self, reading: &Reading) -> bool {
        let mut readings = lock(&self.readings);
        let is_current = readings.reloads == reading.reloads;
        if !is_current {
            (readings.in_progress, readings.again) = (false, true);
        }
        is_current
    }

    /// A reading ended. `in_vain`: it failed, or said what is refused already.
    fn end(&self, failed: bool, in_vain: bool, now_us: u64) {
        let mut readings = lock(&self.readings);
        readings.read_us = Some(now_us);
        (readings.in_progress, readings.failed) = (false, failed);
        readings.in_vain = if in_vain { readings.in_vain.saturating_add(1) } else { 0 };
    }
}

fn bearer(secret: &Secret) -> Bytes {
    Bytes::from(format!("Bearer {}", secret.expose()))
}

impl Snapshot {
    /// A configuration that was just read says what its credentials are now.
    pub(super) fn take_credentials(&self, now_us: u64) {
        for (provider, upstream) in self.config.providers.iter().zip(&self.upstreams) {
            for (credential, (shown, health)) in provider.credentials.iter().zip(upstream.shown_with_health()) {
                let is_news = shown.take(&credential.secret, health, now_us);
                shown.reloaded(is_news, now_us);
            }
        }
    }
}

impl Chores {
    /// Has those of a provider's credentials read again whose time it is. Returns when the next will be.
    pub(super) fn renew(&mut self, upstream: &Upstream, provider: &Provider, now: Now) -> Option<u64> {
        let mut soonest: Option<u64> = None;
        for (n, (credential, (shown, health))) in
            provider.credentials.iter().zip(upstream.shown_with_health()).enumerate()
        {
            let Some(renewal) = &credential.renewal else { continue };
            match shown.due_us(renewal.refresh_secs, !health.breaker.is_closed(), now.mono_us) {
                Some(due_us) if due_us <= now.mono_us => {
                    let reloads = shown.begin(now.mono_us);
                    let (shown, health) = (shown.clone(), health.clone());
                    let reading = Reading { provider: upstream.name.clone(), n, shown, health, reloads };
                    let id = self.ask(What::Read(reading), now.mono_us + READ_DEADLINE_US);
                    self.steps.push_back(LoopStep::Read { id, source: renewal.source.clone() });
                }
                due_us => soonest = soonest.into_iter().chain(due_us).min(),
            }
        }
        soonest
    }
}

impl Gateway {
    /// What a credential's source said, or why nothing came of it.
    pub(super) fn was_read(&self, reading: &Reading, result: Result<Secret, String>, now: Now) {
        let Reading { provider, n, shown, health, .. } = reading;
        if !shown.is_current(reading) {
            return;
        }
        let number = n + 1;
        let text = result.and_then(|text| {
            Credential::sendable(text.expose())
                .ok_or_else(|| "it is not one line of visible ASCII without spaces".into())
        });
        match text {
            Ok(secret) if shown.take(&secret, health, now.mono_us) => {
                shown.end(false, false, now.mono_us);
                lock(&self.chores).list_soon(provider);
                self.say(LogLevel::Info, now, &format!("Credential {number} of provider {provider} was renewed."));
            }
            Ok(_) => shown.end(false, !health.breaker.is_closed(), now.mono_us),
            Err(why) => {
                shown.end(true, true, now.mono_us);
                let words = format!(
                    "Credential {number} of provider {provider} could not be read again, so that the one before is kept: {why}."
                );
                self.say(LogLevel::Warn, now, &words);
            }
        }
    }
}
