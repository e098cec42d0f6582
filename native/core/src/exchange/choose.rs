//! Which upstream is asked next, when, and with what bytes.

use bytes::Bytes;
use smallvec::SmallVec;

use super::attempt::Attempt;
use super::call::is_uuid;
use super::gates::seconds_until;
use super::{Caller, Exchange, Move, Phase, Step, UpstreamId};
use crate::clock::SECOND;
use crate::config::{CapField, ProviderKind};
use crate::dialects::neutral;
use crate::error::{Code, Failure};
use crate::gateway::Upstream;
use crate::health::{self, Admit};
use crate::http::{Headers, UpstreamRequest};
use crate::json::{self, Edits};
use crate::limit::{Acquire, Permit, Ticket};
use crate::metrics::Limit;
use crate::retry::backoff_us;
use crate::route::{Candidate, Tried};
use crate::sync::Arc;

/// A longer `Retry-After` is told to the caller instead of waited for.
const LONGEST_RETRY_AFTER_US: u64 = 60 * SECOND;

/// The search for an upstream, over all attempts.
#[derive(Default)]
pub(super) struct Choice {
    pub candidates: Option<Arc<[Candidate]>>,
    pub turn: u64,
    tried: Tried,
    pub attempts: u32,
    pub retries: u32,
    /// The last failure, told if no attempt does better.
    last: Option<Failure>,
    not_before_us: u64,
    /// What the last upstream asked us to wait before it is asked again.
    retry_after_us: u64,
    /// Everybody was tried once; now they are tried again.
    again: bool,
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

    /// Everybody had a turn: the same ones again, after a pause.
    fn try_again(&mut self) -> Move {
        let retry = &self.snap.config.retry;
        let jitter = backoff_us(
            self.choice.retries.saturating_sub(1),
            retry.base_delay_ms,
            retry.max_delay_ms,
            self.rng.next_u64(),
        );
        self.choice.not_before_us = self.now.mono_us.saturating_add(jitter.max(self.choice.retry_after_us));
        self.choice.tried.clear();
        self.choice.again = true;
        Move::Again
    }

    /// After a failed attempt: another one, or the end. `stale`: the connection had died in the pool, which says
    /// nothing about the upstream, so that it may be asked again at once.
    pub(super) fn retry_or_fail(&mut self, failure: Failure, retry: bool, stale: bool, retry_after_us: Option<u64>) {
        let settings = &self.snap.config.retry;
        let patience = retry_after_us.unwrap_or(0) <= LONGEST_RETRY_AFTER_US;
        let lone = self.choice.candidates.as_ref().is_none_or(|all| all.len() <= 1);
        let worth = retry && self.choice.attempts < settings.max_attempts && (patience || !lone);
        if !worth || !self.snap.retries.withdraw(self.now.mono_us) {
            self.fail(failure);
            return;
        }
        self.choice.retries += 1;
        self.choice.last = Some(failure);
        self.choice.retry_after_us = if patience { retry_after_us.unwrap_or(0) } else { u64::MAX / 2 };
        self.choice.again = false;
        self.choice.not_before_us = 0;
        if stale {
            self.choice.tried.pop();
        }
        self.phase = match (&self.holds.pool, &self.holds.reservation) {
            // The failed attempt was charged; the next one is reserved anew.
            (Some(_), None) => Phase::Gates(super::Gate::Budget),
            _ => Phase::Choose,
        };
    }

    fn open(&mut self, to: &Candidate, upstream: Arc<Upstream>, health: health::Attempt, permit: Option<Permit>) {
        let u: UpstreamId = self.choice.attempts;
        self.choice.attempts += 1;
        let step = match upstream.kind {
            ProviderKind::OpenAi => self.write_request(to, &upstream).map(|request| Step::Send { u, request }),
            ProviderKind::Engine => Some(Step::Call {
                u,
                engine: upstream.name.clone(),
                request: neutral::Request { endpoint: self.endpoint(), body: self.upstream_body(to, &upstream) },
            }),
        };
        let Some(step) = step else {
            self.fail(Failure::new(Code::Internal, "A provider without an address was chosen."));
            return;
        };
        self.steps.push_back(step);
        self.account.provider = Some(upstream.clone());
        self.attempt = Some(Attempt::open(u, upstream, health, permit, self.now.mono_us));
        self.phase = Phase::Attempt;
    }

