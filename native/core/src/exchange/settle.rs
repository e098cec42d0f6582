//! Books an exchange exactly once: tokens, places, ledger row, metrics, cache. Also from the destructor.

use bytes::Bytes;
use smallvec::SmallVec;

use super::attempt::{Attempt, Follow};
use super::call::Target;
use super::work::Job;
use super::{Exchange, Phase, Step};
use crate::dialects::openai::count::Question;
use crate::dialects::openai::usage::owed_usage;
use crate::error::Code;
use crate::gateway::Upstream;
use crate::ledger::{Ending, Row, Usage, UsageSource};
use crate::metrics::{CacheResult, Finished, Limit, Outcome, Served, Slot};
use crate::sync::Arc;

/// What is known about the cost of an exchange.
#[derive(Default)]
pub(super) struct Account {
    /// What all attempts together used.
    pub usage: Usage,
    /// What ended attempts were charged; their part of `usage` is settled already.
    settled: u64,
    /// Words of an answer whose upstream did not say what it used.
    uncounted: Option<(Vec<u8>, u64)>,
    /// A chunk of the stream, while the usage that the caller asked for is counted.
    owed: Option<Bytes>,
    ended_attempts: SmallVec<[(Slot, Outcome); 4]>,
    /// Of the last attempt.
    pub provider: Option<Arc<Upstream>>,
    pub cache: Option<CacheResult>,
    pub limited: Option<Limit>,
    pub terminator_added: bool,
    /// Fit for the cache.
    pub clean: bool,
    pub engine_usage: Option<Usage>,
    pub engine_bytes: usize,
    ending: Option<(Ending, Option<Code>)>,
    overrun: bool,
    booked: bool,
}

impl Account {
    pub fn end_attempt(&mut self, slot: Slot, outcome: Outcome) {
        self.ended_attempts.push((slot, outcome));
    }

    /// What the upstream said it used, or the words to count.
    pub fn reported(&mut self, usage: Option<Usage>, text: (Vec<u8>, u64)) {
        match usage {
            Some(usage) => self.add(usage),
            None => self.uncounted = Some(text),
        }
    }

    /// An attempt took the request and broke off: its input counts, at its bound.
    pub fn charge_bound(&mut self, input: u64) {
        self.add(Usage { input_tokens: input, source: UsageSource::Bound, ..Usage::default() });
    }

    fn add(&mut self, usage: Usage) {
        self.usage.input_tokens = self.usage.input_tokens.saturating_add(usage.input_tokens);
        self.usage.output_tokens = self.usage.output_tokens.saturating_add(usage.output_tokens);
        self.usage.cached_tokens = self.usage.cached_tokens.saturating_add(usage.cached_tokens);
        self.usage.source = usage.source;
    }
}

impl Exchange {
    /// The caller has its answer, or is gone: book, after counting if the upstream did not say.
    pub(super) fn conclude(&mut self, ending: Ending, error: Option<Code>) {
        if self.account.ending.is_some() {
            return;
        }
        self.account.ending = Some((ending, error));
        // Words that are being counted are booked when they are.
        if self.phase != Phase::Counting && !self.count() {
            self.book();
            self.phase = Phase::Draining;
        }
    }

    /// Has the answer's words counted, if its upstream did not say what it used.
    fn count(&mut self) -> bool {
        let (Some((text, beyond)), Some(facts)) = (self.account.uncounted.take(), &self.facts) else { return false };
        let question = Question::of(facts, self.endpoint());
        let job = Job::new(move || question.usage(&text, beyond));
        self.steps.push_back(Step::Work { job });
        self.phase = Phase::Counting;
        true
    }

    /// A stream is complete but for its usage, which the caller asked for and nobody named: count, then say it after the
    /// model of `chunk`, a chunk of this stream.
    pub(super) fn count_owed(&mut self, chunk: Bytes) {
        self.account.owed = Some(chunk);
        if !self.count() {
            self.finish();
        }
    }

    pub(super) fn take_count(&mut self, usage: Usage) {
        self.account.add(usage);
        self.phase = Phase::Draining;
        match self.account.owed.take().filter(|_| self.account.ending.is_none()) {
            Some(chunk) => {
                self.say(owed_usage(&chunk, self.endpoint(), &usage, self.is_neutral()), true);
                self.finish();
            }
            None => self.book(),
        }
    }

    /// A failed attempt is charged at once; the next one reserves anew.
    pub(super) fn settle_attempt(&mut self) {
        if let Some(reservation) = self.holds.reservation.take() {
            let used = self.account.usage.total().saturating_sub(self.account.settled);
            self.account.overrun |= reservation.settle(used).overrun > 0;
            self.account.settled = self.account.usage.total();
        }
    }

