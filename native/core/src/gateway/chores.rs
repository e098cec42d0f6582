//! The books of the gateway's loop: what is to be done, what was asked, and until when.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use bytes::Bytes;
use hashbrown::HashMap;

use super::desk::Agenda;
use super::discovered::Discovered;
use super::probing::{Probing, Question};
use super::renewal::Reading;
use super::snapshot::Upstream;
use super::LoopStep;
use crate::archive::Question as Recalling;
use crate::budget::Pool;
use crate::clock::{Now, MILLISECOND, SECOND};
use crate::health::{Attempt, State};
use crate::http::{Body, UpstreamRequest};
use crate::ledger::Row;
use crate::store::Op;
use crate::sync::Arc;

/// A store that is silent for so long is taken as failed.
const STORE_DEADLINE_US: u64 = 5 * SECOND;
/// A probe or model list that takes longer is given up.
const FETCH_DEADLINE_US: u64 = 10 * SECOND;
/// Rows are gathered for so long, so that a busy gateway writes groups and not single rows.
pub(super) const GATHER_US: u64 = 5 * MILLISECOND;
/// Pause after a failure of the store.
const STORE_PAUSE_US: u64 = SECOND;
/// Model lists are asked for again after so long; one that did not come, after this. Until then the last one holds.
const DISCOVER_US: u64 = 300 * SECOND;
const DISCOVER_AGAIN_US: u64 = 60 * SECOND;
const LOOK_AGAIN_US: u64 = 5 * SECOND;

/// What the loop has to do and has asked for. Its lock is held for these books alone, not while a pool, a limit or an
/// exchange is touched: those wake. `swap` alone holds it while limits change; whom they let in is woken after.
pub(super) struct Chores {
    pub steps: VecDeque<LoopStep>,
    asked: BTreeMap<u64, Asked>,
    /// When each of them is late.
    deadlines: BTreeSet<(u64, u64)>,
    /// Those that the store owes.
    of_store: usize,
    pub agenda: Agenda,
    last_id: u64,
    /// The group of rows that the store is asked to append, until it says that it did.
    pub group: Option<Group>,
    /// What the loop took and no group has yet.
    pub rows: Vec<Row>,
    pub gather_until_us: u64,
    pub store_pause_until_us: u64,
    /// Budgets that left the configuration. They stay: one that comes back goes on from what was used of it, which the
    /// store does not tell of a run in progress. There are as many as an operator has removed.
    pub retired: Vec<Arc<Pool>>,
    /// What the store said that it did not take back.
    pub returns: Vec<Return>,
    pub ending: Ending,
    pub discovered: Discovered,
    pub probing: Probing,
    /// When each provider's list is to be asked for again, by name.
    list_due_us: HashMap<Arc<str>, u64, foldhash::fast::FixedState>,
}

pub(super) struct Group {
    number: u64,
    pub rows: Vec<Row>,
    pub asked: Option<u64>,
}

/// Tokens of a budget that nobody here will spend.
pub(super) struct Return {
    pub budget: Arc<str>,
    pub tokens: u64,
}

struct Asked {
    what: What,
    until_us: u64,
}

/// How far [`Gateway::close`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    No,
    /// Exchanges end and their rows are stored.
    Closing,
    /// The store is told.
    Asked,
    Over,
}

pub(super) enum What {
    Restore(Vec<Arc<Pool>>),
    End(Vec<Arc<Pool>>),
    Lease(Arc<Pool>, u64),
    Return(Return),
    Append,
    /// Which responses are kept.
    Remember,
    /// What is known of a response?
    Recall(Recalling),
    /// Is the upstream back?
    Probe(Attempt),
    /// Is the credential accepted again?
    CredentialProbe(Attempt),
    List(Arc<str>),
    /// What can a model do?
    Facts(Question),
    /// What is the credential now?
    Read(Reading),
}

impl What {
    fn is_of_store(&self) -> bool {
        let is_of_upstream = matches!(self, What::Probe(_) | What::CredentialProbe(_) | What::List(_) | What::Facts(_));
        !is_of_upstream && !matches!(self, What::Read(_))
    }

    /// The provider of which its answer may change what is to be done next. Of probes the breaker says it.
    pub fn provider(&self) -> Option<Arc<str>> {
        match self {
            What::List(name) => Some(name.clone()),
            What::Facts(question) => Some(question.provider().clone()),
            What::Read(reading) => Some(reading.provider().clone()),
            _ => None,
        }
    }
}

