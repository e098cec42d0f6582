//! How many at once. One short lock; a place that becomes free is handed to a waiter inside the same critical section,
//! so that nobody can slip in between and "somebody waits" always implies "no place is free".

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::queue::FairQueue;
use crate::sync::{lock, Arc, Mutex};
use crate::wake::{Waker, Wakes};

/// A bound on what runs at once, with a bounded queue before it.
pub struct Concurrency {
    places: Mutex<Places>,
}

/// What [`Concurrency::acquire`] answered.
#[derive(Debug)]
pub enum Acquire {
    /// A place, until the permit is dropped.
    Held(Permit),
    /// No place is free: wait to be woken, then ask the ticket.
    Waiting(Ticket),
    /// No place is free and the queue is full.
    Refused,
}

/// What somebody who asks for a place would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A place.
    Free,
    /// A place in the queue.
    Queue,
    /// Neither.
    Full,
}

/// For metrics and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConcurrencyState {
    /// Places in force. [`Self::held`] may be above it after it was lowered; then nobody is let in.
    pub max: u32,
    /// Places given away, those included whose ticket has not looked yet.
    pub held: u32,
    /// Places in the queue.
    pub max_waiting: u32,
    /// Waiting now.
    pub waiting: u32,
    /// What the next would meet.
    pub room: Room,
}

impl Concurrency {
    /// At most `max` at once; up to `max_waiting` more wait, 0 refuses at once.
    pub fn new(max: u32, max_waiting: u32) -> Arc<Self> {
        Arc::new(Concurrency {
            places: Mutex::new(Places {
                max,
                max_waiting,
                held: 0,
                queue: FairQueue::new(),
                granted: HashSet::with_hasher(FixedState::with_seed(0x706c_6163_6573)),
            }),
        })
    }

    /// Asks for a place on behalf of `owner` (any number that stands for a key). `waker` is called once if the answer is
    /// [`Acquire::Waiting`] and a place becomes this one's.
    pub fn acquire(self: &Arc<Self>, owner: u64, waker: &Waker) -> Acquire {
        let mut places = lock(&self.places);
        match places.room() {
            Room::Free => {
                places.held += 1;
                Acquire::Held(Permit { of: self.clone() })
            }
            Room::Queue => {
                let id = places.queue.push(owner, waker.clone());
                Acquire::Waiting(Ticket { of: self.clone(), owner, id, spent: false })
            }
            Room::Full => Acquire::Refused,
        }
    }

    /// Changes the bound (reload). Raising lets waiters in, who are woken when the result is dropped; lowering takes
    /// nobody's place away.
    pub fn set_max(&self, max: u32) -> Wakes {
        let mut let_in = Wakes::default();
        let mut places = lock(&self.places);
        places.max = max;
        let_in.extend(std::iter::from_fn(|| places.admit()));
        let_in
    }

    /// Changes the length of the queue (reload). Who waits already stays.
    pub fn set_max_waiting(&self, max_waiting: u32) {
        lock(&self.places).max_waiting = max_waiting;
    }

    /// Everybody in the queue, who is to look whether it still wants its place there.
    pub fn wake_all(&self) -> Wakes {
        let mut wakes = Wakes::default();
        wakes.extend(lock(&self.places).queue.values().cloned());
        wakes
    }

    /// A snapshot.
    pub fn state(&self) -> ConcurrencyState {
        let places = lock(&self.places);
        ConcurrencyState {
            max: places.max,
            held: places.held,
            max_waiting: places.max_waiting,
            waiting: places.queue.len(),
            room: places.room(),
        }
    }

    fn release(&self) {
        // A statement of its own: the lock is free again before anybody is woken.
        let next = lock(&self.places).release();
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for Concurrency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Concurrency").finish_non_exhaustive()
    }
}

struct Places {
    max: u32,
    max_waiting: u32,
    held: u32,
    queue: FairQueue<Waker>,
    /// Tickets that were given a place and have not looked yet. Their places count as held.
    granted: HashSet<u64, FixedState>,
}

impl Places {
    fn room(&self) -> Room {
        match (self.held < self.max, self.queue.len() < self.max_waiting) {
            (true, _) => Room::Free,
            (false, true) => Room::Queue,
            (false, false) => Room::Full,
        }
    }

    fn release(&mut self) -> Option<Waker> {
        self.held -= 1;
        self.admit()
    }

    /// Gives a free place, if there is one, to whoever is next, if anybody is. The waker is for the caller to call.
    fn admit(&mut self) -> Option<Waker> {
        if self.held >= self.max {
            return None;
        }
        let (id, waker) = self.queue.pop()?;
        self.held += 1;
        self.granted.insert(id);
        Some(waker)
    }
}

/// A place. Dropping it hands the place to the next waiter.
#[derive(Debug)]
pub struct Permit {
    of: Arc<Concurrency>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.release();
    }
}

/// A place in the queue. Dropping it leaves, and passes on a place that was granted meanwhile.
#[derive(Debug)]
pub struct Ticket {
    of: Arc<Concurrency>,
    owner: u64,
    id: u64,
    spent: bool,
}

impl Ticket {
    /// The permit once there is one; after that, `None` for ever.
    pub fn poll(&mut self) -> Option<Permit> {
        if self.spent || !lock(&self.of.places).granted.remove(&self.id) {
            return None;
        }
        self.spent = true;
        Some(Permit { of: self.of.clone() })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.spent {
            return;
        }
        let mut places = lock(&self.of.places);
        let granted = places.granted.remove(&self.id);
        let next = if granted { places.release() } else { None };
        // Kept until the lock is free: a waker's destructor is foreign code.
        let _left = if granted { None } else { places.queue.remove(self.owner, self.id) };
        drop(places);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}
