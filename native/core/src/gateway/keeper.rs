//! The gateway's own loop: leases, the ledger, probes of benched upstreams, model lists.
//!
//! Each question to the outside has a number and a deadline. One that is not answered in time counts as failed; its
//! late answer is ignored, and so is a second one.

use super::chores::{read_list, Asked, Ending, Return, What, GATHER_US};
use super::snapshot::Snapshot;
use super::{Gateway, LoopResult, LoopStep};
use crate::clock::Now;
use crate::config::ProviderKind;
use crate::health::Blame;
use crate::store::{Op, Outcome};
use crate::sync::atomic::Ordering;
use crate::sync::lock;

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
        let ending = lock(&self.chores).ending;
        if ending == Ending::Over {
            return LoopStep::Over;
        }
        let store_at = self.ask_store(&snapshot, ending != Ending::No, now);
        let upstreams_at = if ending == Ending::No { self.ask_upstreams(&snapshot, now) } else { None };
        let mut chores = lock(&self.chores);
        if let Some(step) = chores.steps.pop_front() {
            return step;
        }
        let deadlines = chores.asked.values().map(|asked| asked.until_us);
        LoopStep::Wait { until_us: deadlines.chain(store_at).chain(upstreams_at).min() }
    }

    /// A step ended. What is not, or no longer, asked for is ignored.
    pub fn done(&self, id: u64, result: LoopResult, now: Now) {
        let asked = lock(&self.chores).asked.remove(&id);
        let Some(Asked { what, .. }) = asked else { return };
        match (what, result) {
            (What::Restore(pools), LoopResult::Stored(Outcome::Restored(earlier))) if earlier.len() == pools.len() => {
                pools.iter().zip(earlier).for_each(|(pool, earlier)| pool.restored(earlier));
            }
            (What::End(pools), LoopResult::Stored(Outcome::Stored)) => {
                pools.iter().for_each(|pool| pool.end_run());
                lock(&self.chores).ending = Ending::Over;
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
            (What::Append, LoopResult::Stored(Outcome::Stored)) => self.appended(id, now),
            (What::Probe(attempt), LoopResult::Fetched(Ok((status, _)))) => match status {
                // How soon a list of models comes says nothing of how soon an answer does.
                200..=299 | 404 | 405 => attempt.success_unmeasured(now.mono_us),
                401 | 403 => attempt.failure(now.mono_us, Blame::Credential),
                429 => attempt.failure(now.mono_us, Blame::Throttled { until_us: None }),
                _ => attempt.failure(now.mono_us, Blame::Upstream),
            },
            (What::List(name), LoopResult::Fetched(Ok((200, body)))) => {
                if lock(&self.chores).learn(name, read_list(&body)) {
                    self.swap(None, now);
                }
            }
            (what, _) => self.fail(what, now),
        }
    }

    fn appended(&self, id: u64, now: Now) {
        let mut chores = lock(&self.chores);
        if let Some(group) = chores.group.take_if(|group| group.asked == Some(id)) {
            self.rows_waiting.fetch_sub(group.rows.len(), Ordering::AcqRel);
            chores.gather_until_us = now.mono_us + GATHER_US;
        }
    }

    /// What was asked for did not come.
    fn fail(&self, what: What, now: Now) {
        match what {
            What::Restore(pools) => {
                lock(&self.chores).pause_store(now);
                pools.iter().for_each(|pool| pool.restore_failed());
            }
            // It may have been done all the same; to do it again changes nothing.
            What::End(_) => {
                let mut chores = lock(&self.chores);
                chores.ending = Ending::Closing;
                chores.pause_store(now);
            }
            What::Lease(pool, ask) => {
                lock(&self.chores).pause_store(now);
                pool.lease_failed(ask);
            }
            What::Append => {
                let mut chores = lock(&self.chores);
                if let Some(group) = &mut chores.group {
                    group.asked = None;
                }
                chores.pause_store(now);
            }
            What::Probe(attempt) => attempt.failure(now.mono_us, Blame::Upstream),
            // A return that the store may have done is not asked for twice: better unspent than spent twice.
            What::Return(_) | What::List(_) => {}
        }
    }

    /// Leases, returns and rows, unless the store is being left alone after a failure. Returns when to look again.
    fn ask_store(&self, snapshot: &Snapshot, closing: bool, now: Now) -> Option<u64> {
        let pause = lock(&self.chores).store_pause_until_us;
        if now.mono_us < pause {
            return Some(pause);
        }
        if !closing || self.open_exchanges() > 0 {
            self.lease(snapshot, now);
        }
        self.give_back(now);
        let gathered_at = lock(&self.chores).append(self, now);
        if closing {
            self.end_run(snapshot, now);
        }
        gathered_at
    }

    fn lease(&self, snapshot: &Snapshot, now: Now) {
        let unknown: Vec<_> = snapshot.budgets.iter().filter(|pool| pool.restore_wanted()).cloned().collect();
        if !unknown.is_empty() {
            let budgets = unknown.iter().map(|pool| pool.name().clone()).collect();
            lock(&self.chores).store(What::Restore(unknown), Op::Restore { budgets }, now);
        }
        for pool in &snapshot.budgets {
            let Some(ask) = pool.lease_wanted() else { continue };
            let op = Op::Lease { budget: pool.name().clone(), capacity: ask.capacity, tokens: ask.tokens };
            lock(&self.chores).store(What::Lease(pool.clone(), ask.id), op, now);
        }
    }

    /// Once nothing is left that could book or hold: what was leased and not used is free for the next run.
    fn end_run(&self, snapshot: &Snapshot, now: Now) {
        let retired = {
            let chores = lock(&self.chores);
            // In this order: an exchange queues its row before it is over.
            if self.open_exchanges() > 0
                || self.rows_waiting() > 0
                || chores.awaits_store()
                || chores.ending != Ending::Closing
            {
                return;
            }
            chores.retired.clone()
        };
        let pools: Vec<_> = snapshot.budgets.iter().chain(&retired).cloned().collect();
        let held = pools.iter().map(|pool| (pool.name().clone(), pool.state().reserved)).filter(|held| held.1 > 0);
        let op = Op::End { held: held.collect() };
        let mut chores = lock(&self.chores);
        chores.ending = Ending::Asked;
        chores.store(What::End(pools), op, now);
    }

    fn give_back(&self, now: Now) {
        let (retired, mut returns) = {
            let mut chores = lock(&self.chores);
            (std::mem::take(&mut chores.retired), std::mem::take(&mut chores.returns))
        };
        let mut held = Vec::new();
        for pool in retired {
            // Asked first: what is idle now has nothing left once it gave back.
            let idle = pool.is_idle();
            returns.push(Return { budget: pool.name().clone(), tokens: pool.give_back() });
            held.extend((!idle).then_some(pool));
        }
        let mut chores = lock(&self.chores);
        chores.retired.append(&mut held);
        for unspent in returns.into_iter().filter(|unspent| unspent.tokens > 0) {
            let op = Op::Return { budget: unspent.budget.clone(), tokens: unspent.tokens };
            chores.store(What::Return(unspent), op, now);
        }
    }

    /// Probes and model lists. Returns when the next is due.
    fn ask_upstreams(&self, snapshot: &Snapshot, now: Now) -> Option<u64> {
        let mut chores = lock(&self.chores);
        let providers = snapshot.upstreams.iter().zip(&snapshot.config.providers);
        let due =
            providers.filter(|(upstream, _)| upstream.kind == ProviderKind::OpenAi).flat_map(|(upstream, provider)| {
                let listed = if provider.models.is_empty() { chores.list(upstream, now) } else { None };
                [chores.probe(upstream, now), listed]
            });
        due.flatten().min()
    }
}
