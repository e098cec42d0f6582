//! A reload meets an exchange that waits and has asked nobody: whose key was taken back is refused like one that comes now,
//! and whose providers were all withdrawn is routed by the new configuration. What it took stays taken, and its places in
//! lines stay its own. Everybody else keeps the configuration that it began with.

use super::gates::Gate;
use super::{Exchange, Move, Phase};
use crate::error::{Code, Failure};
use crate::sync::atomic::Ordering;
use crate::sync::Arc;

impl Exchange {
    /// Looked at before each step of a phase in which it waits for others.
    pub(super) fn meet_reload(&mut self) -> Option<Move> {
        if !self.snap.superseded.load(Ordering::Acquire) {
            return None;
        }
        match self.phase {
            Phase::Gates(Gate::Measure | Gate::CountForRate | Gate::Count) => return None,
            Phase::Gates(_) | Phase::Choose => {}
            _ => return None,
        }
        if self.call().holder.live.revoked.load(Ordering::Relaxed) {
            return Some(self.refuse_revoked());
        }
        self.reroute()
    }

    /// Goes on in the configuration in force, if that is another and nobody can be asked any more in its own. `None`: it
    /// stays as it is.
    pub(super) fn reroute(&mut self) -> Option<Move> {
        let is_due = self.snap.superseded.load(Ordering::Acquire) && self.choice.attempts == 0;
        if !is_due || self.choice.candidates.is_none() || self.may_ask_somebody() {
            return None;
        }
        let next = self.gateway.snapshot();
        let Some(holder) = next.holder_like(&self.call().holder) else { return Some(self.refuse_revoked()) };
        let is_same_tenant = holder.tenant == self.call().holder.tenant;
        if let (Some(facts), false) = (&mut self.facts, is_same_tenant) {
            // An answer from elsewhere is not kept for those who hold the key in its old scope.
            facts.key = None;
        }
        if let Some(call) = &mut self.call {
            call.holder = holder;
        }
        self.snap = next;
        self.forget_candidates();
        Some(match self.find_candidates() {
            Ok(()) => Move::Again,
            Err(failure) => self.refuse(failure),
        })
    }

    fn forget_candidates(&mut self) {
        self.choice.leave_queues();
        self.choice.asked.clear();
        self.choice.asked_with.clear();
        self.choice.spared.clear();
        self.holds.leave_flight();
    }

    /// The first gates at once, as far as they take no time: what would have to be counted its provider will say.
    fn find_candidates(&mut self) -> Result<(), Failure> {
        let candidates = self.resolved()?;
        self.choice.turn = self.snap.routes.turn(&self.facts().model);
        let bounded = self.take_candidates(Arc::clone(&candidates));
        self.in_scope()?;
        if bounded {
            self.keep_fit(&candidates, &self.lacks(&candidates))?;
        }
        self.keep_carried()?;
        let is_charged = self.holds.reservation.is_some() || self.holds.ticket.is_some();
        if is_charged || self.is_child() || self.phase == Phase::Choose {
            return Ok(());
        }
        self.take_pool()
    }

    fn refuse_revoked(&mut self) -> Move {
        self.refuse(Failure::new(Code::InvalidKey, "This key was taken back while the request waited."))
    }
}
