//! What an exchange keeps in memory, counted against the gateway's bound for all of them together.
//!
//! Nothing is added and taken away as it comes and goes: whenever the exchange hands out a step, the places that keep
//! bytes are summed up, and the gateway hears of the difference. So none is counted twice, forgotten, or freed twice.

use super::Exchange;

/// Smaller differences are not told: they are less than the exchange itself, and the counter is shared by all threads.
const GRAIN: u64 = 4 << 10;

impl Exchange {
    fn held(&self) -> u64 {
        let body = self.intake.held() + self.facts.as_ref().map_or(0, |facts| facts.body.len());
        let answer = self.attempt.as_ref().map_or(0, |attempt| attempt.held()) + self.children.held();
        let passing = self.passing.as_ref().and_then(|passing| passing.upload.as_ref());
        let body = body + passing.map_or(0, |upload| upload.held());
        (body + self.lent + answer + self.account.held() + self.out.held()) as u64
    }

    /// Tells the gateway what is kept now.
    #[inline]
    pub(super) fn tell_held(&mut self) {
        let (now, told) = (self.held(), self.told_held);
        if now.abs_diff(told) < GRAIN {
            return;
        }
        self.told_held = now;
        if now > told {
            self.gateway.hold_bytes(now - told);
        } else {
            self.gateway.free_bytes(told - now);
        }
    }

    /// Nothing is kept any more.
    pub(super) fn free_held(&mut self) {
        self.gateway.free_bytes(std::mem::take(&mut self.told_held));
    }
}