impl Chores {
    pub fn new(seed: u64) -> Chores {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Chores {
            steps: VecDeque::new(),
            asked: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            of_store: 0,
            agenda: Agenda::default(),
            last_id: 0,
            group: None,
            rows: Vec::new(),
            gather_until_us: 0,
            store_pause_until_us: 0,
            retired: Vec::new(),
            returns: Vec::new(),
            ending: Ending::No,
            discovered: Discovered::default(),
            probing: HashMap::with_hasher(hasher.clone()),
            list_due_us: HashMap::with_hasher(hasher),
        }
    }

    /// Another configuration: of a budget that left it, what nobody holds goes back to the store, at once and whenever
    /// more comes free; one that came back is among the others again.
    pub fn exchange_pools(&mut self, before: &[Arc<Pool>], next: &[Arc<Pool>]) {
        let next: HashSet<*const Pool> = next.iter().map(Arc::as_ptr).collect();
        self.retired.retain(|pool| !next.contains(&Arc::as_ptr(pool)));
        self.retired.extend(before.iter().filter(|pool| !next.contains(&Arc::as_ptr(pool))).cloned());
    }

    pub fn store(&mut self, what: What, op: Op, now: Now) {
        let id = self.ask(what, now.mono_us + STORE_DEADLINE_US);
        self.steps.push_back(LoopStep::Store { id, op });
    }

    fn fetch(&mut self, what: What, upstream: &Upstream, request: UpstreamRequest, now: Now) {
        let id = self.ask(what, now.mono_us + FETCH_DEADLINE_US);
        let hooked = upstream.hooked.then(|| upstream.name.clone());
        self.steps.push_back(LoopStep::Fetch { id, request, hooked });
    }

    /// The same of anything below the provider's address, with a credential that is accepted, as far as is known.
    pub fn fetch_well(&mut self, what: What, upstream: &Upstream, asked: (&'static str, Bytes, Bytes), now: Now) {
        let (method, target, body) = asked;
        if let Some(request) = request_as(upstream, well(upstream, now), method, target, body) {
            self.fetch(what, upstream, request, now);
        }
    }

    pub(super) fn ask(&mut self, what: What, until_us: u64) -> u64 {
        self.last_id += 1;
        self.of_store += usize::from(what.is_of_store());
        self.deadlines.insert((until_us, self.last_id));
        self.asked.insert(self.last_id, Asked { what, until_us });
        self.last_id
    }

    /// What was asked for under this number, if it still is.
    pub fn take(&mut self, id: u64) -> Option<What> {
        let Asked { what, until_us } = self.asked.remove(&id)?;
        self.deadlines.remove(&(until_us, id));
        self.of_store -= usize::from(what.is_of_store());
        Some(what)
    }

    /// When the next question is late.
    pub fn late_us(&self) -> Option<u64> {
        self.deadlines.first().map(|(until_us, _)| *until_us)
    }

    pub fn pause_store(&mut self, now: Now) {
        self.store_pause_until_us = now.mono_us + STORE_PAUSE_US;
    }

    /// Whether the store owes an answer.
    pub fn awaits_store(&self) -> bool {
        self.of_store > 0
    }

    /// What was not answered in time.
    pub fn take_late(&mut self, now: Now) -> Vec<What> {
        let late = self.deadlines.iter().take_while(|(until_us, _)| *until_us <= now.mono_us);
        let late: BTreeSet<u64> = late.map(|(_, id)| *id).collect();
        let mut taken = Vec::with_capacity(late.len());
        for id in late {
            let Some(what) = self.take(id) else { continue };
            if !what.is_of_store() {
                self.steps.push_back(LoopStep::Cancel { id });
            }
            taken.push(what);
        }
        taken
    }

    /// Hands the next group of rows to the store. A group whose append failed is asked for again under its number,
    /// because the store may have done it all the same.
    pub fn append(&mut self, now: Now) {
        if self.group.is_none() && !self.rows.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            self.group = Some(Group { number: self.last_id + 1, rows, asked: None });
        }
        let Some(group) = self.group.as_mut().filter(|group| group.asked.is_none()) else { return };
        group.asked = Some(self.last_id + 1);
        let op = Op::Append { group: group.number, rows: group.rows.clone() };
        self.store(What::Append, op, now);
    }

