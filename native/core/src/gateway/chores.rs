//! The gateway's own work: leases, the ledger, probes of benched upstreams, model lists.
//!
//! Each question to the outside has a number and a deadline. One that is not answered in time counts as failed; its
//! late answer is ignored, and so is a second one.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hashbrown::HashMap;

use super::snapshot::Upstream;
use super::{Gateway, LoopResult, LoopStep};
use crate::budget::Pool;
use crate::clock::{Now, MILLISECOND, SECOND};
use crate::config::ProviderKind;
use crate::health::{Attempt, Blame};
use crate::http::UpstreamRequest;
use crate::json;
use crate::ledger::Row;
use crate::store::{Op, Outcome};
use crate::sync::atomic::Ordering;
use crate::sync::{lock, Arc};

/// A store that is silent for so long is taken as failed.
const STORE_DEADLINE_US: u64 = 5 * SECOND;
/// A probe or model list that takes longer is given up.
const FETCH_DEADLINE_US: u64 = 10 * SECOND;
/// Rows are gathered for so long, so that a busy gateway writes groups and not single rows.
const GATHER_US: u64 = 5 * MILLISECOND;
/// Pause after a failure of the store.
const STORE_PAUSE_US: u64 = SECOND;
/// Model lists are asked for again after so long.
const DISCOVER_US: u64 = 300 * SECOND;

type Discovered = HashMap<Arc<str>, Vec<String>, foldhash::fast::FixedState>;

pub(super) struct Chores {
    steps: VecDeque<LoopStep>,
    asked: BTreeMap<u64, Asked>,
    last_id: u64,
    /// The group of rows that the store is asked to append, until it says that it did.
    group: Option<Group>,
    gather_until_us: u64,
    store_pause_until_us: u64,
    retired: Vec<Arc<Pool>>,
    discovered: Discovered,
    /// When each provider's list was last asked for, by name.
    listed_at_us: HashMap<Arc<str>, u64, foldhash::fast::FixedState>,
    changed: bool,
}

struct Group {
    number: u64,
    rows: Vec<Row>,
    asked: Option<u64>,
}

struct Asked {
    what: What,
    until_us: u64,
}

enum What {
    Lease(Arc<Pool>, u64),
    Return,
    Append,
    Probe(Attempt),
    List(Arc<str>),
}

impl Chores {
    pub fn new(seed: u64) -> Chores {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Chores {
            steps: VecDeque::new(),
            asked: BTreeMap::new(),
            last_id: 0,
            group: None,
            gather_until_us: 0,
            store_pause_until_us: 0,
            retired: Vec::new(),
            discovered: HashMap::with_hasher(hasher.clone()),
            listed_at_us: HashMap::with_hasher(hasher),
            changed: false,
        }
    }

    pub fn discovered(&self) -> &Discovered {
        &self.discovered
    }

    /// A budget left the configuration: once nobody holds any of it, what is left goes back to the store.
    pub fn retire_pool(&mut self, pool: &Arc<Pool>) {
        self.retired.push(pool.clone());
    }

    fn ask(&mut self, what: What, until_us: u64) -> u64 {
        self.last_id += 1;
        self.asked.insert(self.last_id, Asked { what, until_us });
        self.last_id
    }

    fn earliest_deadline(&self) -> Option<u64> {
        self.asked.values().map(|asked| asked.until_us).min()
    }
}

impl Gateway {
    /// What the loop must do now. One loop a process; it may run on any thread.
    pub fn next(&self, now: Now) -> LoopStep {
        let snapshot = self.snapshot.load_full();
        let mut chores = lock(&self.chores);
        if let Some(step) = chores.steps.pop_front() {
            return step;
        }
        self.expire(&mut chores, now);
        let mut wait = chores.earliest_deadline();
        let mut no_later_than = |at: u64| wait = Some(wait.map_or(at, |wait: u64| wait.min(at)));
        if now.mono_us >= chores.store_pause_until_us {
            self.lease(&mut chores, &snapshot.budgets, now);
            if let Some(at) = self.append(&mut chores, now) {
                no_later_than(at);
            }
        } else {
            no_later_than(chores.store_pause_until_us);
        }
        for upstream in snapshot.upstreams.iter().filter(|u| u.kind == ProviderKind::OpenAi) {
            if let Some(at) = probe(&mut chores, upstream, now) {
                no_later_than(at);
            }
        }
        for (upstream, provider) in snapshot.upstreams.iter().zip(&snapshot.config.providers) {
            if provider.models.is_empty() && upstream.kind == ProviderKind::OpenAi {
                no_later_than(list(&mut chores, upstream, now));
            }
        }
        if let Some(step) = chores.steps.pop_front() {
            return step;
        }
        LoopStep::Wait { until_us: chores.earliest_deadline().into_iter().chain(wait).min() }
    }

