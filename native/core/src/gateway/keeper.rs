//! The gateway's own loop: leases, the ledger, probes of benched upstreams, model lists, credentials.
//!
//! Each question to the outside has a number and a deadline. One that is not answered in time counts as failed; its
//! late answer is ignored, and so is a second one.

use super::chores::{Ending, Return, What, GATHER_US};
use super::reservations::Expired;
use super::snapshot::{Snapshot, Upstream};
use super::{Gateway, LoopResult, LoopStep};
use crate::budget::Pool;
use crate::clock::Now;
use crate::config::{LogLevel, ProviderKind};
use crate::health::Blame;
use crate::store::{Earlier, Op, Outcome};
use crate::sync::atomic::Ordering;
use crate::sync::{lock, Arc};

impl Gateway {
    /// What the loop must do now. One loop a process; it may run on any thread.
    pub fn next(&self, now: Now) -> LoopStep {
        let step = lock(&self.chores).steps.pop_front();
        if let Some(step) = step {
            return step;
        }
        let late = lock(&self.chores).take_late(now);
        late.into_iter().for_each(|what| self.fail(what, now));
        let snapshot = self.snapshot.load_full();
        lock(&self.chores).agenda.collect(&self.desk, &snapshot);
        // Once nobody asks any more, nobody will.
        let is_closing = lock(&self.chores).ending == Ending::Closing;
        let debts_at = self.collect_debts(is_closing && self.open_exchanges() == 0, now);
        let gather_at = self.gather(&snapshot, now);
        let expiry_at = self.expire(now);
        if let Some(step) = self.journal.step(&snapshot.config.log, now) {
            return step;
        }
        let ending = lock(&self.chores).ending;
        if ending == Ending::Over {
            return LoopStep::Over;
        }
        let store_at = self.ask_store(&snapshot, ending, now);
        let upstreams_at = if ending == Ending::No { self.ask_upstreams(&snapshot, now) } else { None };
        let mut chores = lock(&self.chores);
        if let Some(step) = chores.steps.pop_front() {
            return step;
        }
        let due = [chores.late_us(), gather_at, expiry_at, debts_at, store_at, upstreams_at];
        LoopStep::Wait { until_us: due.into_iter().flatten().min() }
    }

    /// A step ended. What is not, or no longer, asked for is ignored.
    pub fn done(&self, id: u64, result: LoopResult, now: Now) {
        let result = match result {
            LoopResult::Logged(written) => {
                if self.journal.written(id, written) {
                    self.wake_loop();
                }
                return;
            }
            other => other,
        };
        let Some(what) = lock(&self.chores).take(id) else { return };
        let provider = what.provider();
        match (what, result) {
            (What::Restore(pools), LoopResult::Stored(Outcome::Restored(earlier))) if earlier.len() == pools.len() => {
                for (pool, earlier) in pools.iter().zip(earlier) {
                    pool.restored(earlier);
                    self.tell_lost(pool.name(), earlier, now);
                }
            }
            (What::End(pools), LoopResult::Stored(Outcome::Stored)) => {
                pools.iter().for_each(|pool| pool.end_run());
                let mut chores = lock(&self.chores);
                // A run that began anew goes on.
                if chores.ending == Ending::Asked {
                    chores.ending = Ending::Over;
                }
            }
            (What::Lease(pool, ask), LoopResult::Stored(Outcome::Leased { tokens })) => {
                pool.leased(ask, tokens);
            }
            (What::Return(_), LoopResult::Stored(Outcome::Stored)) => {}
            (What::Return(unspent), LoopResult::Stored(Outcome::Failed(_))) => {
                let mut chores = lock(&self.chores);
                chores.returns.push(unspent);
                chores.pause_store(now);
            }
            (What::Append, LoopResult::Stored(Outcome::Stored)) => self.appended(id),
            (What::Remember, LoopResult::Stored(Outcome::Stored)) => self.archive.stored(),
            (What::Recall(question), LoopResult::Stored(Outcome::Recalled(recalled))) => {
                self.was_recalled(question, recalled);
            }
            (What::Probe(attempt), LoopResult::Fetched(Ok((status, _)))) => match status {
                // How soon a list of models comes says nothing of how soon an answer does. One that complains of the
                // credential works: whether a request's is accepted, that request finds out.
                200..=299 | 401 | 403..=405 => attempt.success_unmeasured(now.mono_us),
                429 => attempt.failure(now.mono_us, Blame::Throttled { until_us: None }),
                _ => attempt.failure(now.mono_us, Blame::Upstream),
            },
            (What::CredentialProbe(attempt), LoopResult::Fetched(Ok((status, _)))) => match status {
                200..=299 | 404 | 405 => attempt.success_unmeasured(now.mono_us),
                401 | 403 => attempt.failure(now.mono_us, Blame::Credential),
                _ => attempt.inconclusive(now.mono_us),
            },
            (What::List(name), LoopResult::Fetched(Ok((200, body)))) => self.was_listed(name, &body, now),
            (What::Facts(question), LoopResult::Fetched(result)) => self.was_told(question, &result, now),
            (What::Read(reading), LoopResult::Read(result)) => self.was_read(&reading, result, now),
            (what, _) => self.fail(what, now),
        }
        provider.into_iter().for_each(|provider| self.desk.note(provider));
    }

