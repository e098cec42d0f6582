//! Books of our own: budgets, buffers, the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hoosh_core::budget::PoolState;
use hoosh_core::ledger::{Ending, Row};

use super::health::HealthBooks;
use super::outcome::Stand;
use super::Invariant;
use crate::caller::{Path, Spend};
use crate::world::{UpState, World};

/// What is counted over the whole run.
#[derive(Debug)]
pub struct Books {
    /// Requests of callers: the slices of one count with it.
    pub(crate) requests: u64,
    /// Attempts beyond the first of their exchange.
    pub(crate) retries: u64,
    pub(crate) began_us: u64,
    /// Providers with a connection in the pool.
    pub(crate) served: BTreeSet<String>,
    /// Until when upstreams wished to be left alone.
    pub(crate) wishes_us: Vec<u64>,
    /// When each provider with a rate was asked, since the last reload.
    pub(crate) asked_us: BTreeMap<String, Vec<u64>>,
    pub(crate) health: HealthBooks,
    /// Answers under an idempotency key.
    pub(crate) answered: Vec<super::once::Answered>,
    pools: BTreeMap<Arc<str>, PoolState>,
    /// What gateways that are gone had spent or promised of each budget, and how much of it beyond their reservations.
    spent: BTreeMap<Arc<str>, (u64, u64)>,
}

impl Books {
    pub(crate) fn new(now_us: u64) -> Books {
        Books {
            requests: 0,
            retries: 0,
            began_us: now_us,
            served: BTreeSet::new(),
            wishes_us: Vec::new(),
            asked_us: BTreeMap::new(),
            health: HealthBooks::default(),
            answered: Vec::new(),
            pools: BTreeMap::new(),
            spent: BTreeMap::new(),
        }
    }

    /// A gateway is gone: whatever it promised may have been spent, whether the store knows it or not.
    pub(crate) fn die(&mut self, budgets: &[(Arc<str>, PoolState)]) {
        for (name, state) in budgets {
            let spent = self.spent.entry(name.clone()).or_default();
            spent.0 += state.reserved + state.used - state.earlier;
            spent.1 += state.overrun;
        }
    }

    /// Another begins, with limits and retries of its own.
    pub(crate) fn begin_again(&mut self, now_us: u64) {
        (self.requests, self.retries, self.began_us) = (0, 0, now_us);
        self.served.clear();
        self.asked_us.clear();
        self.health = HealthBooks::default();
        // Answers are remembered by a process.
        self.answered.clear();
        self.pools.clear();
    }
}

impl World {
    /// Checks what holds at every instant.
    pub(crate) fn check_always(&mut self) {
        for (name, state) in self.gateway.budgets() {
            let before = self.books.pools.insert(name.clone(), state);
            let lent = self.store.lent(&name);
            // Nothing is leased beyond the end of a run, and what callers hold for elsewhere is held all the same.
            let has_ended = state.leased == 0 && self.store.has_ended();
            let judged = if has_ended { Ok(()) } else { judge_pool(&state, before.as_ref(), lent) };
            let judged = judged.and_then(|()| self.judge_runs(&name, &state));
            if let Err(words) = judged {
                self.fail(Invariant::Reservations, None, format!("budget {name}: {words}: {state:?}"));
            }
        }
        let open = self.xs.iter().filter(|x| x.exchange.is_some()).count() as u64;
        if self.gateway.open_exchanges() as u64 != open {
            let words = format!("{} exchanges are said to be open, {open} are", self.gateway.open_exchanges());
            self.fail(Invariant::Buffers, None, words);
        }
        // The longest answer of these worlds is 1.5 MiB; its words and a copy for the cache are kept while it passes.
        let most = open * (self.plan.configs[0].server.max_body_bytes + (4 << 20));
        if self.gateway.buffered_bytes() > most {
            let words = format!("{} bytes are held by {open} exchanges", self.gateway.buffered_bytes());
            self.fail(Invariant::Buffers, None, words);
        }
    }

