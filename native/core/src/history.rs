//! Turns of the Responses API that callers go on from by `previous_response_id`, over upstreams that keep nothing.
//!
//! Kept in memory, within bounds: the oldest go first. What a tenant kept nobody else finds, whatever id it names: ids are
//! no secrets.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::sync::{lock, Mutex};

/// A digest of a tenant and the id of a response.
type Key = [u8; 32];

/// What is kept of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The JSON array of all items that led to it, its own output included.
    pub items: Bytes,
    /// The `input` of its whole request.
    pub input: Bytes,
    /// The response itself.
    pub response: Bytes,
}

impl Turn {
    fn bytes(&self) -> u64 {
        (self.items.len() + self.input.len() + self.response.len()) as u64
    }
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    turns: BTreeMap<Key, (u64, Turn)>,
    /// The oldest first; those that are gone since, or others now, among them.
    order: VecDeque<(Key, u64)>,
    bytes: u64,
    last: u64,
}

impl History {
    /// Keeps a turn, within `most` bytes of all.
    pub fn keep(&self, tenant: &str, id: &str, turn: Turn, most: u64) {
        let size = turn.bytes();
        if size > most {
            return;
        }
        let mut kept = lock(&self.0);
        kept.last += 1;
        let (key, number) = (key_of(tenant, id), kept.last);
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

    /// What a tenant kept under an id.
    pub fn find(&self, tenant: &str, id: &str) -> Option<Turn> {
        lock(&self.0).turns.get(&key_of(tenant, id)).map(|(_, turn)| turn.clone())
    }

    /// Forgets it; whether it was there.
    pub fn forget(&self, tenant: &str, id: &str) -> bool {
        lock(&self.0).forget(&key_of(tenant, id))
    }

    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        lock(&self.0).bytes
    }
}

impl Kept {
    fn forget(&mut self, key: &Key) -> bool {
        let Some((_, turn)) = self.turns.remove(key) else { return false };
        self.bytes -= turn.bytes();
        true
    }
}

fn key_of(tenant: &str, id: &str) -> Key {
    let mut hasher = blake3::Hasher::new_derive_key("hoosh: a tenant and the id of a response");
    hasher.update(&(tenant.len() as u64).to_le_bytes()).update(tenant.as_bytes()).update(id.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(bytes: usize) -> Turn {
        Turn { items: Bytes::from(vec![b' '; bytes]), input: Bytes::new(), response: Bytes::new() }
    }

    #[test]
    fn what_one_tenant_kept_no_other_finds() {
        let history = History::default();
        history.keep("a", "resp_1", turn(3), 100);
        assert_eq!(history.find("a", "resp_1"), Some(turn(3)));
        assert_eq!(history.find("b", "resp_1"), None);
        assert!(!history.forget("b", "resp_1") && history.forget("a", "resp_1"));
        assert_eq!((history.find("a", "resp_1"), history.bytes()), (None, 0));
    }

    #[test]
    fn the_oldest_go_first_and_what_is_larger_than_all_is_not_kept() {
        let history = History::default();
        for id in ["1", "2", "3"] {
            history.keep("a", id, turn(40), 100);
        }
        assert_eq!((history.find("a", "1"), history.find("a", "3").is_some()), (None, true));
        history.keep("a", "2", turn(60), 100);
        assert_eq!((history.find("a", "2"), history.find("a", "3")), (Some(turn(60)), Some(turn(40))));
        history.keep("a", "4", turn(101), 100);
        assert_eq!((history.find("a", "4"), history.bytes()), (None, 100));
        for _ in 0..1000 {
            history.keep("a", "2", turn(60), 100);
        }
        assert!(lock(&history.0).order.len() < 40);
    }
}
