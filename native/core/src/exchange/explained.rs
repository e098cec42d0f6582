//! What `POST /v1/explain` answers, as JSON.

use super::gates::seconds_until;
use super::obstacle::{Obstacle, Why};
use super::Exchange;
use crate::config::{Deadlines, Strategy};
use crate::dialects::neutral::Endpoint;
use crate::dialects::Lost;
use crate::error::Failure;
use crate::gateway::{Holder, Upstream};
use crate::health;
use crate::json::Tree;
use crate::limit::{Concurrency, Room};
use crate::route::Candidate;

/// What the policies say, in the order in which a request meets them.
#[derive(Default)]
pub(super) struct Told {
    pub refusal: Option<Failure>,
    pub waits: bool,
    pub cached: bool,
    pub candidates: Vec<Tree>,
    pub limits: Vec<Tree>,
    pub budget: Option<Tree>,
    /// Of the candidate that would be asked first.
    pub first: Option<Terms>,
    pub cache: Option<Tree>,
}

/// On which terms a candidate would be asked.
pub(super) struct Terms {
    cap: Option<u64>,
    deadlines: Deadlines,
}

impl Told {
    /// The first refusal is the one that a caller would get.
    pub fn refuse(&mut self, failure: Failure) {
        // What comes behind the cache is not met where the answer is there.
        if self.cached {
            return;
        }
        self.refusal.get_or_insert(failure);
    }
}

impl Exchange {
    pub(super) fn exclusion(&self, upstream: &Upstream, obstacle: Obstacle) -> Tree {
        let word = match obstacle.why {
            Why::Throttled => "throttled",
            Why::Rate => "rate_limited",
            Why::Tokens => "token_rate_limited",
            Why::TooLarge => return reason("exceeds_token_rate", None),
            Why::Quota => "quota_exhausted",
            Why::Credential => health::CREDENTIAL,
            Why::Failing => upstream.live.health.state().reason,
        };
        reason(word, Some(seconds_until(obstacle.until_us, self.now.mono_us)))
    }

    pub(super) fn candidate(
        &self,
        candidate: &Candidate,
        upstream: &Upstream,
        order: Option<u64>,
        room: Room,
        excluded: Option<Tree>,
    ) -> Tree {
        let places = upstream.live.concurrency.state();
        let terms = self.terms(candidate, upstream);
        let latency_ms = upstream.live.health.latency_us().map(|us| us / 1_000);
        Tree::Object(vec![
            ("provider", (&*upstream.name).into()),
            ("model", (&*candidate.model).into()),
            ("priority", candidate.priority.into()),
            ("order", order.into()),
            ("excluded", excluded.into()),
            ("dialect", upstream.dialect.as_str().into()),
            ("loss", self.told_loss(candidate, upstream).into()),
            ("breaker", upstream.live.health.state().state.as_str().into()),
            ("in_progress", upstream.bounded.then_some(places.held).into()),
            ("max_concurrency", upstream.bounded.then_some(places.max).into()),
            ("waits", (order.is_some() && room == Room::Queue).into()),
            ("latency_ms", latency_ms.into()),
            ("output_cap_tokens", terms.cap.into()),
            ("deadlines", told_deadlines(&terms.deadlines)),
        ])
    }

    /// What the request would lose on its way to `candidate`; null where it cannot be asked so at all.
    fn told_loss(&self, candidate: &Candidate, upstream: &Upstream) -> Option<Tree> {
        let (_, loss) = self.translate(candidate, upstream, &self.version(upstream)).ok()?;
        let one = |lost: &Lost| {
            Tree::Object(vec![
                ("field", (&*lost.field).into()),
                ("change", lost.change.as_str().into()),
                ("note", lost.note.into()),
            ])
        };
        Some(Tree::Array(loss.fields().iter().map(one).collect()))
    }