    /// No two processes spend the same tokens: all that was ever promised of a budget stays within its capacity.
    fn judge_runs(&self, name: &str, state: &PoolState) -> Result<(), String> {
        let Some((spent, overrun)) = self.books.spent.get(name) else { return Ok(()) };
        let budgets = self.plan.configs.iter().flat_map(|config| &config.budgets).filter(|b| b.name == name);
        let capacity = budgets.map(|budget| budget.capacity).max().unwrap_or(0);
        let sum = spent + state.reserved + state.used - state.earlier;
        if sum > capacity + overrun + state.overrun {
            return Err(format!("{sum} tokens are promised of {capacity}, over all runs"));
        }
        Ok(())
    }

    /// Closes the books when every exchange is over and every row stored.
    pub(crate) fn check_end(&mut self) {
        // Those of callers who came behind the end, and were refused, nobody stores.
        if self.gateway.rows_waiting() > self.xs.iter().filter(|x| x.must_refuse).count() {
            let words = format!("{} rows are not stored, though the store is well", self.gateway.rows_waiting());
            return self.fail(Invariant::Ledger, None, words);
        }
        if !self.over {
            let words = "the run does not end, though nothing is open and the store is well".into();
            return self.fail(Invariant::Ledger, None, words);
        }
        if self.gateway.buffered_bytes() != 0 {
            let words = format!("{} bytes are held, and no exchange is open", self.gateway.buffered_bytes());
            self.fail(Invariant::Buffers, None, words);
        }
        if self.standing() != 0 {
            let words = format!("{} stand in queues, and no exchange is open", self.standing());
            return self.fail(Invariant::Wakes, None, words);
        }
        let mut rows: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &self.store.rows {
            rows.entry(&row.request_id).or_default().push(row);
        }
        let mut records: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &self.store.requests {
            *records.entry(&record.request_id).or_default() += 1;
        }
        let found = (0..self.xs.len()).find_map(|x| {
            let driven = &self.xs[x];
            let mine = records.remove(driven.id.as_str()).unwrap_or_default();
            let booked = mine + rows.get(driven.id.as_str()).map_or(0, Vec::len);
            // A part that asked nobody is told by the whole; what never began, and what machines ask all day, by nobody;
            // of a process that crashed the store may not know.
            let silent = driven.parent.is_some() || driven.dropped || driven.crashed || driven.is_routine();
            (booked != 1 && !(booked == 0 && silent)).then(|| (x, format!("{booked} records of one exchange")))
        });
        if let Some((x, words)) = found {
            return self.fail(Invariant::Ledger, Some(x), words);
        }
        let found = (0..self.xs.len()).find_map(|x| {
            let mine = rows.remove(self.xs[x].id.as_str()).unwrap_or_default();
            self.judge_rows(x, &mine).err().map(|words| (x, words))
        });
        let stray = rows.keys().next().map(|id| format!("a row of nobody: {id}"));
        if let Some((x, words)) = found {
            return self.fail(Invariant::Ledger, Some(x), words);
        }
        if let Some(words) = stray {
            return self.fail(Invariant::Ledger, None, words);
        }
        for (name, state) in self.gateway.budgets() {
            if self.store.lost(&name) > 0 {
                self.count("lost tokens");
            }
            if let Err((invariant, words)) = self.judge_sum(&name, &state) {
                self.fail(invariant, None, format!("budget {name}: {words}: {state:?}"));
            }
        }
    }

    /// Callers who wait for places and turns, by the metrics.
    pub(crate) fn standing(&self) -> u64 {
        let page = self.gateway.render_metrics();
        let values = page
            .lines()
            .filter(|line| line.starts_with("hoosh_limit_waiting{"))
            .map(|line| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(u64::MAX));
        values.fold(0, u64::saturating_add)
    }