    fn appended(&self, id: u64) {
        let mut chores = lock(&self.chores);
        if let Some(group) = chores.group.take_if(|group| group.asked == Some(id)) {
            self.records.stored(&group.rows);
        }
    }

    /// What was asked for did not come.
    fn fail(&self, what: What, now: Now) {
        let provider = what.provider();
        match what {
            What::Restore(pools) => {
                lock(&self.chores).pause_store(now);
                pools.iter().for_each(|pool| pool.restore_failed());
            }
            // It may have been done all the same; to do it again changes nothing.
            What::End(_) => lock(&self.chores).pause_store(now),
            What::Lease(pool, ask) => {
                lock(&self.chores).pause_store(now);
                pool.lease_failed(ask);
                // It may want one still, and rings only when it begins to.
                self.desk.put([pool]);
            }
            What::Append => {
                let mut chores = lock(&self.chores);
                if let Some(group) = &mut chores.group {
                    group.asked = None;
                }
                chores.pause_store(now);
            }
            What::Remember => {
                lock(&self.chores).pause_store(now);
                self.archive.not_stored();
            }
            // Whoever waits is told when the question is dropped.
            What::Recall(_) => {}
            What::Probe(attempt) => attempt.failure(now.mono_us, Blame::Upstream),
            What::CredentialProbe(attempt) => attempt.inconclusive(now.mono_us),
            // A return that the store may have done is not asked for twice: better unspent than spent twice.
            What::Return(_) => {}
            What::List(name) => self.was_not_listed(&name, now),
            What::Facts(question) => self.was_told(question, &Err("it took too long".into()), now),
            What::Read(reading) => self.was_read(&reading, Err("it took too long".into()), now),
        }
        provider.into_iter().for_each(|provider| self.desk.note(provider));
    }

    /// Takes what exchanges left, now and then. Returns when to look again.
    fn gather(&self, snapshot: &Snapshot, now: Now) -> Option<u64> {
        let mut chores = lock(&self.chores);
        if !self.records.are_new() {
            return None;
        }
        if now.mono_us < chores.gather_until_us {
            return Some(chores.gather_until_us);
        }
        chores.gather_until_us = now.mono_us + GATHER_US;
        let rows = {
            let mut costs = lock(&self.costs);
            costs.since_us.get_or_insert(now.wall_us);
            let rows = self.records.take();
            rows.iter().for_each(|row| costs.add(row));
            rows
        };
        self.journal.access(&snapshot.config.log, &rows);
        self.records.keep(rows, &mut chores.rows);
        let changed = chores.agenda.take_untold();
        drop(chores);
        let changed = changed.into_iter().filter_map(|at| snapshot.upstreams.get(at));
        changed.for_each(|upstream| self.tell_health(upstream, now));
        None
    }

    /// Says that a provider is left alone, or well again.
    fn tell_health(&self, upstream: &Upstream, now: Now) {
        let out_for = upstream.out_for(now.mono_us);
        let is_well = out_for.is_none();
        if upstream.live.said_ill.swap(!is_well, Ordering::Relaxed) != is_well {
            return;
        }
        let name = &upstream.name;
        match out_for {
            None => self.say(LogLevel::Info, now, &format!("Provider {name} is well again.")),
            Some(reason) => {
                let words = format!("Provider {name} is left alone for a while: {reason}.");
                self.say(LogLevel::Warn, now, &words);
            }
        }
    }

    /// Says what the run before this one cost by not ending in order.
    fn tell_lost(&self, budget: &str, earlier: Earlier, now: Now) {
        let Earlier { lost, lost_by_last, .. } = earlier;
        if lost_by_last > 0 {
            let words = format!(
                "Budget {budget}: {lost_by_last} tokens are written off as spent, because the last run ended without \
                 accounting for them; {lost} in all runs."
            );
            self.say(LogLevel::Warn, now, &words);
        }
    }

    /// Ends reservations that nobody reported. Returns when the next one is due.
    fn expire(&self, now: Now) -> Option<u64> {
        let (due, expired) = self.reservations.expire(now);
        for Expired { reservation, owner } in expired {
            let (tokens, pool) = (reservation.tokens(), reservation.pool().name());
            let owner = owner.as_deref().unwrap_or("not named");
            let words = format!("A reservation expired unreported: {tokens} tokens of budget {pool}, owner {owner}.");
            self.say(LogLevel::Warn, now, &words);
        }
        due
    }