    /// Asks a benched upstream whether it is back, or else each of its benched credentials whether it is accepted again,
    /// if it is time. Returns when it will be.
    pub fn probe(&mut self, upstream: &Upstream, now: Now) -> Option<u64> {
        let health = &upstream.live.health;
        let Some(due) = health.probe_due_us() else {
            // While the upstream is out, or asked whether it is, nothing can be learned of a credential.
            let well = health.state().state == State::Closed;
            return if well { self.probe_credentials(upstream, now) } else { None };
        };
        if due > now.mono_us {
            return Some(due);
        }
        let request = models_request(upstream, now)?;
        let attempt = health.probe_wanted(now.mono_us)?;
        self.fetch(What::Probe(attempt), upstream, request, now);
        None
    }

    fn probe_credentials(&mut self, upstream: &Upstream, now: Now) -> Option<u64> {
        let mut soonest: Option<u64> = None;
        for (n, credential) in (0u16..).zip(upstream.credentials.all()) {
            match credential.breaker.probe_due_us() {
                None => {}
                Some(due) if due > now.mono_us => soonest = soonest.into_iter().chain([due]).min(),
                Some(_) => {
                    let request = models_request_as(upstream, n)?;
                    let Some(attempt) = credential.breaker.probe_wanted(now.mono_us) else { continue };
                    self.fetch(What::CredentialProbe(attempt), upstream, request, now);
                }
            }
        }
        soonest
    }

    /// Asks for the models of a provider whose `models` do not name them all, if it is time. Returns when it will be.
    pub fn list(&mut self, upstream: &Upstream, now: Now) -> Option<u64> {
        let due = self.list_due_us.get(&upstream.name).copied().unwrap_or(0);
        if due > now.mono_us {
            return Some(due);
        }
        let request = models_request(upstream, now)?;
        self.list_due_us.insert(upstream.name.clone(), now.mono_us + DISCOVER_US);
        self.fetch(What::List(upstream.name.clone()), upstream, request, now);
        Some(now.mono_us + DISCOVER_US)
    }

    /// A list did not come, or was none. `is_away`: of a server that may be started any time, and costs nothing to look for.
    pub fn list_failed(&mut self, provider: &Arc<str>, is_away: bool, now: Now) {
        let pause_us = if is_away { LOOK_AGAIN_US } else { DISCOVER_AGAIN_US };
        self.list_due_us.insert(provider.clone(), now.mono_us + pause_us);
    }

    /// Its list may come now, if none came until now.
    pub fn list_soon(&mut self, provider: &Arc<str>) {
        if !self.discovered.has_list(provider) {
            self.list_due_us.remove(provider);
        }
    }
}

fn models_request(upstream: &Upstream, now: Now) -> Option<UpstreamRequest> {
    models_request_as(upstream, well(upstream, now))
}

fn models_request_as(upstream: &Upstream, n: u16) -> Option<UpstreamRequest> {
    request_as(upstream, n, "GET", upstream.models_target.clone(), Bytes::new())
}

/// The first credential that is accepted, as far as is known.
fn well(upstream: &Upstream, now: Now) -> u16 {
    let all = upstream.credentials.all();
    all.iter().position(|credential| credential.breaker.refused(now.mono_us).is_none()).unwrap_or(0) as u16
}

fn request_as(
    upstream: &Upstream,
    n: u16,
    method: &'static str,
    target: Bytes,
    body: Bytes,
) -> Option<UpstreamRequest> {
    let mut headers = vec![
        (Bytes::from_static(b"accept"), Bytes::from_static(b"application/json")),
        (Bytes::from_static(b"accept-encoding"), Bytes::from_static(b"identity")),
    ];
    if !body.is_empty() {
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json")));
    }
    headers.extend(upstream.credential(n, upstream.usual_version()));
    headers.extend(upstream.headers.iter().cloned());
    let unsaid = upstream.version.as_ref().filter(|(header, _)| headers.iter().all(|(name, _)| name != header));
    headers.extend(unsaid.cloned());
    Some(UpstreamRequest { origin: upstream.origin.clone()?, method, target, headers, body: Body::Whole(body) })
}
