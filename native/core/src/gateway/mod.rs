//! What exchanges share: a snapshot of the configuration, swapped whole on reload, and the live state. It does no I/O;
//! its own loop ([`Gateway::next`], [`Gateway::done`]) tells the driver what to fetch and to store.

mod build;
mod cached;
mod capabilities;
mod chores;
mod costs;
mod debts;
mod desk;
mod discovered;
mod gauges;
mod going;
mod journal;
mod keeper;
mod page;
mod probing;
mod recall;
mod records;
mod renewal;
mod report;
mod reservations;
mod snapshot;
mod step;

use arc_swap::ArcSwap;

use crate::archive::Archive;
use crate::budget::PoolState;
use crate::clock::Now;
use crate::config::{Config, LogLevel};
use crate::exchange::Exchange;
use crate::health::HealthState;
use crate::history::History;
use crate::homes::Homes;
use crate::idempotency::Remembered;
use crate::ledger::Row;
use crate::metrics::Metrics;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use crate::sync::{lock, Arc, Mutex};
use crate::wake::{Waker, Wakes};
use chores::{Chores, Ending};
use costs::Costs;
pub(crate) use debts::Debt;
use debts::Debts;
use desk::Desk;
use going::Going;
use journal::Journal;
use records::Records;
use reservations::{exchange_seed, Reservations};
pub(crate) use reservations::{Claim, MAX_OPEN};
pub(crate) use snapshot::{Holder, Snapshot, Upstream};
pub use step::{LoopResult, LoopStep};

/// Threads that may drive exchanges without sharing counters.
const LANES: usize = 16;

/// Shared by all exchanges of a process.
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    seed: u64,
    /// Exchanges made, and those of them that are over.
    begun: AtomicU64,
    over: AtomicU64,
    going: AtomicU8,
    /// Whether applications that are mounted can be asked.
    mounts_run: AtomicBool,
    buffered: AtomicU64,
    pub(crate) metrics: Metrics,
    /// Of the whole process: a reload forgets nothing.
    pub(crate) remembered: Arc<Remembered>,
    /// Turns of the Responses API.
    pub(crate) history: History,
    /// Responses that upstreams keep.
    pub(crate) homes: Homes,
    /// What of both the store is to know, or is asked.
    pub(crate) archive: Archive,
    records: Records,
    costs: Mutex<Costs>,
    journal: Journal,
    pub(crate) reservations: Reservations,
    debts: Debts,
    desk: Arc<Desk>,
    chores: Mutex<Chores>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("open", &self.open_exchanges()).finish_non_exhaustive()
    }
}

