//! Which upstream is asked next, and when.
//!
//! A look goes over the candidates that the key may use, in the order of the strategy, and asks the first that can be
//! asked. Those that were asked in this round already are left out; `again` says when another round begins. Where nobody
//! is free, a busy provider with room in its queue is waited for, or the turn at one that has had its minute's requests or
//! tokens (`turn`); else the caller is told of the obstacle that goes soonest.

use smallvec::SmallVec;

use super::again::Round;
use super::obstacle::{Look, Obstacle, Obstacles, Spared};
use super::turn::Awaited;
use super::{Exchange, Move};
use crate::error::{Code, Failure};
use crate::limit::{Acquire, Permit, Ticket};
use crate::metrics::Limit;
use crate::route::{Candidate, Tried};
use crate::sync::Arc;

/// The search for an upstream, over all attempts.
#[derive(Default)]
pub(super) struct Choice {
    pub candidates: Option<Arc<[Candidate]>>,
    /// The key's scope names the alias that was asked for, and with it all that it leads to.
    pub granted: bool,
    pub turn: u64,
    pub round: Round,
    /// How many rounds began with a pause.
    pub pauses: u32,
    /// Candidates that were asked in this round, the last one at the end.
    pub asked: Tried,
    /// Credentials that were asked with in this round: candidate, and which of its own.
    pub asked_with: SmallVec<[(u32, u16); 2]>,
    /// Who is left alone, whatever its health.
    pub spared: SmallVec<[Spared; 2]>,
    pub attempts: u32,
    /// The last failure, told if no attempt does better.
    pub last: Option<Failure>,
    queued: Option<Queued>,
    /// When waiting in queues is given up, however many they are. `None`: it has not begun.
    queue_until_us: Option<u64>,
    pub awaited: Option<Awaited>,
    /// When waiting for turns is given up.
    pub turn_until_us: Option<u64>,
}

/// A place in the queue of a busy provider.
pub(super) struct Queued {
    pub candidate: usize,
    ticket: Ticket,
}

impl Choice {
    pub fn last(&mut self) -> Option<Failure> {
        self.last.take()
    }

    /// Waits for nobody any more.
    pub fn leave_queues(&mut self) {
        (self.queued, self.awaited) = (None, None);
        (self.queue_until_us, self.turn_until_us) = (None, None);
    }

    /// Attempts beyond the first.
    pub fn retries(&self) -> u32 {
        self.attempts.saturating_sub(1)
    }
}

impl Exchange {
    pub(super) fn choose(&mut self) -> Move {
        if let Round::Pause { until_us } = self.choice.round {
            if self.now.mono_us < until_us {
                return Move::Wait(Some(until_us));
            }
            self.choice.round = Round::Second;
        }
        let Some(candidates) = self.choice.candidates.clone() else {
            self.fail(Failure::new(Code::Internal, "No candidates were kept."));
            return Move::Again;
        };
        let mut obstacles = Obstacles::default();
        if let Some(moved) = self.poll_queue(&candidates, &mut obstacles) {
            return moved;
        }
        if let Some(rest_us) = self.awaited_rest_us() {
            return Move::Wait(Some(rest_us));
        }
        let mut looked_at = self.choice.asked.clone();
        while let Some(at) = self.pick(&candidates, &mut looked_at) {
            if self.open_if_admitted(&candidates, at, None, &mut obstacles) {
                return Move::Again;
            }
        }
        self.nobody_free(&candidates, obstacles)
    }

    pub(super) fn pick(&self, candidates: &[Candidate], looked_at: &mut Tried) -> Option<usize> {
        let upstreams = &self.snap.upstreams;
        self.snap.routes.pick(
            candidates,
            self.choice.turn,
            looked_at,
            |candidate| self.may_use(candidate),
            |provider| upstreams[provider as usize].live.health.latency_us(),
        )
    }

    /// Whether the key may still use the model there: looked up live.
    pub(super) fn may_use(&self, candidate: &Candidate) -> bool {
        let (holder, upstream) = (&self.call().holder, &self.snap.upstreams[candidate.provider as usize]);
        holder.allows(&candidate.model, upstream, self.choice.granted)
    }

