//! Why a candidate cannot be asked now, and what the caller is told if that goes for all of them.

use super::choose::Queued;
use super::gates::seconds_until;
use super::{Exchange, Move};
use crate::error::{Code, Failure};
use crate::health;
use crate::metrics::Limit;
use crate::route::Candidate;

/// What will have gone at a time that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obstacle {
    /// When, monotonic microseconds.
    pub until_us: u64,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It asked for time, or answered 429.
    Throttled,
    /// It has had its requests for the minute.
    Rate,
    /// It failed too often, or refused the credential. Whether it is well again then, nobody knows.
    Failing,
}

/// All that one look met with.
#[derive(Default)]
pub(super) struct Obstacles {
    pub soonest: Option<Obstacle>,
    /// The places of one are taken, and those of its queue.
    pub full: bool,
    /// The places of one are taken, and it has a queue.
    pub queue: Option<Queued>,
}

impl Obstacles {
    pub fn note(&mut self, obstacle: Obstacle) {
        if self.soonest.is_none_or(|soonest| obstacle.until_us < soonest.until_us) {
            self.soonest = Some(obstacle);
        }
    }
}

impl Obstacle {
    pub fn rate(until_us: u64) -> Obstacle {
        Obstacle { until_us, why: Why::Rate }
    }

    pub fn of_health(until_us: u64, reason: &str) -> Obstacle {
        Obstacle { until_us, why: if reason == health::THROTTLED { Why::Throttled } else { Why::Failing } }
    }

    /// What a caller is told where it stands against every candidate.
    pub fn failure(&self, now_us: u64) -> Failure {
        let (code, words) = match self.why {
            Why::Throttled => {
                (Code::UpstreamRateLimited, "Every provider of this model is at its own rate limit. Ask later.")
            }
            Why::Rate => {
                let words = "The providers of this model have had their requests for the minute. Ask later.";
                (Code::RateLimited, words)
            }
            Why::Failing => {
                let words =
                    "Every provider of this model failed lately and is being left alone for a while. Ask later.";
                (Code::UpstreamUnavailable, words)
            }
        };
        Failure::new(code, words).retry_after(seconds_until(self.until_us, now_us))
    }
}

impl Exchange {
    /// What stands against asking candidate `at` now, places apart. Takes nothing.
    pub(super) fn obstacle(&self, candidates: &[Candidate], at: usize) -> Option<Obstacle> {
        let upstream = &self.snap.upstreams[candidates[at].provider as usize];
        let now_us = self.now.mono_us;
        let own = self.choice.not_before.iter().filter(|(candidate, _)| *candidate as usize == at);
        if let Some(until_us) = own.map(|(_, until_us)| *until_us).max().filter(|until_us| *until_us > now_us) {
            return Some(Obstacle { until_us, why: Why::Throttled });
        }
        if let Some((until_us, reason)) = upstream.live.health.refused(now_us) {
            return Some(Obstacle::of_health(until_us, reason));
        }
        let rate = if upstream.rated { upstream.live.rate.peek(now_us) } else { Ok(()) };
        rate.err().map(Obstacle::rate)
    }

    pub(super) fn refuse_for(&mut self, obstacle: Obstacle) -> Move {
        if obstacle.why == Why::Rate {
            self.account.limited = Some(Limit::ProviderRate);
        }
        self.refuse(obstacle.failure(self.now.mono_us))
    }
}