    fn write_request(&self, to: &Candidate, upstream: &Upstream) -> Option<UpstreamRequest> {
        let call = self.call();
        let accept: &'static [u8] = if self.facts().stream { b"text/event-stream" } else { b"application/json" };
        let mut headers: Headers = Vec::with_capacity(6);
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json")));
        headers.push((Bytes::from_static(b"accept"), Bytes::from_static(accept)));
        headers.push((Bytes::from_static(b"accept-encoding"), Bytes::from_static(b"identity")));
        headers.push((Bytes::from_static(b"user-agent"), Bytes::from_static(USER_AGENT.as_bytes())));
        if !upstream.uuid_ids || is_uuid(&call.request_id) {
            headers.push(super::call::id_header(call));
        }
        if let Some(authorization) = &upstream.authorization {
            headers.push((Bytes::from_static(b"authorization"), authorization.clone()));
        }
        Some(UpstreamRequest {
            origin: upstream.origin.clone()?,
            method: "POST",
            target: upstream.target(self.endpoint()).clone(),
            headers,
            body: self.upstream_body(to, upstream),
        })
    }

    /// The caller's body, with only those fields changed that must be.
    fn upstream_body(&self, to: &Candidate, upstream: &Upstream) -> Bytes {
        let facts = self.facts();
        let mut edits = Edits::new();
        if *to.model != *facts.model {
            let mut name = Vec::with_capacity(to.model.len() + 2);
            json::write_string(&mut name, &to.model);
            edits.set("model", name);
        }
        if facts.budget.is_some() {
            edits.remove("pool");
        }
        if facts.stream && !facts.include_usage {
            edits.set("stream_options", self.usage_options());
        }
        if let Some(cap) = self.holds.cap {
            self.cap_output(cap, upstream.cap_field, &mut edits);
        }
        if edits.is_empty() {
            return facts.body.clone();
        }
        Bytes::from(edits.apply(&facts.body, &facts.index))
    }

    /// `stream_options` with usage asked for, whatever else the caller put there kept.
    fn usage_options(&self) -> Vec<u8> {
        let facts = self.facts();
        let given =
            facts.index.get(&facts.body, "stream_options").filter(|options| options.kind() == json::Kind::Object);
        let Some(given) = given else { return b"{\"include_usage\":true}".to_vec() };
        match json::Index::scan(given.raw(), json::Limits::default()) {
            Ok(index) => {
                let mut edits = Edits::new();
                edits.set("include_usage", Bytes::from_static(b"true"));
                edits.apply(given.raw(), &index)
            }
            Err(_) => b"{\"include_usage\":true}".to_vec(),
        }
    }

    /// What was reserved is what the upstream may spend: the worst case is enforced, not guessed.
    fn cap_output(&self, cap: u64, field: CapField, edits: &mut Edits) {
        let facts = self.facts();
        if facts.output_cap.is_some_and(|own| own <= cap) {
            return;
        }
        let number = || Bytes::from(cap.to_string());
        let own: SmallVec<[&'static str; 2]> = ["max_tokens", "max_completion_tokens"]
            .into_iter()
            .filter(|name| facts.index.get(&facts.body, name).is_some_and(|value| !value.is_null()))
            .collect();
        for name in &own {
            edits.set(*name, number());
        }
        if own.is_empty() {
            let chat = self.endpoint() == neutral::Endpoint::Chat;
            edits.set(
                if chat && field == CapField::MaxCompletionTokens { "max_completion_tokens" } else { "max_tokens" },
                number(),
            );
        }
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.call().caller == Caller::Neutral
    }
}

const USER_AGENT: &str = concat!("hoosh/", env!("CARGO_PKG_VERSION"));