    fn judge_sum(&self, name: &str, state: &PoolState) -> Result<(), (Invariant, String)> {
        // What callers hold for elsewhere they may hold yet; after the end of a run nothing expires any more.
        let held = if self.granted.is_empty() && !self.over { 0 } else { self.store.held(name) };
        if state.reserved > held || state.waiting != 0 {
            return Err((Invariant::Reservations, "something is reserved, and no exchange is open".into()));
        }
        let mine = |row: &&Row| row.budget.as_deref() == Some(name);
        let sum = |rows: &[Row]| rows.iter().filter(mine).map(|row| row.usage.total()).sum::<u64>();
        let (all, of_run) = (sum(&self.store.rows), self.store.rows_of_run());
        // A budget that nobody asked for in this run may not know of those before.
        if all != state.used && (state.used, sum(of_run)) != (0, 0) {
            return Err((Invariant::Ledger, format!("rows add up to {all}")));
        }
        if of_run.iter().filter(mine).any(|row| row.overrun) != (state.overrun > 0) {
            return Err((Invariant::Reservations, "rows do not agree about the overrun".into()));
        }
        let may_lose = ["crashes", "held beyond an orderly end"].iter().any(|how| self.seen.contains_key(*how));
        if !may_lose && self.store.lost(name) > 0 {
            return Err((Invariant::Ledger, format!("{} tokens are lost, and nothing crashed", self.store.lost(name))));
        }
        Ok(())
    }

    fn judge_rows(&self, x: usize, rows: &[&Row]) -> Result<(), String> {
        let driven = &self.xs[x];
        if driven.crashed && rows.is_empty() {
            return Ok(());
        }
        if driven.caller.path == Path::Tokens(Spend::Report) && !driven.dropped && !driven.is_gone() {
            return match rows.len() == usize::from(driven.out.status == 200) {
                true => Ok(()),
                false => Err(format!("{} rows, and status {}", rows.len(), driven.out.status)),
            };
        }
        if driven.ups.is_empty() {
            // Dropped between the decision and the step, it may have a row all the same.
            return match rows.is_empty() || driven.dropped || driven.is_gone() {
                true => Ok(()),
                false => Err("a row, and no upstream was asked".into()),
            };
        }
        if driven.ups.iter().any(|up| up.reached) && rows.len() != 1 {
            return Err(format!("{} rows, and an upstream was reached", rows.len()));
        }
        let &[row] = rows else {
            return match rows.is_empty() {
                true => Ok(()),
                false => Err(format!("{} rows", rows.len())),
            };
        };
        if !driven.dropped && !driven.is_gone() && row.attempts as usize != driven.ups.len() {
            return Err(format!("the row says {} attempts, there were {}", row.attempts, driven.ups.len()));
        }
        let completed = row.ending == Ending::Completed;
        let answered = matches!(driven.out.stand, Stand::Replied | Stand::Finished);
        if completed && !answered && !driven.dropped && !driven.is_gone() && driven.out.stand != Stand::Cut {
            return Err("the row says completed, and the caller has no whole answer".into());
        }
        if row.status != driven.out.status && driven.out.status != 0 {
            return Err(format!("the row says status {}, the caller got {}", row.status, driven.out.status));
        }
        if row.usage.total() == 0 && !driven.out.replied && driven.heard_words() {
            return Err("the caller got words of a stream, and the row says that they cost nothing".into());
        }
        let last = &driven.ups[driven.ups.len() - 1];
        let said = &self.said[last.number - 1];
        match said.usage {
            // One that fell silent after its finish is complete without the usage that was to come.
            Some(_) if row.terminator_added && (said.marked || last.state == UpState::Aborted) => Ok(()),
            Some(usage) if completed && driven.ups.len() == 1 && row.usage.total() != usage && said.fit => {
                Err(format!("the row says {} tokens, the upstream said {usage}", row.usage.total()))
            }
            _ => Ok(()),
        }
    }
}

fn judge_pool(state: &PoolState, before: Option<&PoolState>, lent: u64) -> Result<(), String> {
    if state.leased > lent {
        return Err(format!("more is leased than the store lent ({lent})"));
    }
    let committed = state.reserved + state.used - state.earlier;
    if committed > state.leased + state.overrun {
        return Err("more is committed than leased".into());
    }
    let Some(before) = before else { return Ok(()) };
    if state.used < before.used || state.overrun < before.overrun {
        return Err(format!("what was settled came back; before: {before:?}"));
    }
    // One event may end a whole family: what was granted in between may have been followed by an overrun.
    let (granted, after) = (state.reserved > before.reserved, state.overrun - before.overrun);
    let ceiling = state.capacity.saturating_sub(state.earlier + state.lost);
    if granted && committed > state.leased.min(ceiling) + after {
        return Err(format!("a grant beyond the cap in force; before: {before:?}"));
    }
    Ok(())
}