    /// Leases, returns, rows and responses, unless the store is being left alone after a failure. Returns when to look again.
    fn ask_store(&self, snapshot: &Snapshot, ending: Ending, now: Now) -> Option<u64> {
        self.ask_recalls(now);
        let pause = lock(&self.chores).store_pause_until_us;
        if now.mono_us < pause {
            return Some(pause);
        }
        if ending == Ending::Asked {
            // Nothing but the end again: what came behind it would begin another run. Records of callers who are refused
            // meanwhile are lost.
            self.ask_end(snapshot, now);
            return None;
        }
        let closing = ending == Ending::Closing;
        self.serve_pools(!closing || self.open_exchanges() > 0, now);
        lock(&self.chores).append(now);
        self.tell_changes(snapshot, now);
        if closing {
            self.end_run(snapshot, now);
        }
        None
    }

    /// What the budgets on the desk want: what earlier runs took, leases unless the run ends, and the return of what a
    /// removed one does not need.
    fn serve_pools(&self, may_lease: bool, now: Now) {
        let (mut unknown, mut leases, mut later) = (Vec::new(), Vec::new(), Vec::new());
        let mut returns = std::mem::take(&mut lock(&self.chores).returns);
        for pool in self.desk.take_pools() {
            returns.push(Return { budget: pool.name().clone(), tokens: pool.give_back_retired() });
            if !may_lease {
                later.push(pool);
            } else if pool.restore_wanted() {
                unknown.push(pool);
            } else if let Some(ask) = pool.lease_wanted() {
                leases.push((pool, ask));
            } else if pool.is_wanting() {
                // Removed from the configuration meanwhile.
                self.desk.put([pool]);
                self.wake_loop();
            }
        }
        self.desk.put(later);
        let mut chores = lock(&self.chores);
        if !unknown.is_empty() {
            let budgets = unknown.iter().map(|pool: &Arc<Pool>| pool.name().clone()).collect();
            chores.store(What::Restore(unknown), Op::Restore { budgets }, now);
        }
        for (pool, ask) in leases {
            let op = Op::Lease { budget: pool.name().clone(), capacity: ask.capacity, tokens: ask.tokens };
            chores.store(What::Lease(pool, ask.id), op, now);
        }
        for unspent in returns.into_iter().filter(|unspent| unspent.tokens > 0) {
            let op = Op::Return { budget: unspent.budget.clone(), tokens: unspent.tokens };
            chores.store(What::Return(unspent), op, now);
        }
    }

    /// Once nothing is left that could book or hold: what was leased and not used is free for the next run.
    fn end_run(&self, snapshot: &Snapshot, now: Now) {
        {
            let mut chores = lock(&self.chores);
            // In this order: an exchange queues its row before it is over.
            if self.open_exchanges() > 0
                || self.rows_waiting() > 0
                || !self.archive.is_idle()
                || chores.awaits_store()
                || chores.ending != Ending::Closing
            {
                return;
            }
            chores.ending = Ending::Asked;
        }
        self.ask_end(snapshot, now);
    }

    /// Tells the store, unless its answer is waited for.
    fn ask_end(&self, snapshot: &Snapshot, now: Now) {
        let retired = {
            let chores = lock(&self.chores);
            if chores.awaits_store() {
                return;
            }
            chores.retired.clone()
        };
        let pools: Vec<_> = snapshot.budgets.iter().chain(&retired).cloned().collect();
        let held = pools.iter().map(|pool| (pool.name().clone(), pool.state().reserved)).filter(|held| held.1 > 0);
        let op = Op::End { held: held.collect() };
        lock(&self.chores).store(What::End(pools), op, now);
    }

    /// Credentials, probes, model lists and what follows them, of those upstreams that may want some. Returns when the next
    /// is due.
    fn ask_upstreams(&self, snapshot: &Snapshot, now: Now) -> Option<u64> {
        let mut chores = lock(&self.chores);
        for at in chores.agenda.take_due(now.mono_us) {
            let (upstream, provider) = (&snapshot.upstreams[at], &snapshot.config.providers[at]);
            if upstream.kind != ProviderKind::Http {
                continue;
            }
            let listed = if upstream.list_wanted { chores.list(upstream, now) } else { None };
            let (renewed, probed) = (chores.renew(upstream, provider, now), chores.probe(upstream, now));
            let due = [renewed, probed, listed, chores.question(upstream, provider, now)];
            chores.agenda.plan(at, due.into_iter().flatten().min());
        }
        chores.agenda.next_us()
    }
}
