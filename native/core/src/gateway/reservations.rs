//! Reservations that callers hold by themselves, for tokens that they spend elsewhere: `/v1/tokens/*`.
//!
//! Each has an id that nobody can guess, a holder who alone may settle it, and a time at which it ends unreported. One
//! that was settled or expired is remembered for a while, so that a second report is told apart from a wrong id, and a
//! late one is booked all the same: the tokens were spent.

use std::collections::{BTreeSet, HashMap, VecDeque};

use foldhash::fast::FixedState;

use crate::budget::{Pool, Reservation};
use crate::clock::{Now, SECOND};
use crate::sync::{lock, Arc, Mutex};

use super::snapshot::Holder;
use super::Gateway;

/// Reservations that one key may hold at once.
pub(crate) const MAX_OPEN: usize = 1_024;
/// Ended ones of a key that are remembered,
const MAX_ENDED: usize = 1_024;
/// and for how long.
const GRACE_US: u64 = 300 * SECOND;

/// Who holds one: a key, whatever its name, place and scope; or who needs none.
type Who = [u8; 32];
type Id = [u8; 16];

pub(crate) struct Reservations {
    secret: [u8; 32],
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    last: u64,
    entries: HashMap<Id, Entry, FixedState>,
    /// When something is to happen to which: it expires, or is forgotten.
    due: BTreeSet<(u64, Id)>,
    holders: HashMap<Who, Held, FixedState>,
}

#[derive(Default)]
struct Held {
    open: usize,
    /// In the order of their ends.
    ended: VecDeque<Id>,
}

struct Entry {
    who: Who,
    due_us: u64,
    pool: Arc<Pool>,
    owner: Option<Arc<str>>,
    state: State,
}

enum State {
    Open(Reservation),
    /// Its tokens are free again.
    Expired,
    Settled,
}

/// What a report meets.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The reservation, to be settled by whoever claimed it.
    Open(Reservation),
    /// It expired a while ago: what was spent is booked to this budget all the same.
    Late(Arc<Pool>),
    /// It was reported before.
    Settled,
    /// There is none of that id, or it is somebody else's.
    Unknown,
}

/// One that nobody reported in time.
#[derive(Debug)]
pub(crate) struct Expired {
    pub reservation: Reservation,
    pub owner: Option<Arc<str>>,
}

impl Reservations {
    /// `seed`: the driver's; nobody outside may know or guess it.
    pub fn new(seed: u64) -> Reservations {
        let secret = secret_of(seed, "hoosh: ids of reservations");
        Reservations { secret, book: Mutex::new(Book::default()) }
    }

    /// Whether `holder` may have one more.
    pub fn has_place(&self, holder: &Holder) -> bool {
        lock(&self.book).holders.get(&who(holder)).is_none_or(|held| held.open < MAX_OPEN)
    }

    /// Keeps `reservation` for `holder` until `expires_us` of the monotonic clock. The id by which it is reported, and
    /// whether nothing is due before it; the reservation itself if the holder has too many.
    pub fn open(
        &self,
        holder: &Holder,
        reservation: Reservation,
        expires_us: u64,
        owner: Option<Arc<str>>,
    ) -> Result<(String, bool), Reservation> {
        let who = who(holder);
        let mut book = lock(&self.book);
        let held = book.holders.entry(who).or_default();
        if held.open >= MAX_OPEN {
            return Err(reservation);
        }
        held.open += 1;
        book.last += 1;
        let id = id(&self.secret, book.last);
        let pool = reservation.pool().clone();
        book.due.insert((expires_us, id));
        let is_first = book.due.first().is_some_and(|first| first.1 == id);
        book.entries.insert(id, Entry { who, due_us: expires_us, pool, owner, state: State::Open(reservation) });
        Ok((written(&id), is_first))
    }

