//! `POST /v1/explain`: what would become of a request. The policies are those that it would meet, asked without taking
//! anything; nobody is asked, and nothing is booked.
//!
//! The exchange reads the request that is asked about as if it were its own, and in the name of the key that is named;
//! then it is itself again and answers.

use bytes::Bytes;
use smallvec::SmallVec;

use super::choose::Choice;
use super::explained::{place, reason, Told};
use super::gates::{seconds_until, Holds};
use super::obstacle::{Look, Obstacles};
use super::places::{gateway_full, key_full};
use super::rates::narrowest_first;
use super::responses::Earlier;
use super::slices::Slices;
use super::target::Target;
use super::translated;
use super::{Exchange, Facts};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::count::Question;
use crate::dialects::openai::request;
use crate::dialects::{self, Dialect};
use crate::error::{Code, Failure};
use crate::gateway::Holder;
use crate::json::{self, Tree};
use crate::limit::{Ask, Line, Rate, Room};
use crate::metrics::Limit;
use crate::route::{Candidate, Lack, Tried};
use crate::sync::atomic::Ordering;
use crate::sync::Arc;

/// What is asked about.
struct Asked {
    endpoint: Endpoint,
    dialect: Dialect,
    /// Of a dialect whose paths name it.
    model: Option<String>,
    body: Bytes,
    /// The key in whose name.
    key: Option<String>,
}

