//! A response that is made in the background: what it costs is owed until somebody asks for it.

use super::target::Target;
use super::Exchange;
use crate::gateway::Debt;
use crate::ledger::{Ending, Row, Usage, UsageSource};

impl Exchange {
    /// The most that an answer may cost.
    pub(super) fn most(&self) -> u64 {
        let cap = self.account.capped.or(self.facts().output_cap);
        self.input_bound().saturating_add(cap.unwrap_or(0))
    }

    /// The same, of the tokens a minute.
    pub(super) fn charge_most(&mut self) {
        let most = self.most();
        let provider = self.account.provider_tokens.take();
        for tokens in [provider, self.holds.tokens.take()].into_iter().flatten() {
            tokens.add_used(most);
        }
    }

    /// Keeps reserved what the response may cost at most, until somebody is told what it did.
    pub(super) fn owe_for(&mut self, id: &str) {
        self.charge_most();
        let reservation = self.holds.reservation.take();
        let held = reservation.as_ref().map_or_else(|| self.most(), |reservation| reservation.tokens());
        let input_tokens = self.input_bound().min(held);
        let source = UsageSource::Bound;
        let usage = Usage { input_tokens, output_tokens: held - input_tokens, source, ..Usage::default() };
        let pool = reservation.as_ref().map(|reservation| reservation.pool().clone());
        let row = self.row(200, 0, pool, self.cost(&usage, usage.input_tokens));
        let (Some(row), Some(upstream)) = (row, &self.account.provider) else { return };
        let row = Row { is_access: false, ending: Ending::Completed, error: None, usage, ..row };
        let key = self.response_key(id);
        self.gateway.owe(Debt { key, reservation, row, slot: upstream.slot, due_us: 0 }, self.now);
    }

    /// What the answer about a response costs: what it was made for, if nobody was told of that yet, and else nothing.
    pub(super) fn owed_for_response(&mut self, usage: Option<Usage>) -> Usage {
        let Some(usage) = usage else { return Usage::default() };
        let call = self.call();
        let Some(Target::Passed(_, Some(id))) = &call.target else { return Usage::default() };
        let Some(reservation) = self.gateway.pay(self.response_key(id)) else { return Usage::default() };
        if let Some(reservation) = reservation {
            self.holds.pool = Some(reservation.pool().clone());
            self.holds.reservation = Some(reservation);
        }
        usage
    }
}
