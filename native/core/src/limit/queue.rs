//! Who is next: first come, first served inside an owner, and owners in turn, so that one key with a thousand waiting
//! requests delays another key by one place and not by a thousand.
//!
//! Waiters leave from anywhere (deadline, caller gone), so both orders are trees by ascending number: every operation is
//! O(log n) and nothing dead stays behind.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// A queue of `W`, fair between owners.
pub(super) struct FairQueue<W> {
    lanes: HashMap<u64, Lane<W>, FixedState>,
    /// Turn number to owner; the lowest is served next. Exactly the owners that have somebody waiting.
    turns: BTreeMap<u64, u64>,
    /// Numbers waiters and turns; never reused.
    next: u64,
    len: u32,
}

/// One owner's waiters, by number.
struct Lane<W> {
    turn: u64,
    waiters: BTreeMap<u64, W>,
}

impl<W> FairQueue<W> {
    pub(super) fn new() -> Self {
        let lanes = HashMap::with_hasher(FixedState::with_seed(0x6c69_6d69_7473));
        FairQueue { lanes, turns: BTreeMap::new(), next: 0, len: 0 }
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Appends; the number identifies the waiter for good. An owner who was not waiting gets the last turn.
    pub(super) fn push(&mut self, owner: u64, waiter: W) -> u64 {
        let id = self.number();
        let (lanes, turns) = (&mut self.lanes, &mut self.turns);
        let lane = lanes.entry(owner).or_insert_with(|| {
            turns.insert(id, owner);
            Lane { turn: id, waiters: BTreeMap::new() }
        });
        lane.waiters.insert(id, waiter);
        self.len += 1;
        id
    }

    /// Takes out whoever is next; the owner's following waiter has its turn after everybody else's.
    pub(super) fn pop(&mut self) -> Option<(u64, W)> {
        let again = self.number();
        let (_, owner) = self.turns.pop_first()?;
        let lane = self.lanes.get_mut(&owner)?;
        let first = lane.waiters.pop_first()?;
        if lane.waiters.is_empty() {
            self.lanes.remove(&owner);
        } else {
            lane.turn = again;
            self.turns.insert(again, owner);
        }
        self.len -= 1;
        Some(first)
    }

    /// Takes out a waiter who leaves; `None` if it was popped before.
    pub(super) fn remove(&mut self, owner: u64, id: u64) -> Option<W> {
        let lane = self.lanes.get_mut(&owner)?;
        let waiter = lane.waiters.remove(&id)?;
        if lane.waiters.is_empty() {
            self.turns.remove(&lane.turn);
            self.lanes.remove(&owner);
        }
        self.len -= 1;
        Some(waiter)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