    /// Takes the reservation that `id` names out, for good.
    pub fn claim(&self, holder: &Holder, id: &str, now: Now) -> Claim {
        let Some(id) = read(id) else { return Claim::Unknown };
        let mut book = lock(&self.book);
        let Some(entry) = book.entries.get_mut(&id).filter(|entry| entry.who == who(holder)) else {
            return Claim::Unknown;
        };
        match std::mem::replace(&mut entry.state, State::Settled) {
            State::Settled => Claim::Settled,
            State::Expired => Claim::Late(entry.pool.clone()),
            State::Open(reservation) => {
                book.end(id, now.mono_us);
                Claim::Open(reservation)
            }
        }
    }

    /// Ends what nobody reported in time and forgets what ended long ago. Also when to look again. Those that expired
    /// are the caller's to drop: that frees their tokens, and wakes.
    pub fn expire(&self, now: Now) -> (Option<u64>, Vec<Expired>) {
        let mut expired = Vec::new();
        let mut book = lock(&self.book);
        while let Some((at_us, id)) = book.due.first().copied() {
            if at_us > now.mono_us {
                return (Some(at_us), expired);
            }
            let Some(entry) = book.entries.get_mut(&id) else {
                book.due.remove(&(at_us, id));
                continue;
            };
            match std::mem::replace(&mut entry.state, State::Expired) {
                State::Open(reservation) => {
                    expired.push(Expired { reservation, owner: entry.owner.clone() });
                    book.end(id, now.mono_us);
                }
                State::Expired | State::Settled => book.forget(id),
            }
        }
        (None, expired)
    }
}

impl Gateway {
    /// Keeps a reservation for its holder until `expires_us`; its id, or the reservation if the holder has too many.
    pub(crate) fn hold_reservation(
        &self,
        holder: &Holder,
        reservation: Reservation,
        expires_us: u64,
        owner: Option<Arc<str>>,
    ) -> Result<String, Reservation> {
        let (id, is_first) = self.reservations.open(holder, reservation, expires_us, owner)?;
        if is_first {
            self.wake_loop();
        }
        Ok(id)
    }
}

impl Book {
    /// It is open no more; who asks for it is still told so for a while.
    fn end(&mut self, id: Id, now_us: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.due.remove(&(entry.due_us, id));
        entry.due_us = now_us.saturating_add(GRACE_US);
        self.due.insert((entry.due_us, id));
        let held = self.holders.entry(entry.who).or_default();
        held.open = held.open.saturating_sub(1);
        held.ended.push_back(id);
        if held.ended.len() > MAX_ENDED {
            if let Some(oldest) = held.ended.front().copied() {
                self.forget(oldest);
            }
        }
    }

    fn forget(&mut self, id: Id) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.due.remove(&(entry.due_us, id));
        let Some(held) = self.holders.get_mut(&entry.who) else { return };
        // In order, so that it is the first, or near it.
        if let Some(at) = held.ended.iter().position(|ended| *ended == id) {
            held.ended.remove(at);
        }
        if held.open == 0 && held.ended.is_empty() {
            self.holders.remove(&entry.who);
        }
    }
}

fn who(holder: &Holder) -> Who {
    match &holder.key {
        Some(key) => *key.digest.as_bytes(),
        None => *blake3::hash(holder.name.as_bytes()).as_bytes(),
    }
}

/// A keyed hash of its number: whoever knows some ids can tell no other.
fn id(secret: &[u8; 32], number: u64) -> Id {
    let hash = blake3::keyed_hash(secret, &number.to_le_bytes());
    std::array::from_fn(|at| hash.as_bytes()[at])
}

fn written(id: &Id) -> String {
    format!("rsv-{:032x}", u128::from_be_bytes(*id))
}

fn read(id: &str) -> Option<Id> {
    let digits = id.strip_prefix("rsv-").filter(|digits| digits.len() == 32 && !digits.starts_with('+'))?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// A secret of its own for `purpose`, from the seed that the driver drew.
fn secret_of(seed: u64, purpose: &str) -> [u8; 32] {
    blake3::derive_key(purpose, &seed.to_le_bytes())
}

/// Request ids are drawn from it and can be wound back to it. What else is made of the driver's seed must not be found
/// by that.
pub(super) fn exchange_seed(seed: u64) -> u64 {
    let secret = secret_of(seed, "hoosh: seeds of exchanges");
    u64::from_le_bytes(std::array::from_fn(|at| secret[at]))
}
