//! Books an exchange exactly once: tokens, places, ledger row, metrics, cache. Also from the destructor.

use super::account::{Owed, Uncounted};
use super::target::Target;
use super::{Exchange, Phase};
use crate::dialects::openai::count::Question;
use crate::dialects::openai::usage::owed_usage;
use crate::dialects::openai::words::Words;
use crate::error::Code;
use crate::ledger::{Ending, Row, Usage, UsageSource};
use crate::metrics::{Finished, Served, Slot};

impl Exchange {
    /// The caller has its answer, or is gone. From here on nothing is said: what was used is booked, after counting if
    /// nobody said it. Every exchange that ends by itself comes through here, once.
    pub(super) fn conclude(&mut self, ending: Ending, error: Option<Code>) {
        if self.account.ending.is_some() {
            return;
        }
        self.account.ending = Some((ending, error));
        match self.account.uncounted {
            Uncounted::Nothing => {
                self.book();
                self.phase = Phase::Draining;
            }
            Uncounted::Words(_) => {
                self.count(Phase::Booking);
            }
            // A caller that left while it was owed the count: the same job, for the books alone.
            Uncounted::Counting(_) => self.phase = Phase::Booking,
        }
    }

    /// The answer lacks only its usage, which nobody named: counts, then gives it.
    pub(super) fn owe(&mut self, owed: Owed) {
        self.account.owed = Some(owed);
        if !self.count(Phase::Owing) {
            self.take_owed_count(None);
        }
    }

    /// Has the words counted that nobody named the tokens of; waits for it in `phase`. `false` if there are none.
    fn count(&mut self, phase: Phase) -> bool {
        let Uncounted::Words(words) = std::mem::take(&mut self.account.uncounted) else { return false };
        let bytes = words.text.len();
        self.account.uncounted = Uncounted::Counting(self.bound_of(&words));
        let question = Question::of(self.facts(), self.endpoint());
        self.work(phase, bytes, move || question.usage(&words.text, words.beyond));
        true
    }

    /// A byte is at least as much as its tokens.
    fn bound_of(&self, words: &Words) -> Usage {
        Usage {
            input_tokens: self.input_bound(),
            output_tokens: words.len(),
            cached_tokens: 0,
            source: UsageSource::Bound,
        }
    }

    /// What the job counted, added to the account. One that came back without a count leaves its bound there.
    fn take_count(&mut self, counted: Option<Usage>) -> Usage {
        let usage = match std::mem::take(&mut self.account.uncounted) {
            Uncounted::Counting(bound) => counted.unwrap_or(bound),
            Uncounted::Nothing | Uncounted::Words(_) => Usage::default(),
        };
        self.account.add(usage);
        usage
    }

    /// The caller was owed its usage.
    pub(super) fn take_owed_count(&mut self, counted: Option<Usage>) {
        let usage = self.take_count(counted);
        let (endpoint, neutral) = (self.endpoint(), self.is_neutral());
        match self.account.owed.take() {
            Some(Owed::Chunk(chunk)) => {
                self.say(owed_usage(&chunk, endpoint, &usage, neutral));
                self.finish();
            }
            Some(Owed::Answer(engine)) => self.reply_whole(engine.whole(endpoint, &usage)),
            None => self.finish(),
        }
    }

    /// Only the books wanted it.
    pub(super) fn take_booked_count(&mut self, counted: Option<Usage>) {
        self.take_count(counted);
        self.book();
        self.phase = Phase::Draining;
    }

    /// A failed attempt is charged at once; the next one reserves anew.
    pub(super) fn settle_attempt(&mut self) {
        if let Some(reservation) = self.holds.reservation.take() {
            let used = self.account.usage.total().saturating_sub(self.account.settled);
            self.account.overrun |= reservation.settle(used).overrun > 0;
            self.account.settled = self.account.usage.total();
        }
    }

    fn book(&mut self) {
        if std::mem::replace(&mut self.account.booked, true) {
            return;
        }
        let (ending, error) = self.account.ending.unwrap_or((Ending::Dropped, None));
        let pool = self.holds.pool.take();
        self.settle_attempt();
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
            is_part: self.is_child(),
            served,
            status,
            ending,
            error,
            attempts: &self.account.ended_attempts,
            retries: self.choice.retries(),
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
            endpoint: served.as_str(),
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

    /// The driver dropped the exchange: whatever state it is in, it settles. No job can run here.
    pub(super) fn settle_dropped(&mut self) {
        if !self.account.booked && self.call.is_some() {
            if let Some(mut attempt) = self.attempt.take() {
                self.account_for_left(&mut attempt);
            }
            match std::mem::take(&mut self.account.uncounted) {
                Uncounted::Nothing => {}
                Uncounted::Words(words) => self.account.add(self.bound_of(&words)),
                Uncounted::Counting(bound) => self.account.add(bound),
            }
            self.account.ending.get_or_insert((Ending::Dropped, None));
            self.book();
        }
        self.free_held();
    }
}
