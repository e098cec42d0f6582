//! The turn at a provider that has had its minute's requests or tokens: waited for only while nobody else can be asked.
//!
//! Whoever has its turn and finds the provider's places taken keeps it while it waits for one, so that those behind it do
//! not come all at once.

use super::choose::{Choice, Queued};
use super::obstacle::{Obstacle, Obstacles, Why};
use super::Exchange;
use crate::gateway::Upstream;
use crate::limit::{Line, TokenCharge};
use crate::route::Candidate;
use crate::sync::Arc;

/// Places in the lines of one provider.
pub(super) struct Awaited {
    candidate: usize,
    line: Line,
    /// When all are looked at again: at its turn, or when another may be asked.
    look_us: u64,
}

impl Choice {
    /// The places in the lines of candidate `at`.
    pub fn turn_at(&self, at: usize) -> Option<&Line> {
        self.awaited.as_ref().filter(|awaited| awaited.candidate == at).map(|awaited| &awaited.line)
    }
}

impl Exchange {
    /// Until when nobody is looked at, because its turn has not come.
    pub(super) fn awaited_rest_us(&self) -> Option<u64> {
        let (awaited, now_us) = (self.choice.awaited.as_ref()?, self.now.mono_us);
        awaited.line.rest_us(now_us).map(|_| awaited.look_us).filter(|look_us| now_us < *look_us)
    }

    /// Takes of the provider's rates: one request, and the tokens that it may use at most.
    pub(super) fn take_rates(
        &mut self,
        candidates: &[Candidate],
        at: usize,
        upstream: &Upstream,
    ) -> Result<Option<Arc<TokenCharge>>, Obstacle> {
        if !upstream.rated && !upstream.token_rated {
            return Ok(None);
        }
        let (asks, owner) = (self.rates_at(&candidates[at], upstream), self.call().holder.owner);
        let taken = match self.choice.awaited.as_mut().filter(|awaited| awaited.candidate == at) {
            Some(awaited) => awaited.line.take(&asks, owner, self.now.mono_us),
            None => Line::default().take(&asks, owner, self.now.mono_us),
        };
        taken.map_err(|(nth, until_us)| Obstacle::of_rate(&asks[nth], until_us))
    }

    /// The queue of a busy provider, if it is to be waited in. Whoever waits for a turn elsewhere stays there.
    pub(super) fn take_queue(&mut self, obstacles: &mut Obstacles) -> Option<Queued> {
        let queued = obstacles.queue.take()?;
        match &mut self.choice.awaited {
            Some(awaited) if awaited.candidate == queued.candidate => awaited.line.keep(),
            Some(awaited) if obstacles.rates.iter().any(|(at, _)| *at == awaited.candidate) => return None,
            _ => self.choice.awaited = None,
        }
        Some(queued)
    }

    /// Whether a request that comes now would wait for `obstacle` to go.
    pub(super) fn would_wait_at(&self, candidate: &Candidate, upstream: &Upstream, obstacle: Obstacle) -> bool {
        matches!(obstacle.why, Why::Rate | Why::Tokens) && self.look_at(&self.rates_at(candidate, upstream)).is_ok()
    }

    /// Waits for the turn at the first of those that have only had their minute, if one comes in time: when to look again.
    /// Else `obstacles` says of each when it would have come.
    pub(super) fn await_turn(&mut self, candidates: &[Candidate], obstacles: &mut Obstacles) -> Option<u64> {
        let patience = self.turn_patience(self.choice.turn_until_us)?;
        let (owner, now_us) = (self.call().holder.owner, self.now.mono_us);
        // Where it stands already it stays.
        obstacles.rates.sort_by_key(|(at, obstacle)| (self.choice.turn_at(*at).is_none(), obstacle.until_us));
        let mut before = self.choice.awaited.take();
        for (at, obstacle) in &mut obstacles.rates {
            let at = *at;
            let upstream = self.snap.upstreams[candidates[at].provider as usize].clone();
            let asks = self.rates_at(&candidates[at], &upstream);
            let mut line = before.take().filter(|old| old.candidate == at).map_or_else(Line::default, |old| old.line);
            let due_us = match line.wait(&asks, owner, &self.waker, patience, now_us) {
                Ok(due_us) => due_us,
                Err((nth, until_us)) => {
                    *obstacle = Obstacle::of_rate(&asks[nth], until_us);
                    continue;
                }
            };
            let others_us = obstacles.others_us.filter(|at_us| *at_us > now_us);
            let look_us = others_us.map_or(due_us, |at_us| at_us.min(due_us));
            self.choice.turn_until_us = Some(patience.until_us);
            self.choice.awaited = Some(Awaited { candidate: at, line, look_us });
            return Some(look_us);
        }
        None
    }
}