    /// What the request to `candidate` would say and how long it would be waited for.
    pub(super) fn terms(&self, candidate: &Candidate, upstream: &Upstream) -> Terms {
        let cap = self.told_cap(candidate, upstream);
        Terms { cap, deadlines: self.deadlines_at(&candidate.model, upstream) }
    }

    /// The same where nobody can be asked: what holds whoever it would be.
    fn terms_of_none(&self) -> Terms {
        let limits = [self.facts.as_ref().and_then(|facts| facts.output_cap), self.call().holder.max_tokens_limit];
        let cap = limits.into_iter().flatten().min().filter(|_| self.endpoint() != Endpoint::Embeddings);
        Terms { cap, deadlines: Deadlines { total_secs: self.total_secs, ..self.snap.config.deadlines.clone() } }
    }

    pub(super) fn tell(&self, told: Told, endpoint: Endpoint, holder: &Holder) -> Tree {
        let outcome = match &told {
            Told { refusal: Some(_), .. } => "refused",
            Told { cached: true, .. } => "cached",
            Told { waits: true, .. } => "waits",
            Told { .. } => "asked",
        };
        let config = &self.snap.config;
        let facts = self.facts.as_ref();
        let terms = told.first.unwrap_or_else(|| self.terms_of_none());
        let request = vec![
            ("endpoint", endpoint.as_str().into()),
            ("model", facts.map(|facts| facts.model.as_str()).into()),
            ("stream", facts.map(|facts| facts.stream).into()),
            ("key", (&*holder.name).into()),
            ("input_tokens_bound", facts.map(|_| self.input_bound()).into()),
            ("output_cap_tokens", terms.cap.filter(|_| facts.is_some()).into()),
        ];
        let strategy = Strategy::WORDS.iter().find(|(_, known)| *known == config.server.strategy);
        Tree::Object(vec![
            ("outcome", outcome.into()),
            ("refusal", told.refusal.as_ref().map(refusal).into()),
            ("request", Tree::Object(request)),
            ("strategy", strategy.map(|(word, _)| *word).into()),
            ("candidates", Tree::Array(told.candidates)),
            ("limits", Tree::Array(told.limits)),
            ("budget", told.budget.into()),
            ("cache", told.cache.into()),
            ("max_attempts", config.retry.max_attempts.into()),
            ("deadlines", told_deadlines(&terms.deadlines)),
        ])
    }
}

fn told_deadlines(deadlines: &Deadlines) -> Tree {
    Tree::Object(vec![
        ("connect_secs", deadlines.connect_secs.into()),
        ("first_byte_secs", deadlines.first_byte_secs.into()),
        ("idle_secs", deadlines.idle_secs.into()),
        ("total_secs", deadlines.total_secs.into()),
    ])
}

pub(super) fn place(told: &mut Told, limit: &'static str, concurrency: &Concurrency, full: fn() -> Failure) {
    let state = concurrency.state();
    let verdict = match state.room {
        Room::Free => "passes",
        Room::Queue => "waits",
        Room::Full => "refused",
    };
    told.limits.push(Tree::Object(vec![
        ("limit", limit.into()),
        ("max", state.max.into()),
        ("in_progress", state.held.into()),
        ("waiting", state.waiting.into()),
        ("verdict", verdict.into()),
    ]));
    match state.room {
        Room::Free => {}
        Room::Queue => told.waits = true,
        Room::Full => told.refuse(full()),
    }
}

pub(super) fn reason(word: &str, retry_in_secs: Option<u64>) -> Tree {
    Tree::Object(vec![("reason", word.into()), ("retry_in_secs", retry_in_secs.into())])
}

fn refusal(failure: &Failure) -> Tree {
    Tree::Object(vec![
        ("status", u32::from(failure.status()).into()),
        ("code", failure.code.as_str().into()),
        ("message", failure.message.as_str().into()),
        ("param", failure.param.as_deref().into()),
        ("retry_after_secs", failure.retry_after_secs.into()),
    ])
}
