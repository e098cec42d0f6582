//! Responses as a store in memory keeps them: the plain form of what every store does with [`Op::Remember`] and
//! [`Op::Recall`].
//!
//! [`Op::Remember`]: super::Op::Remember
//! [`Op::Recall`]: super::Op::Recall

use std::collections::BTreeMap;

use super::{Bounds, Change, Recalled};
use crate::history::{ResponseKey, Turn};
use crate::homes::{Home, Known};

/// Turns and homes, each with its number: the newest has the largest.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    turns: BTreeMap<ResponseKey, (u64, Turn)>,
    homes: BTreeMap<ResponseKey, (u64, Home)>,
    last: u64,
}

impl Shelf {
    /// Does what [`super::Op::Remember`] says.
    pub fn remember(&mut self, changes: Vec<Change>, bounds: Bounds) {
        for change in changes {
            self.last += 1;
            match change {
                Change::KeepTurn(key, turn) => drop(self.turns.insert(key, (self.last, turn))),
                Change::ForgetTurn(key) => drop(self.turns.remove(&key)),
                Change::KeepHome(key, home) => drop(self.homes.insert(key, (self.last, home))),
                Change::ForgetHome(key) => drop(self.homes.remove(&key)),
                Change::ForgetTurns => self.turns.clear(),
            }
        }
        self.turns.retain(|_, (_, turn)| turn.until_us > bounds.now_us);
        while self.turn_bytes() > bounds.turn_bytes {
            drop_oldest(&mut self.turns);
        }
        while self.homes.len() as u64 > bounds.homes {
            drop_oldest(&mut self.homes);
        }
    }

    /// Does what [`super::Op::Recall`] says.
    pub fn recall(&self, key: &ResponseKey, now_us: i64) -> Recalled {
        let turn = self.turns.get(key).map(|(_, turn)| turn.clone()).filter(|turn| turn.until_us > now_us);
        let home = match self.homes.get(key) {
            Some((_, home)) => Known::Own(home.clone()),
            None if self.homes.keys().any(|other| other.id == key.id) => Known::Others,
            None => Known::Nobody,
        };
        Recalled { turn, home }
    }

    /// Bytes of all turns.
    pub fn turn_bytes(&self) -> u64 {
        self.turns.values().map(|(_, turn)| turn.bytes()).sum()
    }
}

fn drop_oldest<T>(kept: &mut BTreeMap<ResponseKey, (u64, T)>) {
    let oldest = kept.iter().min_by_key(|(_, (number, _))| *number).map(|(key, _)| *key);
    if let Some(key) = oldest {
        kept.remove(&key);
    }
}
