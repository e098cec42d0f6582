//! Books an exchange exactly once: tokens, places, ledger row, metrics, cache. Also from the destructor.

use super::account::{Owed, Uncounted};
use super::target::Target;
use super::{Caller, Exchange, Phase};
use crate::budget::Pool;
use crate::clock::Now;
use crate::dialects::openai::count::Question;
use crate::dialects::openai::usage::owed_usage;
use crate::dialects::openai::words::Words;
use crate::dialects::Change;
use crate::error::Code;
use crate::ledger::{Ending, Row, Usage, UsageSource};
use crate::metrics::{CacheResult, Finished, Served, Slot};
use crate::sync::Arc;

impl Exchange {
    /// The caller has its answer, or is gone. From here on nothing is said: what was used is booked, after counting if
    /// nobody said it. Every exchange that ends by itself comes through here, once.
    pub(super) fn conclude(&mut self, ending: Ending, error: Option<Code>) {
        if self.account.ending.is_some() {
            return;
        }
        self.account.ending = Some((ending, error));
        self.recall = None;
        // Before anything is counted: whoever has the answer may ask again at once.
        self.remember(ending);
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
            source: UsageSource::Bound,
            ..Usage::default()
        }
    }

    /// What the job counted, added to the account. One that came back without a count leaves its bound there.
    fn take_count(&mut self, counted: Option<Usage>) -> Usage {
        let usage = match std::mem::take(&mut self.account.uncounted) {
            Uncounted::Counting(bound) => counted.unwrap_or(bound),
            Uncounted::Nothing | Uncounted::Words(_) => Usage::default(),
        };
        self.account.answer_used = Some(usage);
        self.account.add(usage);
        usage
    }

    /// The caller was owed its usage.
    pub(super) fn take_owed_count(&mut self, counted: Option<Usage>) {
        let usage = self.take_count(counted);
        let (endpoint, neutral) = (self.endpoint(), self.is_bare());
        match self.account.owed.take() {
            Some(Owed::Chunk(chunk)) => {
                self.say(owed_usage(&chunk, endpoint, &usage, neutral));
                self.finish();
            }
            Some(Owed::Answer(spoken)) => self.say_rest(*spoken, usage),
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
        let total = self.account.usage.total();
        if let Some(tokens) = self.account.provider_tokens.take() {
            tokens.add_used(total.saturating_sub(self.account.provider_settled));
        }
        self.account.provider_settled = total;
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
        if let Some(tokens) = self.holds.tokens.take() {
            tokens.add_used(self.account.usage.total());
        }
        self.land(ending);
        self.holds.free();
        self.choice.leave_queues();
        let status = match ending {
            Ending::CallerGone | Ending::Dropped if self.out.status == 0 => 499,
            _ => self.out.status,
        };
        let duration_us = self.now.mono_us.saturating_sub(self.begun.mono_us);
        let cost_nano_usd = self.cost(&self.account.usage, self.account.longest_prompt);
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
            cost_nano_usd,
            cache: self.account.cache,
            limited: self.account.limited,
            losses: Change::ALL.map(|change| self.account.loss.has(change)),
            duration_us,
            overhead_us: self.own_us,
            first_content_us: self.out.has_content().then_some(self.out.first_content_us),
        });
        self.record(status, duration_us, pool, cost_nano_usd);
    }

    /// What `usage` costs at the price of whoever was asked last, with a prompt of so many tokens.
    pub(super) fn cost(&self, usage: &Usage, prompt: u64) -> Option<u64> {
        let prices = self.snap.prices.as_ref()?;
        let (provider, model) = match &self.account.reported {
            Some(reported) => (reported.provider.as_deref(), reported.model.as_deref()),
            None => (Some(&*self.account.provider.as_ref()?.name), self.account.model.as_deref()),
        };
        prices.cost(provider, model?, usage, prompt)
    }

    /// What an operator may read of it later.
    fn record(&self, status: u16, duration_us: u64, pool: Option<Arc<Pool>>, cost_nano_usd: Option<u64>) {
        if let Some(row) = self.row(status, duration_us, pool, cost_nano_usd) {
            self.gateway.book(row, self.lane);
        }
    }

    /// `None`: nobody wants to read of it.
    pub(super) fn row(
        &self,
        status: u16,
        duration_us: u64,
        pool: Option<Arc<Pool>>,
        cost_nano_usd: Option<u64>,
    ) -> Option<Row> {
        let call = self.call.as_ref()?;
        let (ending, error) = self.account.ending.unwrap_or((Ending::Dropped, None));
        let target = call.target.as_ref();
        let (upstream, reported) = (self.account.provider.as_ref(), self.account.reported.as_deref());
        let asked = upstream.is_some() || reported.is_some();
        let routine = status < 400 && target.is_some_and(Target::is_routine);
        // A part that asked nobody is told by the whole, and what never began has no time.
        if !asked && (routine || self.is_child() || self.begun == Now::default()) {
            return None;
        }
        Some(Row {
            asked,
            is_access: call.caller == Caller::Http,
            request_id: call.request_id.clone(),
            at_us: self.now.wall_us,
            key: call.holder.name.clone(),
            budget: pool.map(|pool| pool.name().clone()),
            method: call.method,
            path: call.path(),
            endpoint: target.map_or("unknown", Target::word),
            model: match reported {
                Some(reported) => reported.model.clone(),
                None => self.facts.as_ref().map(|facts| facts.model.as_str().into()),
            },
            provider: match reported {
                Some(reported) => reported.provider.clone(),
                None => upstream.map(|upstream| upstream.name.clone()),
            },
            upstream_model: reported.map_or(&self.account.model, |reported| &reported.model).clone(),
            attempts: self.choice.attempts,
            status,
            ending,
            error: error.map(Code::as_str),
            stream: self.facts.as_ref().is_some_and(|facts| facts.stream),
            usage: self.account.usage,
            cost_nano_usd,
            overrun: self.account.overrun,
            terminator_added: self.account.terminator_added,
            loss: self.account.loss.full(),
            cache: self.account.cache.map(CacheResult::as_str),
            bytes_in: self.intake.received,
            bytes_out: self.out.emitted,
            first_content_us: self.out.first_content_us,
            duration_us,
        })
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
