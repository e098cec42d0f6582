//! The process ends and another takes its place, with the same store: in order, or by a crash.

use std::sync::Arc;

use hoosh_core::budget::PoolState;
use hoosh_core::gateway::Gateway;

use crate::check::Invariant;
use crate::world::World;

impl World {
    /// The process is gone in this instant, and with it everything that the store was not told.
    pub(crate) fn crash(&mut self) {
        self.count("crashes");
        self.note(None, || "crash".into());
        self.books.die(&self.gateway.budgets());
        for x in 0..self.xs.len() {
            self.xs[x].crashed |= !self.xs[x].id.is_empty();
        }
        self.drop_all();
        self.replace();
    }

    /// An operator stops the process. Its driver waits for exchanges in progress, or drops them.
    pub(crate) fn close(&mut self) {
        self.count("orderly ends");
        self.note(None, || "close".into());
        (self.closing, self.draining) = (true, true);
        self.gateway.close();
        if self.dice.chance(50) {
            self.drop_all();
        }
    }

    /// The loop says that the run is over.
    pub(crate) fn run_is_over(&mut self) {
        if !self.closing {
            return self.fail(Invariant::Ledger, None, "the run is over, and nobody ended it".into());
        }
        self.note(None, || "over".into());
        // Callers may come while the store is told, and are refused: of them it need not know.
        let owed = self.xs.iter().any(|x| x.exchange.is_some() && !x.must_refuse);
        let refused = self.xs.iter_mut().filter(|x| x.must_refuse);
        let refused = refused.map(|x| x.crashed = true).count();
        if owed || self.gateway.rows_waiting() > refused || !self.store.has_ended() {
            return self.fail(Invariant::Ledger, None, "the run is over, and not everything is stored".into());
        }
        self.over = true;
        // What callers hold for spending elsewhere nobody reports any more; it may expire while the store is told of it.
        let held = |(name, state): &(Arc<str>, PoolState)| state.reserved > 0 || self.store.held(name) > 0;
        if self.gateway.budgets().iter().any(held) {
            self.count("held beyond an orderly end");
        }
        if !self.settling {
            let mut budgets = self.gateway.budgets();
            for (name, state) in &mut budgets {
                // The gateway counts them as an earlier run's already.
                state.used = state.earlier + self.store.used_in_run(name);
            }
            self.books.die(&budgets);
            self.drop_all();
            self.replace();
        }
    }

    fn drop_all(&mut self) {
        for x in 0..self.xs.len() {
            if self.xs[x].exchange.is_some() {
                self.drop_exchange(x);
            }
        }
    }

    fn replace(&mut self) {
        self.store.begin_run();
        let config = self.plan.configs[self.config].clone();
        self.gateway = Gateway::new(config, self.dice.bits());
        self.gateway.set_waker(self.bell(None));
        self.gateway.set_store_lasts(true);
        self.generation += 1;
        // What is held for elsewhere is held by a process.
        self.granted.clear();
        (self.closing, self.draining, self.over) = (false, false, false);
        self.books.begin_again(self.now.mono_us);
        self.look_loop();
    }
}
