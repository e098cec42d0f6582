//! Why a candidate cannot be asked now, and what the caller is told if that goes for all of them.

use smallvec::SmallVec;

use super::choose::Queued;
use super::gates::retry_at;
use super::{Exchange, Move};
use crate::error::{Code, Failure};
use crate::gateway::Upstream;
use crate::health;
use crate::limit::{Ask, Line};
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
    /// It has had its tokens for the minute.
    Tokens,
    /// The request may use more tokens than it gets in a minute.
    TooLarge,
    /// What its credentials may spend is spent.
    Quota,
    /// It failed too often. Whether it is well again then, nobody knows.
    Failing,
    /// It refused every credential. It will go on, until the operator has renewed one.
    Credential,
}

/// Somebody whom one request leaves alone for a while, or for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spared {
    pub candidate: u32,
    /// One credential, or the whole provider.
    pub credential: Option<u16>,
    /// Monotonic microseconds; [`u64::MAX`] for good.
    pub until_us: u64,
}

/// Whether who was asked in this round counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// No credential is asked with twice.
    ThisRound,
    /// As if the next round began.
    NextRound,
}

/// All that one look met with.
#[derive(Default)]
pub(super) struct Obstacles {
    /// Of those that are no rates.
    soonest: Option<Obstacle>,
    /// The places of one are taken, and those of its queue.
    pub full: bool,
    /// The places of one are taken, and it has a queue.
    pub queue: Option<Queued>,
    /// Who has had a minute's requests or tokens, until the turn would come.
    pub rates: SmallVec<[(usize, Obstacle); 2]>,
    /// When the first of the others may be asked again.
    pub others_us: Option<u64>,
}

impl Obstacles {
    /// What stands against candidate `at`.
    pub fn note(&mut self, at: usize, obstacle: Obstacle) {
        if matches!(obstacle.why, Why::Rate | Why::Tokens) {
            self.rates.push((at, obstacle));
            return;
        }
        self.others_us = self.others_us.into_iter().chain([obstacle.until_us]).min();
        self.soonest = self.soonest.into_iter().chain([obstacle]).min_by_key(Obstacle::rank);
    }

    /// What goes first.
    pub fn soonest(&self) -> Option<Obstacle> {
        let rates = self.rates.iter().map(|(_, obstacle)| *obstacle);
        self.soonest.into_iter().chain(rates).min_by_key(Obstacle::rank)
    }
}

impl Obstacle {
    /// What goes by itself is worth waiting for; a credential is not.
    fn rank(&self) -> (bool, u64) {
        (self.why == Why::Credential, self.until_us)
    }

    /// Of what a rate was asked.
    pub fn of_rate(ask: &Ask<'_>, until_us: u64) -> Obstacle {
        let why = match (ask.is_of_tokens(), until_us) {
            (false, _) => Why::Rate,
            (true, u64::MAX) => Why::TooLarge,
            (true, _) => Why::Tokens,
        };
        Obstacle { until_us, why }
    }

    pub fn of_health(until_us: u64, reason: &str) -> Obstacle {
        let why = match reason {
            health::THROTTLED => Why::Throttled,
            health::QUOTA => Why::Quota,
            health::CREDENTIAL => Why::Credential,
            _ => Why::Failing,
        };
        Obstacle { until_us, why }
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
            Why::Tokens => {
                let words = "The providers of this model have had their tokens for the minute. Ask later.";
                (Code::RateLimited, words)
            }
            Why::TooLarge => {
                let words = "The request may use more tokens than any provider of this model may in a whole minute.";
                return Failure::new(Code::OverRateLimit, words);
            }
            Why::Quota => {
                let words = "What the gateway may spend at this model's providers is spent. Ask its operator.";
                (Code::UpstreamQuota, words)
            }
            Why::Failing => {
                let words =
                    "Every provider of this model failed lately and is being left alone for a while. Ask later.";
                (Code::UpstreamUnavailable, words)
            }
            Why::Credential => {
                let words = "No provider of this model accepts the gateway's credential. Its operator must renew it.";
                (Code::UpstreamUnavailable, words)
            }
        };
        retry_at(Failure::new(code, words), self.until_us, now_us)
    }
}

impl Exchange {
    /// What stands against asking candidate `at` now, places apart. Takes nothing.
    pub(super) fn obstacle(&self, candidates: &[Candidate], at: usize, look: Look) -> Option<Obstacle> {
        let upstream = &self.snap.upstreams[candidates[at].provider as usize];
        let now_us = self.now.mono_us;
        let own = self.choice.spared.iter().filter(|one| one.candidate as usize == at && one.credential.is_none());
        if let Some(until_us) = own.map(|one| one.until_us).max().filter(|until_us| *until_us > now_us) {
            return Some(Obstacle { until_us, why: Why::Throttled });
        }
        let credentials = || upstream.credentials.refused(&candidates[at].model, now_us, self.passed_over(at, look));
        if let Some((until_us, reason)) = upstream.live.health.refused(now_us).or_else(credentials) {
            return Some(Obstacle::of_health(until_us, reason));
        }
        if !upstream.rated && !upstream.token_rated {
            return None;
        }
        let (asks, owner) = (self.rates_at(&candidates[at], upstream), self.call().holder.owner);
        let refused = match self.choice.turn_at(at) {
            Some(line) => line.peek(&asks, owner, now_us),
            None => Line::default().peek(&asks, owner, now_us),
        };
        refused.err().map(|(nth, until_us)| Obstacle::of_rate(&asks[nth], until_us))
    }

    /// What asking `upstream` takes of its rates, in the order in which they are waited for.
    pub(super) fn rates_at<'a>(&self, to: &Candidate, upstream: &'a Upstream) -> SmallVec<[Ask<'a>; 2]> {
        let tokens = upstream.token_rated.then(|| Ask::tokens(&upstream.live.tokens, self.tokens_at(to, upstream)));
        let one = upstream.rated.then(|| Ask::one(&upstream.live.rate));
        tokens.into_iter().chain(one).collect()
    }

    /// Until when each credential of candidate `at` is not asked with, as far as this request goes.
    pub(super) fn passed_over(&self, at: usize, look: Look) -> impl Fn(u16) -> Option<u64> + '_ {
        let (choice, now_us) = (&self.choice, self.now.mono_us);
        // What one account keeps no other has.
        let only = self.home().map(|home| home.credential);
        move |n| {
            if only.is_some_and(|only| only != n) {
                return Some(u64::MAX);
            }
            let own = choice.spared.iter().filter(|one| one.candidate as usize == at && one.credential == Some(n));
            let spared = own.map(|one| one.until_us).max().filter(|until_us| *until_us > now_us);
            let asked = look == Look::ThisRound && choice.asked_with.contains(&(at as u32, n));
            spared.or(asked.then_some(now_us))
        }
    }

    pub(super) fn refuse_for(&mut self, obstacle: Obstacle) -> Move {
        self.account.limited = match obstacle.why {
            Why::Rate => Some(Limit::ProviderRate),
            Why::Tokens => Some(Limit::ProviderTokens),
            Why::TooLarge => return self.refuse_too_large(Limit::ProviderTokens, "any provider of this model"),
            Why::Throttled | Why::Quota | Why::Failing | Why::Credential => self.account.limited,
        };
        self.refuse(obstacle.failure(self.now.mono_us))
    }
}