impl Exchange {
    pub(super) fn answer_explain(&mut self, body: Bytes) {
        let own = self.call().holder.clone();
        match self.read_asked(&body) {
            Ok((asked, holder)) => {
                let text = self.explained(asked, holder).compact();
                self.become_explained(Target::Explain, Dialect::NEUTRAL, own, None);
                (self.choice, self.holds) = (Choice::default(), Holds::default());
                self.reply_json(200, text.into_bytes());
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn become_explained(&mut self, target: Target, dialect: Dialect, holder: Arc<Holder>, facts: Option<Facts>) {
        if let Some(call) = &mut self.call {
            (call.target, call.dialect) = (Some(target), dialect);
            call.holder = holder;
        }
        self.facts = facts;
    }

    fn read_asked(&self, body: &Bytes) -> Result<(Asked, Arc<Holder>), Failure> {
        let asked = Asked::read(body)?;
        let Some(name) = &asked.key else { return Ok((asked, self.call().holder.clone())) };
        let holder = self.snap.holders.iter().find(|holder| *holder.name == **name).cloned();
        let unknown = || invalid("key", "'key' must be the name of one of [auth] tokens.");
        Ok((asked, holder.ok_or_else(unknown)?))
    }

    fn explained(&mut self, asked: Asked, holder: Arc<Holder>) -> Tree {
        let Asked { endpoint, dialect, model, body, .. } = asked;
        if let Some(call) = &mut self.call {
            (call.holder, call.dialect) = (holder.clone(), dialect);
        }
        let tenant = self.snap.cache.is_some().then(|| self.tenant());
        let mut told = Told::default();
        let read = match dialect {
            Dialect::NEUTRAL => request::read(body, endpoint, tenant.as_deref()),
            other => {
                let asked = dialects::Ask { endpoint: Some(endpoint), model, ..dialects::Ask::default() };
                translated::read(body, other, &asked, Earlier::Nothing, tenant.as_deref())
            }
        };
        match read {
            Ok(facts) => {
                self.children.slices = Slices::of(&facts, endpoint, self.snap.config.limits.max_inputs as usize);
                self.become_explained(Target::Inference(dialect, endpoint), dialect, holder.clone(), Some(facts));
                self.ask_policies(&mut told);
                self.children.slices = Slices::default();
            }
            Err(failure) => told.refuse(failure),
        }
        self.tell(told, endpoint, &holder)
    }

    /// In the order of the gates.
    fn ask_policies(&mut self, told: &mut Told) {
        match self.resolved() {
            Ok(candidates) => {
                self.take_candidates(candidates);
                self.in_scope().unwrap_or_else(|failure| told.refuse(failure));
            }
            Err(failure) => told.refuse(failure),
        }
        let (all, lacks) = self.ask_abilities(told);
        match self.find_budget() {
            Ok(pool) => self.holds.pool = pool,
            Err(failure) => told.refuse(failure),
        }
        self.ask_rates(told);
        self.ask_cache(told);
        self.ask_tokens(told);
        self.ask_places(told);
        self.ask_budget(told);
        self.ask_candidates(told);
        self.tell_others(told, &all, &lacks);
    }

    /// Goes on with those who lack nothing; all that there were, and what each lacks. The input is counted here and now,
    /// if that decides.
    fn ask_abilities(&mut self, told: &mut Told) -> (Arc<[Candidate]>, Vec<Option<Lack>>) {
        let candidates = self.choice.candidates.clone().unwrap_or_default();
        if self.may_overflow(&candidates) {
            self.holds.counted_input = Some(Question::of(self.facts(), self.endpoint()).longest_input());
        }
        let lacks = self.lacks(&candidates);
        if lacks.iter().any(Option::is_some) {
            self.keep_fit(&candidates, &lacks).unwrap_or_else(|failure| told.refuse(failure));
        }
        (candidates, lacks)
    }

    fn ask_rates(&self, told: &mut Told) {
        let holder = &self.call().holder;
        let own = holder.rated.then_some((Limit::KeyRate, &holder.live.rate));
        let limits = narrowest_first(own, self.snap.rate.as_ref().map(|rate| (Limit::GatewayRate, rate)));
        self.tell_rates(told, &limits, Ask::one);
    }

    fn ask_tokens(&mut self, told: &mut Told) {
        if self.facts.is_none() {
            return;
        }
        self.count_if_too_large();
        let (_, wanted) = self.tokens_wanted();
        let holder = &self.call().holder;
        let own = holder.token_rated.then_some((Limit::KeyTokens, &holder.live.tokens));
        let limits = narrowest_first(own, self.snap.tokens.as_ref().map(|rate| (Limit::GatewayTokens, rate)));
        self.tell_rates(told, &limits, |rate| Ask::tokens(rate, wanted));
    }

    /// As `refuse_tokens` does before it calls a request too large.
    fn count_if_too_large(&mut self) {
        let (_, wanted) = self.tokens_wanted();
        let holder = &self.call().holder;
        let own = holder.token_rated.then_some(&holder.live.tokens);
        let mut rates = self.snap.tokens.iter().chain(own);
        if !rates.any(|rate| rate.peek(holder.owner, wanted, self.now.mono_us) == Err(u64::MAX)) {
            return;
        }
        if let Some(count) = self.exact_count() {
            self.holds.exact_input = Some(count().min(self.facts().input_bound));
        }
    }

    /// What one gate says, whose limits are taken together. The widest stands first.
    fn tell_rates<'a>(
        &self,
        told: &mut Told,
        limits: &[(Limit, &'a Arc<Rate>)],
        ask: impl Fn(&'a Arc<Rate>) -> Ask<'a>,
    ) {
        let asks: SmallVec<[Ask<'_>; 2]> = limits.iter().map(|(_, rate)| ask(rate)).collect();
        let refused = self.look_at(&asks).err();
        let (owner, now_us) = (self.call().holder.owner, self.now.mono_us);
        for (nth, (limit, rate)) in limits.iter().enumerate().rev() {
            let late_us = Line::default().peek(&asks[nth..=nth], owner, now_us).err().map(|(_, at_us)| at_us);
            // The one that refuses may be one that alone would be waited for: where another's line is full.
            let waits = refused.map(|(at, _)| at) != Some(nth) && self.look_at(&asks[nth..=nth]).is_ok();
            let verdict = match late_us {
                None => "passes",
                Some(_) if waits => "waits",
                Some(_) => "refused",
            };
            let retry_us = late_us.filter(|at_us| *at_us != u64::MAX);
            let standing = rate.standing(now_us);
            told.limits.push(Tree::Object(vec![
                ("limit", limit.as_str().into()),
                ("per_minute", standing.limit.into()),
                ("remaining", standing.remaining.into()),
                ("verdict", verdict.into()),
                ("retry_in_secs", retry_us.map(|at_us| seconds_until(at_us, now_us)).into()),
            ]));
            told.waits |= late_us.is_some() && refused.is_none();
        }
        if let Some((at, at_us)) = refused {
            told.refuse(self.turn_failure(limits[at].0, at_us));
        }
    }

    fn ask_cache(&self, told: &mut Told) {
        let Some(cache) = &self.snap.cache else { return };
        let kept = |key| self.fresh(cache.peek(&key, self.now.mono_us)).filter(|entry| self.can_be_given(entry));
        let result = self.lookup_key().map_or("bypass", |key| if kept(key).is_some() { "hit" } else { "miss" });
        told.cached = result == "hit";
        let hex = self.cache_key().map(|key| blake3::Hash::from_bytes(key).to_hex().to_string());
        told.cache = Some(Tree::Object(vec![("result", result.into()), ("key", hex.into())]));
    }

    fn ask_places(&self, told: &mut Told) {
        if let Some(concurrency) = &self.snap.concurrency {
            place(told, "gateway_concurrency", concurrency, gateway_full);
        }
        let holder = &self.call().holder;
        if holder.bounded {
            place(told, "key_concurrency", &holder.live.concurrency, key_full);
        }
    }

    fn ask_budget(&mut self, told: &mut Told) {
        let Some(pool) = self.holds.pool.clone() else { return };
        if let Err(failure) = self.bounded_input() {
            told.refuse(failure);
            return;
        }
        let (min, want) = self.tokens_wanted();
        let mut quote = pool.quote(min, want);
        if let (Err(_), Some(count)) = (quote, self.exact_count()) {
            self.holds.exact_input = Some(count().min(self.facts().input_bound));
            let (min, want) = self.tokens_wanted();
            quote = pool.quote(min, want);
        }
        let (min, want) = self.tokens_wanted();
        let state = pool.state();
        told.budget = Some(Tree::Object(vec![
            ("name", (&**pool.name()).into()),
            ("capacity", state.capacity.into()),
            ("used", state.used.into()),
            ("reserved", state.reserved.into()),
            ("needed_tokens", min.into()),
            ("wanted_tokens", want.into()),
            ("granted_tokens", quote.ok().into()),
        ]));
        match quote {
            Ok(tokens) => self.holds.cap = self.cap_of(tokens),
            Err(available) => told.refuse(self.budget_failure(available)),
        }
    }

    fn ask_candidates(&mut self, told: &mut Told) {
        let candidates = self.choice.candidates.clone().unwrap_or_default();
        self.choice.turn = self.snap.routes.peek_turn(&self.facts().model);
        let mut order = Tried::new();
        while self.pick(&candidates, &mut order).is_some() {}
        let mut obstacles = Obstacles::default();
        let (mut place, mut free, mut turns) = (0u64, false, false);
        for at in order.iter().map(|at| *at as usize) {
            let upstream = &self.snap.upstreams[candidates[at].provider as usize];
            let room = if upstream.bounded { upstream.live.concurrency.state().room } else { Room::Free };
            let obstacle = self.obstacle(&candidates, at, Look::ThisRound);
            match (obstacle, room) {
                (Some(obstacle), _) => {
                    turns |= self.would_wait_at(&candidates[at], upstream, obstacle);
                    obstacles.note(at, obstacle);
                }
                (None, Room::Full) => obstacles.full = true,
                (None, room) => {
                    place += 1;
                    free |= room == Room::Free;
                    told.first.get_or_insert_with(|| self.terms(&candidates[at], upstream));
                }
            }
            let excluded = obstacle.map(|obstacle| self.exclusion(upstream, obstacle));
            let excluded = excluded.or_else(|| (room == Room::Full).then(|| reason("full", None)));
            let order = excluded.is_none().then_some(place);
            told.candidates.push(self.candidate(&candidates[at], upstream, order, room, excluded));
        }
        told.waits |= if place > 0 { !free } else { turns };
        if place == 0 && !turns && told.refusal.is_none() && !told.cached {
            match obstacles.soonest() {
                Some(soonest) if !obstacles.full => told.refuse(soonest.failure(self.now.mono_us)),
                _ => told.refuse(super::choose::busy()),
            }
        }
    }

    /// Those who cannot be asked at all: of `all` those whom the key may not use or who lack something, and who does not
    /// serve the model.
    fn tell_others(&self, told: &mut Told, all: &[Candidate], lacks: &[Option<Lack>]) {
        for (candidate, lack) in all.iter().zip(lacks) {
            let upstream = &self.snap.upstreams[candidate.provider as usize];
            let word = match lack {
                _ if upstream.live.withdrawn.load(Ordering::Relaxed) => "withdrawn",
                _ if !self.may_use(candidate) => "key_scope",
                Some(lack) => lack.as_str(),
                None => continue,
            };
            told.candidates.push(self.candidate(candidate, upstream, None, Room::Free, Some(reason(word, None))));
        }
        for (at, upstream) in self.snap.upstreams.iter().enumerate() {
            if !all.iter().any(|candidate| candidate.provider as usize == at) {
                let excluded = reason("model_not_served", None);
                let fields = vec![("provider", (&*upstream.name).into()), ("excluded", excluded)];
                told.candidates.push(Tree::Object(fields));
            }
        }
    }
}

impl Asked {
    fn read(body: &Bytes) -> Result<Asked, Failure> {
        let limits = json::Limits::default();
        let not_json = |error: json::Error| Failure::new(Code::InvalidJson, format!("The body is not JSON: {error}."));
        let index = json::Index::scan(body, limits).map_err(not_json)?;
        let text = |name: &'static str| match index.get(body, name).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Some(text.into_owned())),
                None => Err(invalid(name, &format!("'{name}' must be a string."))),
            },
        };
        let endpoint = match text("endpoint")?.as_deref() {
            None | Some("chat") => Endpoint::Chat,
            Some("completions") => Endpoint::Completions,
            Some("embeddings") => Endpoint::Embeddings,
            Some(_) => return Err(invalid("endpoint", "'endpoint' must be chat, completions or embeddings.")),
        };
        let dialect = match text("dialect")? {
            None => Dialect::NEUTRAL,
            Some(word) => Dialect::named(&word).ok_or_else(|| {
                invalid("dialect", &format!("'dialect' must be one of {}.", Dialect::NAMES.join(", ")))
            })?,
        };
        let inner = index.get(body, "body").filter(|inner| inner.kind() == json::Kind::Object);
        let Some(inner) = inner else {
            let words = "'body' is missing: send the request to be explained as an object there.";
            return Err(Failure::new(Code::MissingField, words).param("body"));
        };
        Ok(Asked {
            endpoint,
            dialect,
            model: text("model")?,
            body: Bytes::copy_from_slice(inner.raw()),
            key: text("key")?,
        })
    }
}

fn invalid(param: &'static str, words: &str) -> Failure {
    Failure::new(Code::InvalidValue, words).param(param)
}
