//! Responses on their way to a store that outlives the process, and back: turns ([`crate::history`]) and homes
//! ([`crate::homes`]). Both are known in memory first; the store is asked for what memory does not know.
//!
//! ```text
//!   exchange ─ put ──▶ changes, not stored yet ─ batch ─▶ the loop ─ Op::Remember ─▶ store
//!            ◀ find ─  (what is newest of each response)
//!            ─ ask ──▶ questions ───────────────────────▶ the loop ─ Op::Recall ───▶ store
//!            ◀ Ticket ──────────────────────────────────────────────────────────────┘
//! ```
//!
//! No answer waits for what is put here: what the store was not told when a process is killed is lost. A store that fails is
//! told again, in the order of the changes; what it was not told yet is found here, so that nothing is "not found" that is
//! only late. Beyond a bound turns are not put any more, and counted.

use std::collections::BTreeMap;

use crate::history::{ResponseKey, Turn};
use crate::homes::{Home, Known};
use crate::store::{Change, Recalled};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{lock, Arc, Mutex};
use crate::wake::Waker;

/// Changes that wait for the store: bytes, and how many.
const MOST_BYTES: u64 = 32 << 20;
const MOST_CHANGES: usize = 65_536;
/// Bytes that the store is told at once, so that a lease need not wait for more.
const BATCH_BYTES: u64 = 4 << 20;

/// What waits for the store, and who.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    /// Whether the store outlives the process: any other is told nothing and asked nothing.
    lasts: AtomicBool,
    /// Changes that were not put because too many wait.
    lost: AtomicU64,
    /// Turns that were thrown away. A turn that the store knew before is not taken into memory after.
    forgotten: AtomicU64,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// In the order in which they were put.
    changes: BTreeMap<u64, Change>,
    /// The newest of each response, or of all.
    newest: BTreeMap<Subject, u64>,
    bytes: u64,
    last: u64,
    /// Those up to it are with the store.
    told: Option<u64>,
    /// Who waits until the store did what was put under a number.
    waiting: Vec<(u64, Arc<Place>)>,
    questions: Vec<Question>,
}

/// Of what a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Turns,
    Turn(ResponseKey),
    Home(ResponseKey),
}

impl Subject {
    fn of(change: &Change) -> Subject {
        match change {
            Change::ForgetTurns => Subject::Turns,
            Change::KeepTurn(key, _) | Change::ForgetTurn(key) => Subject::Turn(*key),
            Change::KeepHome(key, _) | Change::ForgetHome(key) => Subject::Home(*key),
        }
    }
}

/// What is known of a response before the store is asked.
#[derive(Debug)]
pub(crate) enum Pending<T> {
    Kept(T),
    Forgotten,
    Unknown,
}

/// What a store said, or that it did not.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Recalled(Recalled),
    /// What was put is on the disk.
    Done,
    Unavailable,
}

/// One who waits.
#[derive(Default)]
struct Place(Mutex<(Option<Answer>, Option<Waker>)>);

