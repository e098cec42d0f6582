//! What of responses is kept beyond the process: what the store is told, and asked, on behalf of exchanges.

use super::chores::What;
use super::snapshot::Snapshot;
use super::Gateway;
use crate::archive::{Pending, Question, Ticket};
use crate::clock::Now;
use crate::history::{ResponseKey, Turn};
use crate::homes::{self, Home, Known};
use crate::store::{Bounds, Change, Op, Recalled};
use crate::sync::lock;
use crate::wake::Waker;

impl Gateway {
    /// Whether the store outlives this process, says who opened it; until then none does. Such a store is told which responses
    /// are kept, and asked for those that memory does not know. Where turns are not to be kept in it, it throws away those
    /// that it has from earlier runs.
    pub fn set_store_lasts(&self, lasts: bool) {
        self.archive.set_lasts(lasts);
        if lasts && !self.snapshot.load().config.dialects.keeps_in_store() {
            self.archive.forget_turns();
            self.wake_loop();
        }
    }

    /// Keeps a turn, in memory and, if `snapshot` says so, in the store.
    pub(crate) fn keep_turn(&self, key: ResponseKey, turn: Turn, snapshot: &Snapshot) {
        let dialects = &snapshot.config.dialects;
        self.history.keep(key, turn.clone(), dialects.history_max_bytes);
        if dialects.keeps_in_store() {
            self.put(Change::KeepTurn(key, turn));
        }
    }

    /// Remembers which upstream keeps a response.
    pub(crate) fn remember_home(&self, key: ResponseKey, home: Home) {
        self.homes.remember(&key, home.clone());
        self.put(Change::KeepHome(key, home));
    }

    /// Whether what a response cost is still owed; from now on it is not.
    pub(crate) fn settle_home(&self, key: ResponseKey) -> bool {
        let settled = self.homes.settle(&key);
        let was_owed = settled.is_some();
        settled.into_iter().for_each(|home| self.put(Change::KeepHome(key, home)));
        was_owed
    }

    /// Its upstream does not keep it any more.
    pub(crate) fn forget_home(&self, key: ResponseKey) {
        self.homes.forget(&key);
        self.put(Change::ForgetHome(key));
    }

    /// The turn of a response, as far as that is known without the store.
    pub(crate) fn turn_known(&self, key: &ResponseKey, now: Now) -> Pending<Turn> {
        match self.history.find(key, now.wall_us) {
            Some(turn) => Pending::Kept(turn),
            None if !self.archive.lasts() => Pending::Forgotten,
            None => self.archive.turn(key),
        }
    }

    /// The home of a response, as far as that is known without the store.
    pub(crate) fn home_known(&self, key: &ResponseKey) -> Known {
        match self.homes.find(key) {
            Known::Own(home) => Known::Own(home),
            other => match self.archive.home(key) {
                Pending::Kept(home) => Known::Own(home),
                Pending::Forgotten | Pending::Unknown => other,
            },
        }
    }

    /// Asks the store what it knows of a response. `None`: it cannot be asked any more.
    pub(crate) fn recall(&self, key: ResponseKey, waker: &Waker) -> Option<Ticket> {
        if self.run_is_ending() {
            return None;
        }
        let ticket = self.archive.ask(key, waker);
        self.wake_loop();
        Some(ticket)
    }

    /// Throws a turn away, in memory and in a store that may have it: then the ticket says when it is done. `Err`: the store
    /// cannot be told.
    pub(crate) fn forget_turn(&self, key: ResponseKey, waker: &Waker) -> Result<Option<Ticket>, ()> {
        self.history.forget(&key);
        if !self.archive.lasts() {
            return Ok(None);
        }
        if self.run_is_ending() {
            return Err(());
        }
        let ticket = self.archive.forget_turn(key, waker).ok_or(())?;
        self.wake_loop();
        Ok(Some(ticket))
    }

    fn put(&self, change: Change) {
        if self.archive.put(change) {
            self.wake_loop();
        }
    }

    /// Asks the store what exchanges want to know, whatever else it failed at: what cannot be written can often be read.
    pub(super) fn ask_recalls(&self, now: Now) {
        let questions = self.archive.take_questions();
        if questions.is_empty() {
            return;
        }
        let mut chores = lock(&self.chores);
        for question in questions {
            let op = Op::Recall { key: question.key, now_us: now.wall_us };
            chores.store(What::Recall(question), op, now);
        }
    }

    /// Tells the store what changed.
    pub(super) fn tell_changes(&self, snapshot: &Snapshot, now: Now) {
        let Some(changes) = self.archive.batch() else { return };
        let turn_bytes = snapshot.config.dialects.history_store_max_bytes;
        let bounds = Bounds { now_us: now.wall_us, turn_bytes, homes: homes::MOST as u64 };
        lock(&self.chores).store(What::Remember, Op::Remember { changes, bounds }, now);
    }

    /// What the store said is known in memory from now on, but for a turn that may have been thrown away since.
    pub(super) fn was_recalled(&self, question: Question, recalled: Recalled) {
        let recalled = self.archive.merged(&question.key, recalled);
        if let Known::Own(home) = &recalled.home {
            self.homes.recall(&question.key, home.clone());
        }
        if let Some(turn) = recalled.turn.as_ref().filter(|_| self.archive.is_current(&question)) {
            let most = self.snapshot.load().config.dialects.history_max_bytes;
            self.history.keep(question.key, turn.clone(), most);
        }
        question.answer(recalled);
    }
}