    /// Waits in a busy provider's queue, if it came to that. `None`: look at all of them.
    fn poll_queue(&mut self, candidates: &[Candidate], obstacles: &mut Obstacles) -> Option<Move> {
        let queued = self.choice.queued.as_mut()?;
        if let Some(permit) = queued.ticket.poll() {
            let at = queued.candidate;
            self.choice.queued = None;
            // Much may have changed while it waited. What it cannot have any more it may get elsewhere.
            let opened =
                self.may_use(&candidates[at]) && self.open_if_admitted(candidates, at, Some(permit), obstacles);
            return opened.then_some(Move::Again);
        }
        let (at, until_us) = (queued.candidate, self.choice.queue_until_us.unwrap_or(0));
        if !self.may_use(&candidates[at]) {
            self.choice.queued = None;
            return None;
        }
        if self.now.mono_us < until_us {
            return Some(Move::Wait(Some(until_us)));
        }
        self.choice.queued = None;
        Some(self.refuse_busy())
    }

    /// Opens an attempt at candidate `at`, or notes what stands against it. `permit`: a place there, waited for.
    fn open_if_admitted(
        &mut self,
        candidates: &[Candidate],
        at: usize,
        permit: Option<Permit>,
        obstacles: &mut Obstacles,
    ) -> bool {
        // Asked first without taking anything: a place is not taken, or waited for, where it would be of no use.
        if let Some(obstacle) = self.obstacle(candidates, at, Look::ThisRound) {
            obstacles.note(at, obstacle);
            return false;
        }
        let upstream = self.snap.upstreams[candidates[at].provider as usize].clone();
        let mut permit = permit;
        if upstream.bounded && permit.is_none() {
            match upstream.live.concurrency.acquire(self.call().holder.owner, &self.waker) {
                Acquire::Held(held) => permit = Some(held),
                Acquire::Waiting(ticket) => {
                    obstacles.queue.get_or_insert(Queued { candidate: at, ticket });
                    return false;
                }
                Acquire::Refused => {
                    obstacles.full = true;
                    return false;
                }
            }
        }
        // Another thread may have been faster: each of these may refuse yet.
        let now_us = self.now.mono_us;
        let passed_over = self.passed_over(at, Look::ThisRound);
        let admitted = upstream.credentials.admit(&upstream.live.health, &candidates[at].model, now_us, passed_over);
        let health = match admitted {
            Ok(health) => health,
            Err((until_us, reason)) => {
                obstacles.note(at, Obstacle::of_health(until_us, reason));
                return false;
            }
        };
        let tokens = match self.take_rates(candidates, at, &upstream) {
            Ok(tokens) => tokens,
            Err(obstacle) => {
                obstacles.note(at, obstacle);
                return false;
            }
        };
        self.choice.asked.push(at as u32);
        self.choice.asked_with.push((at as u32, health.n));
        self.choice.leave_queues();
        self.open(&candidates[at], upstream, health, permit);
        self.account.provider_tokens = tokens;
        true
    }

    fn nobody_free(&mut self, candidates: &[Candidate], mut obstacles: Obstacles) -> Move {
        if let Some(queued) = self.take_queue(&mut obstacles) {
            let until_us = self.wait_limit_us();
            self.choice.queue_until_us.get_or_insert(until_us);
            self.choice.queued = Some(queued);
            return Move::Again;
        }
        if self.choice.attempts > 0 && self.choice.round == Round::First {
            return self.pause();
        }
        if let Some(at_us) = self.await_turn(candidates, &mut obstacles) {
            return self.wait_for_turn(at_us);
        }
        if obstacles.full {
            return self.refuse_busy();
        }
        let Some(soonest) = obstacles.soonest() else {
            if let Some(moved) = self.reroute() {
                return moved;
            }
            let words = "The model was withdrawn, or this key lost its right to it, while the request waited.";
            return self.refuse(Failure::new(Code::ModelForbidden, words).param("model"));
        };
        self.refuse_for(soonest)
    }

    fn refuse_busy(&mut self) -> Move {
        self.account.limited = Some(Limit::ProviderConcurrency);
        self.refuse(busy())
    }
}

pub(super) fn busy() -> Failure {
    let words = "Every provider of this model has as many requests in progress as it may. Ask again.";
    Failure::new(Code::ConcurrencyLimited, words).retry_after(1)
}
