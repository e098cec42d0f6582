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

    /// Takes out a waiter whose turn it was, whether or not others before it took theirs; the owner's following one has its
    /// turn after everybody else's.
    pub(super) fn serve(&mut self, owner: u64, id: u64) -> Option<W> {
        let waiter = self.remove(owner, id)?;
        let again = self.number();
        if let Some(lane) = self.lanes.get_mut(&owner) {
            self.turns.remove(&lane.turn);
            self.turns.insert(again, owner);
            lane.turn = again;
        }
        Some(waiter)
    }

    pub(super) fn get_mut(&mut self, owner: u64, id: u64) -> Option<&mut W> {
        self.lanes.get_mut(&owner)?.waiters.get_mut(&id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &W> {
        self.lanes.values().flat_map(|lane| lane.waiters.values())
    }

    /// In no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut W> {
        self.lanes.values_mut().flat_map(|lane| lane.waiters.values_mut())
    }

    /// What those weigh together who have their turn before `id`, or before whoever would be pushed now: in each round
    /// every owner has one turn.
    pub(super) fn ahead(&self, owner: u64, id: Option<u64>, weight: impl Fn(&W) -> u64) -> u64 {
        let own = self.lanes.get(&owner);
        let turn = own.map_or(u64::MAX, |lane| lane.turn);
        let rounds = own.map_or(0, |lane| match id {
            Some(id) => lane.waiters.range(..id).count(),
            None => lane.waiters.len(),
        });
        let of_lane = |lane: &Lane<W>| {
            let turns = rounds + usize::from(lane.turn < turn);
            lane.waiters.values().take(turns).map(&weight).fold(0, u64::saturating_add)
        };
        self.lanes.values().map(of_lane).fold(0, u64::saturating_add)
    }

    /// Owner and number of the first in turn who is `wanted`.
    pub(super) fn first(&self, wanted: impl Fn(&W) -> bool) -> Option<(u64, u64)> {
        let of_lane = |owner: &u64| {
            let waiters = self.lanes.get(owner)?.waiters.iter();
            let (round, (id, _)) = waiters.enumerate().find(|(_, (_, waiter))| wanted(waiter))?;
            Some((round, *owner, *id))
        };
        // The first of those with the fewest rounds to go: `min_by_key` keeps the order of the turns.
        self.turns.values().filter_map(of_lane).min_by_key(|(round, ..)| *round).map(|(_, owner, id)| (owner, id))
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