impl Gateway {
    /// From a checked configuration. Equal seeds and equal doors give equal traces.
    pub fn new(config: Config, seed: u64) -> Arc<Gateway> {
        let metrics = Metrics::new(LANES);
        let chores = Chores::new(seed);
        let desk = Arc::<Desk>::default();
        let snapshot = Snapshot::build(config, None, &[], &chores.discovered, &metrics, &desk, seed);
        for pool in &snapshot.budgets {
            pool.on_lease_wanted(desk.bell(pool));
        }
        Arc::new(Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            seed: exchange_seed(seed),
            begun: AtomicU64::new(0),
            over: AtomicU64::new(0),
            going: AtomicU8::new(Going::Up as u8),
            mounts_run: AtomicBool::new(false),
            buffered: AtomicU64::new(0),
            metrics,
            remembered: Arc::default(),
            history: History::default(),
            homes: Homes::default(),
            archive: Archive::default(),
            records: Records::new(),
            costs: Mutex::new(Costs::default()),
            journal: Journal::default(),
            reservations: Reservations::new(seed),
            debts: Debts::default(),
            desk,
            chores: Mutex::new(chores),
        })
    }

    /// Who wakes the loop, which begins, or after [`Self::close`] begins anew, whether it came to its end or not.
    pub fn set_waker(&self, waker: Waker) {
        self.begin_anew();
        self.wake_by(waker);
    }

    /// The same for a loop that [`Self::begin_anew`] has begun: what was closed since then stays closed.
    pub fn wake_by(&self, waker: Waker) {
        self.desk.set_waker(waker);
    }

    /// After [`Self::close`]: it admits again. For drivers whose loop begins in another thread, and that must not be asked
    /// before; that thread calls [`Self::wake_by`].
    pub fn begin_anew(&self) {
        let mut chores = lock(&self.chores);
        if chores.ending != Ending::No {
            chores.ending = Ending::No;
            self.going.store(Going::Up as u8, Ordering::Relaxed);
        }
    }

    /// A new exchange. `waker` is called when it should look again; `lane` is the driver thread's number, so that
    /// threads share no counters.
    pub fn exchange(self: &Arc<Self>, waker: Waker, lane: usize) -> Exchange {
        let ordinal = self.exchange_begun();
        let seed = self.seed ^ ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Exchange::new(self.clone(), self.snapshot.load_full(), waker, lane, seed)
    }

    /// A new configuration for exchanges that begin from now on. Revoked keys and withdrawn providers act at once.
    pub fn reload(&self, config: Config, now: Now) {
        self.swap(Some(config), now);
        self.say(LogLevel::Info, now, "The configuration was reloaded.");
        self.wake_loop();
    }

    /// Builds and swaps the snapshot; `None` keeps the configuration (the discovered models changed).
    fn swap(&self, config: Option<Config>, now: Now) {
        // Both outlive the lock: whoever the new limits let in is woken when it is free, and what goes is dropped then.
        let (mut wakes, before);
        let mut chores = lock(&self.chores);
        (wakes, before) = (Wakes::default(), self.snapshot.load_full());
        let was_read = config.is_some();
        let config = config.unwrap_or_else(|| before.config.clone());
        let next = Snapshot::build(
            config,
            Some(&before),
            &chores.retired,
            &chores.discovered,
            &self.metrics,
            &self.desk,
            self.seed,
        );
        wakes.add(next.take_over(&before, now.mono_us));
        if was_read {
            next.take_credentials(now.mono_us);
        }
        for pool in next.budgets.iter().filter(|pool| before.budget(pool.name()).is_none()) {
            wakes.add(pool.on_lease_wanted(self.desk.bell(pool)));
        }
        chores.exchange_pools(&before.budgets, &next.budgets);
        if before.config.dialects.keeps_in_store() && !next.config.dialects.keeps_in_store() {
            self.archive.forget_turns();
        }
        let next = Arc::new(next);
        self.snapshot.store(next.clone());
        // Behind that: who finds its provider gone looks for it there.
        wakes.add(before.retire(&next));
    }

    /// The configuration in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Ends this run: no new exchange is admitted, and when those in progress are over and their rows stored, the store
    /// is told that what was leased and not used is free. Then the loop says [`LoopStep::Over`]. A process that ends
    /// before leaves those tokens lost, as a crash does.
    pub fn close(&self) {
        self.drain();
        {
            let mut chores = lock(&self.chores);
            if chores.ending == Ending::No {
                chores.ending = Ending::Closing;
            }
        }
        self.wake_loop();
    }

    /// `[server]` of the configuration in force.
    pub fn server(&self) -> crate::config::Server {
        self.snapshot.load().config.server.clone()
    }

    /// `[server] max_connections` and `max_connections_per_address` of the configuration in force.
    pub fn most_connections(&self) -> (u64, u64) {
        let server = &self.snapshot.load().config.server;
        (server.max_connections, server.max_connections_per_address)
    }

    /// `[deadlines] caller_stall_secs` of the configuration in force: for the rest of an answer that its exchange is done with.
    pub fn caller_stall_secs(&self) -> u64 {
        self.snapshot.load().config.deadlines.caller_stall_secs
    }

    /// Whether applications of `[[server.mounts]]` can be asked, says who runs them; before that, they cannot.
    pub fn set_mounts_run(&self, run: bool) {
        self.mounts_run.store(run, Ordering::Release);
    }

    /// See [`Self::set_mounts_run`].
    pub fn mounts_run(&self) -> bool {
        self.mounts_run.load(Ordering::Acquire)
    }

    /// Exchanges made and not dropped.
    pub fn open_exchanges(&self) -> usize {
        // In this order: one that begins and ends between the two must not count as over and not begun.
        let over = self.over.load(Ordering::Acquire);
        self.begun.load(Ordering::Relaxed).saturating_sub(over) as usize
    }

    /// Bytes of bodies and answers that exchanges hold now.
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered.load(Ordering::Relaxed)
    }

    /// Ledger rows and request records that the store has not confirmed yet.
    pub fn rows_waiting(&self) -> usize {
        self.records.waiting()
    }

    /// Every configured budget as it stands in this process.
    pub fn budgets(&self) -> Vec<(Arc<str>, PoolState)> {
        self.snapshot.load().budgets.iter().map(|pool| (pool.name().clone(), pool.state())).collect()
    }

    /// Every provider's health.
    pub fn health(&self) -> Vec<(Arc<str>, HealthState)> {
        self.snapshot.load().upstreams.iter().map(|u| (u.name.clone(), u.live.health.state())).collect()
    }

    /// The models that providers said they have, by the provider's name, as far as they were asked and answered; in the
    /// order of the configuration. One that answered and has none yet is here too.
    pub fn discovered(&self) -> Vec<(Arc<str>, Vec<String>)> {
        let snapshot = self.snapshot.load();
        let chores = lock(&self.chores);
        let said = |u: &Arc<Upstream>| Some((u.name.clone(), chores.discovered.models(&u.name, u.kind)?));
        snapshot.upstreams.iter().filter_map(said).collect()
    }

    pub(crate) fn has_room(&self, snapshot: &Snapshot) -> bool {
        self.buffered_bytes() < snapshot.config.server.max_buffered_bytes && self.records.has_room()
    }

    pub(crate) fn hold_bytes(&self, bytes: u64) {
        self.buffered.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn free_bytes(&self, bytes: u64) {
        self.buffered.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Its ordinal.
    pub(crate) fn exchange_begun(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn exchange_over(&self) {
        self.over.fetch_add(1, Ordering::Release);
        // The loop may wait for this one to end the run.
        if self.is_draining() {
            self.wake_loop();
        }
    }

    /// Queues a row; the loop stores it with its neighbours.
    pub(crate) fn book(&self, row: Row, lane: usize) {
        if self.records.add(row, lane) {
            self.wake_loop();
        }
    }

    pub(crate) fn wake_loop(&self) {
        self.desk.wake_loop();
    }
}
