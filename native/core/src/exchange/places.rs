//! Places: how many exchanges may run at once, in the gateway and for one key.

use super::gates::Gate;
use super::{Exchange, Move};
use crate::clock::SECOND;
use crate::error::{Code, Failure};
use crate::limit::{Acquire, Concurrency, Permit, Ticket};
use crate::metrics::Limit;
use crate::sync::Arc;

/// A place in a queue, and how long it is worth holding.
pub(super) struct Waiting {
    ticket: Ticket,
    until_us: u64,
}

/// How asking for a place went.
enum Place {
    Held(Permit),
    Wait(u64),
    Full,
}

impl Exchange {
    pub(super) fn pass_place(&mut self) -> Move {
        let Some(concurrency) = self.snap.concurrency.clone() else {
            self.holds.waiting = None;
            return self.go(Gate::KeyPlace);
        };
        match self.ask_place(&concurrency) {
            Place::Held(permit) => {
                self.holds.place = Some(permit);
                self.go(Gate::KeyPlace)
            }
            Place::Wait(until) => Move::Wait(Some(until)),
            Place::Full => self.refuse_place(Limit::GatewayConcurrency, gateway_full()),
        }
    }

    pub(super) fn pass_key_place(&mut self) -> Move {
        let holder = self.call().holder.clone();
        if !holder.bounded {
            self.holds.waiting = None;
            return self.go(Gate::Budget);
        }
        match self.ask_place(&holder.live.concurrency) {
            Place::Held(permit) => {
                self.holds.key_place = Some(permit);
                self.go(Gate::Budget)
            }
            Place::Wait(until) => Move::Wait(Some(until)),
            Place::Full => self.refuse_place(Limit::KeyConcurrency, key_full()),
        }
    }

    fn refuse_place(&mut self, limit: Limit, failure: Failure) -> Move {
        self.account.limited = Some(limit);
        self.refuse(failure)
    }

    /// Takes a place, or waits for one as long as configured. Asked again after each wake.
    fn ask_place(&mut self, concurrency: &Arc<Concurrency>) -> Place {
        if let Some(waiting) = &mut self.holds.waiting {
            if let Some(permit) = waiting.ticket.poll() {
                self.holds.waiting = None;
                return Place::Held(permit);
            }
            if self.now.mono_us < waiting.until_us {
                return Place::Wait(waiting.until_us);
            }
            self.holds.waiting = None;
            return Place::Full;
        }
        match concurrency.acquire(self.call().holder.owner, &self.waker) {
            Acquire::Held(permit) => Place::Held(permit),
            Acquire::Refused => Place::Full,
            Acquire::Waiting(ticket) => {
                let until_us = self.wait_limit_us();
                self.holds.waiting = Some(Waiting { ticket, until_us });
                Place::Wait(until_us)
            }
        }
    }

    /// When waiting for a place, begun now, is given up.
    pub(super) fn wait_limit_us(&self) -> u64 {
        self.now.mono_us.saturating_add(self.snap.config.limits.wait_secs.saturating_mul(SECOND))
    }
}

pub(super) fn gateway_full() -> Failure {
    let words = "The gateway is answering as many requests as it may. Ask again, or raise [limits] max_concurrency.";
    Failure::new(Code::ConcurrencyLimited, words).retry_after(1)
}

pub(super) fn key_full() -> Failure {
    let words =
        "This key has as many requests in progress as it may. Wait for one to end, or raise its max_concurrency.";
    Failure::new(Code::ConcurrencyLimited, words).retry_after(1)
}
