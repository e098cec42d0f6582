//! Single flight: equal requests in flight share one upstream call.
//!
//! The first to [`Flights::join`] a key leads and asks the upstream; the others follow and wait, each with its own
//! deadline, reservation and place. A leader that lands gives every follower the answer. One that fails or is dropped
//! passes the lead to exactly one follower, first come first served, so that a failure costs one more upstream call and
//! not a hundred. One whose answer is whole and not to be shared parts with its followers: the next answer would hardly
//! be another, and so each asks for itself at once, instead of all in a row.
//!
//! The lead is always in one place: a [`Leader`], or an heir who was chosen and has not looked yet. An entry exists
//! exactly as long as that. Sixteen locks by the first bits of the key; none is held while waking.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::sync::{lock, Arc, Mutex, MutexGuard, OnceLock};
use crate::wake::Waker;

/// A request's cache key (BLAKE3, so its first bits spread evenly).
pub type Key = [u8; 32];

const SHARDS: usize = 16;

/// Where a flight's answer will be, or `None` that there is none to share. Followers hold it, so that the entry can go
/// as soon as the leader lands.
type Landing<T> = Arc<OnceLock<Option<Arc<T>>>>;

/// All flights of a gateway.
pub struct Flights<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
}

struct Shard<T> {
    flights: HashMap<Key, Flight<T>, FixedState>,
    /// Numbers followers across flights, so that a late one can never be mistaken for one of the next flight.
    next: u64,
}

struct Flight<T> {
    followers: BTreeMap<u64, Waker>,
    /// The follower that has the lead and has not looked yet. `None` while there is a [`Leader`].
    heir: Option<u64>,
    /// Made for the first follower: most flights have none.
    landing: Option<Landing<T>>,
}

/// What [`Flights::join`] answered.
#[derive(Debug)]
pub enum Join<T> {
    /// Nobody else is at it: ask the upstream, then [`Leader::land`].
    Leader(Leader<T>),
    /// Somebody is: wait to be woken, then [`Follower::poll`].
    Follower(Follower<T>),
}

/// What [`Follower::poll`] answered.
#[derive(Debug)]
pub enum Follow<T> {
    /// Still in the air; the waker will be called.
    Waiting,
    /// The leader's answer.
    Landed(Arc<T>),
    /// The leader has an answer that is not to be shared: ask alone, and do not join again.
    Parted,
    /// The leader failed: lead now. The follower is spent.
    Promoted(Leader<T>),
}

impl<T> Flights<T> {
    /// Nobody is in flight.
    pub fn new() -> Arc<Self> {
        let hasher = FixedState::with_seed(0x0066_6c69_6768_7473);
        let shard = |_| Mutex::new(Shard { flights: HashMap::with_hasher(hasher.clone()), next: 0 });
        Arc::new(Flights { shards: std::array::from_fn(shard) })
    }

    /// Takes part in the flight of `key`. `waker` is kept for a follower and called when it landed or was promoted.
    pub fn join(self: &Arc<Self>, key: Key, waker: &Waker) -> Join<T> {
        let mut shard = self.shard(&key);
        let id = shard.next;
        shard.next += 1;
        let flight = match shard.flights.entry(key) {
            hashbrown::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(Flight { followers: BTreeMap::new(), heir: None, landing: None });
                return Join::Leader(Leader { of: self.clone(), key, landed: false });
            }
        };
        flight.followers.insert(id, waker.clone());
        let landing = flight.landing.get_or_insert_with(Landing::default).clone();
        Join::Follower(Follower { of: self.clone(), key, id, landing })
    }

    /// How many flights are under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).flights.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard<T>> {
        lock(&self.shards[usize::from(key[0]) % SHARDS])
    }
}

impl<T> Shard<T> {
    /// Gives the lead to the follower who waits longest, or ends the flight. The waker is for the caller to call.
    fn pass_on(&mut self, key: &Key) -> Option<Waker> {
        let flight = self.flights.get_mut(key)?;
        let Some((heir, waker)) = flight.followers.pop_first() else {
            self.flights.remove(key);
            return None;
        };
        flight.heir = Some(heir);
        Some(waker)
    }
}

impl<T> std::fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// The one that asks the upstream. Dropping it promotes a follower: that is what a failure does.
pub struct Leader<T> {
    of: Arc<Flights<T>>,
    key: Key,
    landed: bool,
}

impl<T> Leader<T> {
    /// Ends the flight with an answer for every follower.
    pub fn land(self, answer: Arc<T>) {
        self.end(Some(answer));
    }

    /// Ends the flight because its answer is the leader's alone: every follower asks for itself.
    pub fn part(self) {
        self.end(None);
    }

    fn end(mut self, answer: Option<Arc<T>>) {
        self.landed = true;
        let mut shard = self.of.shard(&self.key);
        let flight = shard.flights.remove(&self.key);
        if let Some(landing) = flight.as_ref().and_then(|flight| flight.landing.as_ref()) {
            // The only writer: one flight has one leader at a time, and none after this.
            let _ = landing.set(answer);
        }
        drop(shard);
        flight.iter().flat_map(|flight| flight.followers.values()).for_each(|waker| waker.wake());
    }
}

impl<T> Drop for Leader<T> {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let heir = self.of.shard(&self.key).pass_on(&self.key);
        if let Some(waker) = heir {
            waker.wake();
        }
    }
}

impl<T> std::fmt::Debug for Leader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}

/// One that waits for the leader. Dropping it leaves the flight, and passes on a lead that it was given meanwhile.
pub struct Follower<T> {
    of: Arc<Flights<T>>,
    key: Key,
    id: u64,
    landing: Landing<T>,
}

impl<T> Follower<T> {
    /// How the flight stands for this follower. `Landed` and `Parted` stay; after `Promoted` it is `Waiting` for ever.
    pub fn poll(&mut self) -> Follow<T> {
        let mut shard = self.of.shard(&self.key);
        match self.landing.get() {
            Some(Some(answer)) => return Follow::Landed(answer.clone()),
            Some(None) => return Follow::Parted,
            None => {}
        }
        match shard.flights.get_mut(&self.key) {
            Some(flight) if flight.heir == Some(self.id) => {
                flight.heir = None;
                Follow::Promoted(Leader { of: self.of.clone(), key: self.key, landed: false })
            }
            _ => Follow::Waiting,
        }
    }
}

impl<T> Drop for Follower<T> {
    fn drop(&mut self) {
        let mut shard = self.of.shard(&self.key);
        if self.landing.get().is_some() {
            return;
        }
        // A follower that fetched the lead finds neither of its traces here, even in a later flight of the same key.
        let Some(flight) = shard.flights.get_mut(&self.key) else { return };
        // Kept until the lock is free: a waker's destructor is foreign code.
        let _left = flight.followers.remove(&self.id);
        let heir = if flight.heir == Some(self.id) { shard.pass_on(&self.key) } else { None };
        drop(shard);
        if let Some(waker) = heir {
            waker.wake();
        }
    }
}

impl<T> std::fmt::Debug for Follower<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}
