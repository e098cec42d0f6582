//! What will happen when. Events of the same instant come in an order that the seed decides, so that no order is special.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An agenda of `T`s.
#[derive(Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at_us: u64,
    tie: u32,
    number: u64,
    what: T,
}

impl<T> Entry<T> {
    fn key(&self) -> (u64, u32, u64) {
        (self.at_us, self.tie, self.number)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Agenda { heap: BinaryHeap::new(), count: 0 }
    }
}

impl<T> Agenda<T> {
    /// Puts `what` down for `at_us`; `tie` orders the events of one instant.
    pub fn put(&mut self, at_us: u64, tie: u32, what: T) {
        self.count += 1;
        self.heap.push(Reverse(Entry { at_us, tie, number: self.count, what }));
    }

    /// The next event with its time.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at_us, entry.what))
    }
}