impl Place {
    /// Whoever waits is woken, without a lock.
    fn give(&self, answer: Answer) {
        let mut place = lock(&self.0);
        if place.0.is_some() {
            return;
        }
        place.0 = Some(answer);
        let waker = place.1.take();
        drop(place);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

/// The side of who waits; when it is dropped, nobody does.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Place>);

impl Ticket {
    fn new(waker: &Waker) -> (Ticket, Arc<Place>) {
        let place = Arc::new(Place(Mutex::new((None, Some(waker.clone())))));
        (Ticket(place.clone()), place)
    }

    /// The answer, once there is one.
    pub fn poll(&self) -> Option<Answer> {
        lock(&self.0 .0).0.clone()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A waker's destructor is foreign code: it runs without the lock.
        let _waker = lock(&self.0 .0).1.take();
    }
}

/// The loop's side of a question to the store. One that is dropped without an answer has none.
#[derive(Debug)]
pub(crate) struct Question {
    pub key: ResponseKey,
    /// Turns forgotten when it was asked.
    forgotten: u64,
    place: Arc<Place>,
}

impl Question {
    pub fn answer(self, recalled: Recalled) {
        self.place.give(Answer::Recalled(recalled));
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.place.give(Answer::Unavailable);
    }
}

impl Archive {
    pub fn lasts(&self) -> bool {
        self.lasts.load(Ordering::Acquire)
    }

    pub fn set_lasts(&self, lasts: bool) {
        self.lasts.store(lasts, Ordering::Release);
    }

    /// Turns and homes that the store will not know, because too many waited for it.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Puts a change for the store, if it lasts. Whether the loop is to be woken for it.
    pub fn put(&self, change: Change) -> bool {
        if !self.lasts() {
            return false;
        }
        let mut books = lock(&self.books);
        let is_first = books.changes.is_empty();
        if books.add(change).is_none() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        is_first
    }

    /// Has the store throw a turn away. `None`: too much waits for it already.
    pub fn forget_turn(&self, key: ResponseKey, waker: &Waker) -> Option<Ticket> {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        let mut books = lock(&self.books);
        let number = books.add(Change::ForgetTurn(key))?;
        let (ticket, place) = Ticket::new(waker);
        books.waiting.push((number, place));
        Some(ticket)
    }

    /// Asks the store what it knows of a response.
    pub fn ask(&self, key: ResponseKey, waker: &Waker) -> Ticket {
        let (ticket, place) = Ticket::new(waker);
        let forgotten = self.forgotten.load(Ordering::Acquire);
        lock(&self.books).questions.push(Question { key, forgotten, place });
        ticket
    }

    /// A turn that the store may not have been told of.
    pub fn turn(&self, key: &ResponseKey) -> Pending<Turn> {
        let books = lock(&self.books);
        let all_gone = books.newest.get(&Subject::Turns);
        let number = books.newest.get(&Subject::Turn(*key)).filter(|number| Some(*number) > all_gone);
        match number.and_then(|number| books.changes.get(number)) {
            Some(Change::KeepTurn(_, turn)) => Pending::Kept(turn.clone()),
            Some(_) => Pending::Forgotten,
            None if all_gone.is_some() => Pending::Forgotten,
            None => Pending::Unknown,
        }
    }

    /// The same of a home.
    pub fn home(&self, key: &ResponseKey) -> Pending<Home> {
        let books = lock(&self.books);
        let number = books.newest.get(&Subject::Home(*key));
        match number.and_then(|number| books.changes.get(number)) {
            Some(Change::KeepHome(_, home)) => Pending::Kept(home.clone()),
            Some(_) => Pending::Forgotten,
            None => Pending::Unknown,
        }
    }

    /// What the store said, and what was put meanwhile.
    pub fn merged(&self, key: &ResponseKey, mut recalled: Recalled) -> Recalled {
        match self.turn(key) {
            Pending::Kept(turn) => recalled.turn = Some(turn),
            Pending::Forgotten => recalled.turn = None,
            Pending::Unknown => {}
        }
        match self.home(key) {
            Pending::Kept(home) => recalled.home = Known::Own(home),
            Pending::Forgotten if matches!(recalled.home, Known::Own(_)) => recalled.home = Known::Nobody,
            Pending::Forgotten | Pending::Unknown => {}
        }
        recalled
    }

    /// Whether no turn was thrown away since `question` was asked.
    pub fn is_current(&self, question: &Question) -> bool {
        self.forgotten.load(Ordering::Acquire) == question.forgotten
    }

    /// All turns are to be thrown away.
    pub fn forget_turns(&self) -> bool {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.put(Change::ForgetTurns)
    }

    pub fn take_questions(&self) -> Vec<Question> {
        std::mem::take(&mut lock(&self.books).questions)
    }

    /// What the store is to be told next, unless it is being told something.
    pub fn batch(&self) -> Option<Vec<Change>> {
        let mut books = lock(&self.books);
        if books.told.is_some() || books.changes.is_empty() {
            return None;
        }
        let (mut batch, mut bytes, mut last) = (Vec::new(), 0, 0);
        for (number, change) in &books.changes {
            bytes += change.bytes();
            if bytes > BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.push(change.clone());
            last = *number;
        }
        books.told = Some(last);
        Some(batch)
    }

    /// It did what it was told last.
    pub fn stored(&self) {
        self.told(true);
    }

    /// It did not, or nobody knows.
    pub fn not_stored(&self) {
        self.told(false);
    }

    fn told(&self, stored: bool) {
        let mut books = lock(&self.books);
        let Some(told) = books.told.take() else { return };
        if stored {
            books.remove_up_to(told);
        }
        let waiting = std::mem::take(&mut books.waiting);
        let (over, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(number, _)| *number <= told);
        books.waiting = waiting;
        drop(books);
        over.iter().for_each(|(_, place)| place.give(if stored { Answer::Done } else { Answer::Unavailable }));
    }

    /// Whether the store knows everything that it is to know.
    pub fn is_idle(&self) -> bool {
        lock(&self.books).changes.is_empty()
    }
}

impl Books {
    /// Its number. `None`: too many wait.
    fn add(&mut self, change: Change) -> Option<u64> {
        let subject = Subject::of(&change);
        // What is with the store already stays until the store has it.
        let is_free = |number: u64| self.told.is_none_or(|told| number > told);
        let before = self.newest.get(&subject).copied().filter(|before| is_free(*before));
        let freed = before.and_then(|before| self.changes.get(&before)).map_or(0, Change::bytes);
        let bytes = change.bytes();
        if self.bytes - freed + bytes > MOST_BYTES || self.changes.len() >= MOST_CHANGES && before.is_none() {
            return None;
        }
        if subject == Subject::Turns {
            let moot = self
                .changes
                .iter()
                .filter(|(number, change)| matches!(change, Change::KeepTurn(..)) && is_free(**number));
            let moot: Vec<u64> = moot.map(|(number, _)| *number).collect();
            moot.into_iter().for_each(|number| self.remove(number));
        }
        self.last += 1;
        if let Some(before) = before {
            self.remove(before);
            // Who waited for that waits for this.
            let last = self.last;
            self.waiting.iter_mut().filter(|(number, _)| *number == before).for_each(|(number, _)| *number = last);
        }
        self.bytes += bytes;
        self.newest.insert(subject, self.last);
        self.changes.insert(self.last, change);
        Some(self.last)
    }

    fn remove(&mut self, number: u64) {
        let Some(change) = self.changes.remove(&number) else { return };
        self.bytes -= change.bytes();
        let subject = Subject::of(&change);
        if self.newest.get(&subject) == Some(&number) {
            self.newest.remove(&subject);
        }
    }

    fn remove_up_to(&mut self, last: u64) {
        while let Some(number) = self.changes.first_key_value().map(|(number, _)| *number).filter(|n| *n <= last) {
            self.remove(number);
        }
    }
}

#[cfg(test)]
mod tests;
