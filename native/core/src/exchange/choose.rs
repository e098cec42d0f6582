//! Which upstream is asked next, and when.

use super::gates::seconds_until;
use super::{Exchange, Move};
use crate::error::{Code, Failure};
use crate::health::Admit;
use crate::limit::{Acquire, Ticket};
use crate::metrics::Limit;
use crate::route::{Candidate, Tried};
use crate::sync::Arc;

/// The search for an upstream, over all attempts.
#[derive(Default)]
pub(super) struct Choice {
    pub candidates: Option<Arc<[Candidate]>>,
    pub turn: u64,
    pub tried: Tried,
    pub attempts: u32,
    pub retries: u32,
    /// The last failure, told if no attempt does better.
    pub last: Option<Failure>,
    pub not_before_us: u64,
    /// What the last upstream asked us to wait before it is asked again.
    pub retry_after_us: u64,
    /// Everybody was tried once; now they are tried again.
    pub again: bool,
    queued: Option<Queued>,
}

/// A place in the queue of a busy provider.
struct Queued {
    candidate: usize,
    ticket: Ticket,
    until_us: u64,
}

/// Why a candidate cannot be asked now.
#[derive(Default)]
struct Obstacles {
    benched_until_us: Option<u64>,
    limited_until_us: Option<u64>,
    full: bool,
    queue: Option<(usize, Ticket)>,
}

impl Choice {
    pub fn last(&mut self) -> Option<Failure> {
        self.last.take()
    }
}

fn sooner(place: &mut Option<u64>, at: u64) {
    *place = Some(place.map_or(at, |other| other.min(at)));
}

impl Exchange {
    pub(super) fn choose(&mut self) -> Move {
        if self.now.mono_us < self.choice.not_before_us {
            return Move::Wait(Some(self.choice.not_before_us));
        }
        if let Some(moved) = self.poll_queue() {
            return moved;
        }
        let Some(candidates) = self.choice.candidates.clone() else {
            self.fail(Failure::new(Code::Internal, "No candidates were kept."));
            return Move::Again;
        };
        let mut obstacles = Obstacles::default();
        while let Some(at) = self.pick(&candidates) {
            if self.try_open(&candidates, at, &mut obstacles) {
                return Move::Again;
            }
        }
        self.nobody_free(obstacles)
    }

    fn pick(&mut self, candidates: &[Candidate]) -> Option<usize> {
        let holder = &self.call.as_ref()?.holder;
        let upstreams = &self.snap.upstreams;
        self.snap.routes.pick(
            candidates,
            self.choice.turn,
            &mut self.choice.tried,
            |candidate| holder.allows(&candidate.model, &upstreams[candidate.provider as usize]),
            |provider| upstreams[provider as usize].live.health.latency_us(),
        )
    }

    /// Waits in a busy provider's queue, if it came to that. `None`: look at all of them.
    fn poll_queue(&mut self) -> Option<Move> {
        let queued = self.choice.queued.as_mut()?;
        let (candidate, until_us) = (queued.candidate, queued.until_us);
        if let Some(permit) = queued.ticket.poll() {
            self.choice.queued = None;
            let candidates = self.choice.candidates.clone()?;
            let upstream = self.snap.upstreams[candidates[candidate].provider as usize].clone();
            if !self.call().holder.allows(&candidates[candidate].model, &upstream) {
                return None;
            }
            match upstream.live.health.admit(self.now.mono_us) {
                Admit::Yes(health) | Admit::Probe(health) => {
                    self.open(&candidates[candidate], upstream, health, Some(permit));
                    return Some(Move::Again);
                }
                Admit::No { .. } => return None,
            }
        }
        if self.now.mono_us < until_us {
            return Some(Move::Wait(Some(until_us)));
        }
        self.choice.queued = None;
        self.refuse_busy();
        Some(Move::Again)
    }

    fn refuse_busy(&mut self) {
        self.account.limited = Some(Limit::ProviderConcurrency);
        let words = "Every provider of this model has as many requests in progress as it may. Ask again.";
        self.fail(Failure::new(Code::ConcurrencyLimited, words).retry_after(1));
    }

    /// Opens an attempt at candidate `at`, or notes what stands against it.
    fn try_open(&mut self, candidates: &[Candidate], at: usize, obstacles: &mut Obstacles) -> bool {
        let upstream = self.snap.upstreams[candidates[at].provider as usize].clone();
        let now_us = self.now.mono_us;
        let health = match upstream.live.health.admit(now_us) {
            Admit::Yes(health) | Admit::Probe(health) => health,
            Admit::No { until_us, .. } => {
                sooner(&mut obstacles.benched_until_us, until_us);
                return false;
            }
        };
        let mut permit = None;
        if upstream.bounded {
            match upstream.live.concurrency.acquire(self.call().holder.owner, &self.waker) {
                Acquire::Held(held) => permit = Some(held),
                Acquire::Waiting(ticket) => {
                    obstacles.queue.get_or_insert((at, ticket));
                    return false;
                }
                Acquire::Refused => {
                    obstacles.full = true;
                    return false;
                }
            }
        }
        if upstream.rated {
            if let Err(at_us) = upstream.live.rate.take(now_us) {
                sooner(&mut obstacles.limited_until_us, at_us);
                return false;
            }
        }
        self.open(&candidates[at], upstream, health, permit);
        true
    }

    fn nobody_free(&mut self, obstacles: Obstacles) -> Move {
        if let Some((candidate, ticket)) = obstacles.queue {
            let until_us = self.wait_limit_us();
            self.choice.queued = Some(Queued { candidate, ticket, until_us });
            return Move::Again;
        }
        if self.choice.attempts > 0 && !self.choice.again {
            return self.try_again();
        }
        if let Some(last) = self.choice.last() {
            self.fail(last);
        } else if obstacles.full {
            self.refuse_busy();
        } else if let Some(at_us) = obstacles.limited_until_us {
            self.account.limited = Some(Limit::ProviderRate);
            let words = "The providers of this model have had their requests for the minute. Ask later.";
            let wait = seconds_until(at_us, self.now.mono_us);
            self.fail(Failure::new(Code::RateLimited, words).retry_after(wait));
        } else if let Some(at_us) = obstacles.benched_until_us {
            let words = "Every provider of this model failed lately and is being left alone for a while. Ask later.";
            let wait = seconds_until(at_us, self.now.mono_us);
            self.fail(Failure::new(Code::UpstreamUnavailable, words).retry_after(wait));
        } else {
            let words = "The model was withdrawn, or this key lost its right to it, while the request waited.";
            self.fail(Failure::new(Code::ModelForbidden, words).param("model"));
        }
        Move::Again
    }
}