    /// Leaves an open attempt because nobody wants its answer any more.
    pub(super) fn leave_attempt(&mut self) {
        let Some(mut attempt) = self.attempt.take() else { return };
        self.abort(attempt.u);
        self.account_for_left(&mut attempt);
        self.free_collected(&attempt.follow);
    }

    fn account_for_left(&mut self, attempt: &mut Attempt) {
        if matches!(attempt.follow, Follow::Tail) {
            return;
        }
        self.account.end_attempt(attempt.upstream.slot, Outcome::Aborted);
        let sent = attempt.was_sent();
        match &mut attempt.follow {
            Follow::Stream(relay) if relay.text_bytes() > 0 || relay.usage().is_some() => {
                let (usage, text) = (relay.usage(), relay.take_text());
                self.account.reported(usage, text);
            }
            Follow::Engine(collected) => {
                let text = collected.text().into_bytes();
                let usage = self.account.engine_usage;
                self.account.reported(usage, (text, 0));
            }
            _ if sent => {
                let bound = self.input_bound();
                self.account.charge_bound(bound);
            }
            _ => {}
        }
    }

    fn book(&mut self) {
        if std::mem::replace(&mut self.account.booked, true) {
            return;
        }
        let (ending, error) = self.account.ending.unwrap_or((Ending::Dropped, None));
        let pool = self.holds.pool.take();
        if let Some(reservation) = self.holds.reservation.take() {
            let used = self.account.usage.total().saturating_sub(self.account.settled);
            self.account.overrun |= reservation.settle(used).overrun > 0;
        }
        self.land(ending);
        self.holds.free();
        let status = match ending {
            Ending::CallerGone | Ending::Dropped if self.out.status == 0 => 499,
            _ => self.out.status,
        };
        let duration_us = self.now.mono_us.saturating_sub(self.begun.mono_us);
        let target = self.call.as_ref().and_then(|call| call.target.as_ref());
        let served = target.map_or(Served::Other, Target::served);
        self.gateway.metrics.lane(self.lane).record(&Finished {
            served,
            status,
            ending,
            error,
            attempts: &self.account.ended_attempts,
            retries: self.choice.retries,
            provider: self.account.provider.as_ref().map_or(Slot::OTHER, |upstream| upstream.slot),
            usage: self.account.usage,
            cache: self.account.cache,
            limited: self.account.limited,
            duration_us,
            first_content_us: self.out.has_content().then_some(self.out.first_content_us),
        });
        let (Some(provider), Some(facts), Some(call)) = (&self.account.provider, &self.facts, &self.call) else {
            return;
        };
        let row = Row {
            request_id: call.request_id.clone(),
            at_us: self.now.wall_us,
            key: call.holder.name.clone(),
            budget: pool.map(|pool| pool.name().clone()),
            endpoint: self.endpoint().as_str(),
            model: facts.model.as_str().into(),
            provider: provider.name.clone(),
            attempts: self.choice.attempts,
            status,
            ending,
            error: error.map(Code::as_str),
            stream: facts.stream,
            usage: self.account.usage,
            overrun: self.account.overrun,
            terminator_added: self.account.terminator_added,
            bytes_out: self.out.emitted,
            first_content_us: self.out.first_content_us,
            duration_us,
        };
        self.gateway.book(row, self.lane);
    }

    /// The driver dropped the exchange: whatever state it is in, it settles.
    pub(super) fn settle_dropped(&mut self) {
        if !self.account.booked && self.call.is_some() {
            if let Some(mut attempt) = self.attempt.take() {
                self.account_for_left(&mut attempt);
            }
            if let Some((text, beyond)) = self.account.uncounted.take() {
                // No job can run here; a byte is at least as much as its tokens.
                let input = self.facts.as_ref().map_or(0, |_| self.input_bound());
                self.account.add(Usage {
                    input_tokens: input,
                    output_tokens: (text.len() as u64).saturating_add(beyond),
                    cached_tokens: 0,
                    source: UsageSource::Bound,
                });
            }
            self.account.ending.get_or_insert((Ending::Dropped, None));
            self.book();
        }
        let held = std::mem::take(&mut self.holds.bytes);
        self.gateway.free_bytes(held);
    }

    /// Counts bytes against the gateway's bound for all exchanges together.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.holds.bytes += bytes as u64;
        self.gateway.hold_bytes(bytes as u64);
    }

    pub(super) fn free(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.holds.bytes);
        self.holds.bytes -= bytes;
        self.gateway.free_bytes(bytes);
    }
}