    /// A step ended. What is not, or no longer, asked for is ignored.
    pub fn done(&self, id: u64, result: LoopResult, now: Now) {
        let changed = {
            let mut chores = lock(&self.chores);
            let Some(Asked { what, .. }) = chores.asked.remove(&id) else { return };
            self.answer(&mut chores, id, what, result, now);
            std::mem::take(&mut chores.changed)
        };
        if changed {
            self.swap(None, now);
        }
    }

    fn answer(&self, chores: &mut Chores, id: u64, what: What, result: LoopResult, now: Now) {
        match (what, result) {
            (What::Lease(pool, ask), LoopResult::Stored(Outcome::Leased { tokens })) => {
                pool.leased(ask, tokens);
            }
            (What::Append, LoopResult::Stored(Outcome::Stored)) => {
                if let Some(group) = chores.group.take_if(|group| group.asked == Some(id)) {
                    self.rows_waiting.fetch_sub(group.rows.len(), Ordering::AcqRel);
                    chores.gather_until_us = now.mono_us + GATHER_US;
                }
            }
            (What::Probe(attempt), LoopResult::Fetched(Ok((status, _)))) => match status {
                200..=299 | 404 | 405 => attempt.success(now.mono_us, 0),
                401 | 403 => attempt.failure(now.mono_us, Blame::Credential),
                429 => attempt.failure(now.mono_us, Blame::Throttled { until_us: None }),
                _ => attempt.failure(now.mono_us, Blame::Upstream),
            },
            (What::List(name), LoopResult::Fetched(Ok((200, body)))) => {
                let models = read_list(&body);
                if !models.is_empty() && chores.discovered.get(&name) != Some(&models) {
                    chores.discovered.insert(name, models);
                    chores.changed = true;
                }
            }
            (what, _) => self.fail(chores, what, now),
        }
    }

    fn fail(&self, chores: &mut Chores, what: What, now: Now) {
        match what {
            What::Lease(pool, ask) => {
                pool.lease_failed(ask);
                chores.store_pause_until_us = now.mono_us + STORE_PAUSE_US;
            }
            What::Append => {
                if let Some(group) = &mut chores.group {
                    group.asked = None;
                }
                chores.store_pause_until_us = now.mono_us + STORE_PAUSE_US;
            }
            What::Probe(attempt) => attempt.failure(now.mono_us, Blame::Upstream),
            What::Return | What::List(_) => {}
        }
    }

    fn expire(&self, chores: &mut Chores, now: Now) {
        let late: Vec<u64> =
            chores.asked.iter().filter(|(_, asked)| asked.until_us <= now.mono_us).map(|(id, _)| *id).collect();
        for id in late {
            let Some(asked) = chores.asked.remove(&id) else { continue };
            if matches!(asked.what, What::Probe(_) | What::List(_)) {
                chores.steps.push_back(LoopStep::Cancel { id });
            }
            self.fail(chores, asked.what, now);
        }
    }

    fn lease(&self, chores: &mut Chores, budgets: &[Arc<Pool>], now: Now) {
        for pool in budgets {
            let Some(ask) = pool.lease_wanted() else { continue };
            let id = chores.ask(What::Lease(pool.clone(), ask.id), now.mono_us + STORE_DEADLINE_US);
            let op = Op::Lease { budget: pool.name().clone(), capacity: ask.capacity, tokens: ask.tokens };
            chores.steps.push_back(LoopStep::Store { id, op });
        }
        let retired = std::mem::take(&mut chores.retired);
        for pool in retired {
            let tokens = pool.give_back();
            if tokens > 0 {
                let id = chores.ask(What::Return, now.mono_us + STORE_DEADLINE_US);
                let op = Op::Return { budget: pool.name().clone(), tokens };
                chores.steps.push_back(LoopStep::Store { id, op });
            }
        }
    }

