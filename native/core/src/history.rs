//! Turns of the Responses API that callers go on from by `previous_response_id`, over upstreams that keep nothing.
//!
//! Kept in memory, within bounds and for a time: the oldest go first. What a tenant kept nobody else finds, whatever id it
//! names: ids are no secrets. What of it outlives the process is the store's part ([`crate::archive`]).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::sync::{lock, Mutex};

/// By what a response is known: whose it is, and its id, neither of which can be read from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseKey {
    /// Digest of the tenant.
    pub tenant: [u8; 32],
    /// Digest of the id.
    pub id: [u8; 32],
}

impl ResponseKey {
    /// Of a tenant's response.
    pub fn of(tenant: &str, id: &str) -> ResponseKey {
        ResponseKey {
            tenant: blake3::derive_key("hoosh: the tenant of a response", tenant.as_bytes()),
            id: blake3::derive_key("hoosh: the id of a response", id.as_bytes()),
        }
    }
}

impl std::fmt::Debug for ResponseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ResponseKey").field(&blake3::Hash::from_bytes(self.id).to_hex()).finish()
    }
}

/// What is kept of one response. `Debug` shows none of it: it is what people said.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    /// The JSON array of all items that led to it, its own output included.
    pub items: Bytes,
    /// The `input` of its whole request.
    pub input: Bytes,
    /// The response itself.
    pub response: Bytes,
    /// Until when it is kept, microseconds since 1970.
    pub until_us: i64,
}

impl Turn {
    /// How much it is.
    pub fn bytes(&self) -> u64 {
        (self.items.len() + self.input.len() + self.response.len()) as u64
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("bytes", &self.bytes()).field("until_us", &self.until_us).finish_non_exhaustive()
    }
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    turns: BTreeMap<ResponseKey, (u64, Turn)>,
    /// The oldest first; those that are gone since, or others now, among them.
    order: VecDeque<(ResponseKey, u64)>,
    bytes: u64,
    last: u64,
}

impl History {
    /// Keeps a turn, within `most` bytes of all.
    pub fn keep(&self, key: ResponseKey, turn: Turn, most: u64) {
        let size = turn.bytes();
        if size > most {
            return;
        }
        let mut kept = lock(&self.0);
        kept.last += 1;
        let number = kept.last;
        kept.forget(&key);
        kept.bytes += size;
        kept.turns.insert(key, (number, turn));
        kept.order.push_back((key, number));
        while kept.bytes > most {
            let Some((oldest, number)) = kept.order.pop_front() else { break };
            if kept.turns.get(&oldest).is_some_and(|(own, _)| *own == number) {
                kept.forget(&oldest);
            }
        }
        // Places of turns that are gone are few: each was pushed by a turn that was kept.
        if kept.order.len() > 2 * kept.turns.len() + 16 {
            let Kept { turns, order, .. } = &mut *kept;
            order.retain(|(key, number)| turns.get(key).is_some_and(|(own, _)| own == number));
        }
    }

    /// What is kept of a response at `now_us` since 1970.
    pub fn find(&self, key: &ResponseKey, now_us: i64) -> Option<Turn> {
        let kept = lock(&self.0);
        kept.turns.get(key).map(|(_, turn)| turn).filter(|turn| turn.until_us > now_us).cloned()
    }

    /// Forgets it; whether it was there.
    pub fn forget(&self, key: &ResponseKey) -> bool {
        lock(&self.0).forget(key)
    }

    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        lock(&self.0).bytes
    }
}

impl Kept {
    fn forget(&mut self, key: &ResponseKey) -> bool {
        let Some((_, turn)) = self.turns.remove(key) else { return false };
        self.bytes -= turn.bytes();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a";

    fn key(id: &str) -> ResponseKey {
        ResponseKey::of(A, id)
    }

    fn turn(bytes: usize) -> Turn {
        Turn { items: Bytes::from(vec![b' '; bytes]), input: Bytes::new(), response: Bytes::new(), until_us: 10 }
    }

    #[test]
    fn what_one_tenant_kept_no_other_finds() {
        let (history, others) = (History::default(), ResponseKey::of("b", "resp_1"));
        history.keep(key("resp_1"), turn(3), 100);
        assert_eq!(history.find(&key("resp_1"), 0), Some(turn(3)));
        assert_eq!(history.find(&others, 0), None);
        assert!(!history.forget(&others) && history.forget(&key("resp_1")));
        assert_eq!((history.find(&key("resp_1"), 0), history.bytes()), (None, 0));
    }

    #[test]
    fn it_is_kept_until_its_time_is_over() {
        let history = History::default();
        history.keep(key("resp_1"), turn(3), 100);
        assert_eq!(history.find(&key("resp_1"), 9), Some(turn(3)));
        assert_eq!(history.find(&key("resp_1"), 10), None);
    }

    #[test]
    fn the_oldest_go_first_and_what_is_larger_than_all_is_not_kept() {
        let history = History::default();
        let find = |id| history.find(&key(id), 0);
        for id in ["1", "2", "3"] {
            history.keep(key(id), turn(40), 100);
        }
        assert_eq!((find("1"), find("3").is_some()), (None, true));
        history.keep(key("2"), turn(60), 100);
        assert_eq!((find("2"), find("3")), (Some(turn(60)), Some(turn(40))));
        history.keep(key("4"), turn(101), 100);
        assert_eq!((find("4"), history.bytes()), (None, 100));
        for _ in 0..1000 {
            history.keep(key("2"), turn(60), 100);
        }
        assert!(lock(&history.0).order.len() < 40);
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = Turn { items: Bytes::from_static(b"secret"), ..turn(0) };
        assert_eq!(format!("{secret:?}"), "Turn { bytes: 6, until_us: 10, .. }");
    }
}
