//! The caller's side of the driver: its body comes in pieces, its transport takes the answer at its own pace.

use hoosh_core::clock::MILLISECOND;
use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::Step;

use crate::caller::Flaw;
use crate::check::Invariant;
use crate::world::{Event, World};

impl World {
    /// The caller may send: there is credit, and it was told to go on if it waited for that.
    pub(crate) fn caller_goes_on(&mut self, x: usize) {
        let driven = &mut self.xs[x];
        let may = !driven.caller.expects_continue || driven.continued;
        let stopped = driven.caller.stops_at.is_some_and(|at| driven.given >= at);
        if may && driven.credit > 0 && !driven.body_over && !driven.sends_set && !stopped && !driven.is_gone() {
            driven.sends_set = true;
            let pause = driven.caller.pause_us;
            self.after(pause, Event::CallerSends(x));
        }
    }

    pub(crate) fn caller_sends(&mut self, x: usize) {
        let driven = &mut self.xs[x];
        driven.sends_set = false;
        let Some(exchange) = &mut driven.exchange else { return };
        if driven.gone_us.is_some() || driven.out.is_over() {
            return;
        }
        let stop = driven.caller.stops_at.unwrap_or(usize::MAX).min(driven.caller.body.len());
        let length = driven.caller.piece.min(driven.credit).min(stop - driven.given);
        let piece = driven.caller.body.slice(driven.given..driven.given + length);
        driven.given += length;
        driven.credit -= length;
        self.trace.mix(length as u64);
        self.trace.line(self.now.mono_us, Some(x), || format!("  body: {length} bytes"));
        if !piece.is_empty() {
            exchange.body(piece);
        }
        if driven.given == driven.caller.body.len() && driven.caller.stops_at.is_none() {
            if driven.caller.flaw == Flaw::Framing {
                exchange.refused(Failure::new(Code::MalformedRequest, "The body cannot be read."));
            } else {
                exchange.body_end();
            }
            driven.body_over = true;
        }
        self.look_soon(x);
        self.caller_goes_on(x);
    }

    /// The caller's transport goes on if there is something for it.
    pub(crate) fn transport_goes_on(&mut self, x: usize) {
        let driven = &mut self.xs[x];
        let stuck = driven.caller.stuck_at.is_some_and(|at| driven.taken >= at);
        if driven.unwritten() > 0 && !driven.takes_set && !stuck && !driven.is_gone() {
            driven.takes_set = true;
            let pause = driven.caller.take_us;
            self.after(pause, Event::CallerTakes(x));
        }
    }

    pub(crate) fn caller_takes(&mut self, x: usize) {
        let driven = &mut self.xs[x];
        driven.takes_set = false;
        let Some(exchange) = &mut driven.exchange else { return };
        if driven.gone_us.is_some() || driven.out.is_cut() {
            return;
        }
        let unwritten = driven.out.bytes.len() - driven.taken;
        // A caller of large answers takes large pieces, or the run would never end.
        let piece = driven.caller.take.max(driven.out.bytes.len() / 40);
        let until = driven.caller.stuck_at.map_or(usize::MAX, |at| at.saturating_sub(driven.taken));
        let length = piece.min(unwritten).min(until);
        driven.taken += length;
        self.trace.mix(length as u64);
        self.trace.line(self.now.mono_us, Some(x), || format!("  written: {length} bytes"));
        exchange.written(length);
        self.look_soon(x);
        self.transport_goes_on(x);
    }

    pub(crate) fn caller_leaves(&mut self, x: usize) {
        let driven = &mut self.xs[x];
        let Some(exchange) = &mut driven.exchange else { return };
        if driven.gone_us.is_none() {
            exchange.caller_gone();
            driven.gone_us = Some(self.now.mono_us);
            self.count("caller leaves");
            self.note(Some(x), || "  the caller leaves".into());
        }
        self.look_soon(x);
    }

    /// Looks at a waiting exchange without reason: nothing can have changed, or a wake-up was lost.
    pub(crate) fn audit(&mut self) {
        let x = self.dice.below(self.xs.len());
        let driven = &mut self.xs[x];
        // A reload and the end of admission need not wake anybody.
        let quiet = driven.waits.filter(|(until_us, config)| {
            !driven.look_set
                && !self.draining
                && *config == self.config
                && until_us.is_none_or(|at| at > self.now.mono_us)
        });
        if let (Some(exchange), Some(_)) = (&mut driven.exchange, quiet) {
            let step = exchange.next(self.now);
            self.count("audits");
            if self.standing() > 0 {
                self.count("audits while somebody waits at a limit");
            }
            if !matches!(step, Step::Wait { .. }) {
                let words = format!("it waited, nobody woke it, and yet there was something to do: {step:?}");
                self.fail(Invariant::Wakes, Some(x), words);
            }
        }
        let again = self.dice.span(MILLISECOND, 4_000 * MILLISECOND);
        self.after(again, Event::Audit);
    }
}