    /// Hands the next group of rows to the store. A group whose append failed is asked for again under its number,
    /// because the store may have done it all the same. Returns when to look again.
    fn append(&self, chores: &mut Chores, now: Now) -> Option<u64> {
        if chores.group.is_none() {
            if self.rows_waiting() == 0 {
                return None;
            }
            if now.mono_us < chores.gather_until_us {
                return Some(chores.gather_until_us);
            }
            let mut rows = Vec::new();
            for lane in &self.ledger {
                rows.append(&mut lock(lane));
            }
            if rows.is_empty() {
                return None;
            }
            chores.group = Some(Group { number: chores.last_id + 1, rows, asked: None });
        }
        if chores.group.as_ref().is_some_and(|group| group.asked.is_none()) {
            let id = chores.ask(What::Append, now.mono_us + STORE_DEADLINE_US);
            if let Some(group) = &mut chores.group {
                group.asked = Some(id);
                let op = Op::Append { group: group.number, rows: group.rows.clone() };
                chores.steps.push_back(LoopStep::Store { id, op });
            }
        }
        None
    }
}

/// Asks a benched upstream whether it is back, if it is time. Returns when it will be.
fn probe(chores: &mut Chores, upstream: &Upstream, now: Now) -> Option<u64> {
    let due = upstream.live.health.probe_due_us()?;
    if due > now.mono_us {
        return Some(due);
    }
    if let Some(attempt) = upstream.live.health.probe_wanted(now.mono_us) {
        let id = chores.ask(What::Probe(attempt), now.mono_us + FETCH_DEADLINE_US);
        chores.steps.extend(models_request(upstream).map(|request| LoopStep::Fetch { id, request }));
    }
    None
}

/// Asks for the models of a provider whose `models` are not configured. Returns when it asks again.
fn list(chores: &mut Chores, upstream: &Upstream, now: Now) -> u64 {
    if let Some(at) = chores.listed_at_us.get(&upstream.name) {
        let next = at + DISCOVER_US;
        if next > now.mono_us {
            return next;
        }
    }
    chores.listed_at_us.insert(upstream.name.clone(), now.mono_us);
    let id = chores.ask(What::List(upstream.name.clone()), now.mono_us + FETCH_DEADLINE_US);
    chores.steps.extend(models_request(upstream).map(|request| LoopStep::Fetch { id, request }));
    now.mono_us + DISCOVER_US
}

fn models_request(upstream: &Upstream) -> Option<UpstreamRequest> {
    let mut headers = vec![
        (Bytes::from_static(b"accept"), Bytes::from_static(b"application/json")),
        (Bytes::from_static(b"accept-encoding"), Bytes::from_static(b"identity")),
    ];
    if let Some(authorization) = &upstream.authorization {
        headers.push((Bytes::from_static(b"authorization"), authorization.clone()));
    }
    Some(UpstreamRequest {
        origin: upstream.origin.clone()?,
        method: "GET",
        target: upstream.models_target.clone(),
        headers,
        body: Bytes::new(),
    })
}

/// Most models that a list may add; what is longer is no list of models.
const MAX_LISTED: usize = 10_000;

fn read_list(body: &[u8]) -> Vec<String> {
    let Ok(index) = json::Index::scan(body, json::Limits::default()) else { return Vec::new() };
    let data = index.get(body, "data").filter(|data| data.kind() == json::Kind::Array);
    let ids = data.into_iter().flat_map(|data| data.elements()).filter(|model| model.kind() == json::Kind::Object);
    ids.filter_map(|model| model.get("id").and_then(|id| id.as_str()))
        .filter(|id| !id.is_empty() && id.len() <= crate::dialects::openai::request::MAX_MODEL_BYTES)
        .take(MAX_LISTED)
        .map(|id| id.into_owned())
        .collect()
}
