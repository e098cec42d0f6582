//! Which upstream keeps a response of the Responses API, so that whoever asks for it later is sent there and to nobody else.
//!
//! In memory and bounded: the oldest are forgotten first; what of it outlives the process is the store's part
//! ([`crate::archive`]). What one tenant's response is no other may ask for, although one credential at the upstream stands
//! for all of them.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use crate::history::ResponseKey;
use crate::sync::{lock, Arc, Mutex};

/// Responses that are remembered; each takes some 150 bytes.
pub(crate) const MOST: usize = 65_536;

type Digest = [u8; 32];

/// Where a response is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The provider's name.
    pub provider: Arc<str>,
    /// Which of its credentials, from 0.
    pub credential: u16,
    /// The model as the caller named it.
    pub asked: Arc<str>,
    /// As the provider knows it.
    pub model: Arc<str>,
    /// It is made in the background, and nobody knows yet what it cost.
    pub owed: bool,
}

/// What is known of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The tenant's own.
    Own(Home),
    /// Somebody else's.
    Others,
    /// Nobody made it through here, or that is forgotten.
    Nobody,
}

/// All that are remembered.
#[derive(Debug, Default)]
pub struct Homes(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By the digest of the id. Servers that number their responses from 1 may give one id to two tenants.
    homes: BTreeMap<Digest, SmallVec<[Entry; 1]>>,
    /// The oldest first; those that are forgotten since, or others now, among them.
    order: VecDeque<(Digest, u64)>,
    last: u64,
    count: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    tenant: Digest,
    number: u64,
    home: Home,
}

impl Homes {
    /// Remembers where a tenant's response is.
    pub fn remember(&self, key: &ResponseKey, home: Home) {
        let mut kept = lock(&self.0);
        kept.forget(&key.id, |entry| entry.tenant == key.tenant);
        kept.add(key, home);
    }

    /// The same of one that the store knew, unless more is known here by now.
    pub fn recall(&self, key: &ResponseKey, home: Home) {
        let mut kept = lock(&self.0);
        if kept.own(key).is_none() {
            kept.add(key, home);
        }
    }

    /// Where it is.
    pub fn find(&self, key: &ResponseKey) -> Known {
        let kept = lock(&self.0);
        let Some(entries) = kept.homes.get(&key.id) else { return Known::Nobody };
        let own = entries.iter().find(|entry| entry.tenant == key.tenant);
        own.map_or(Known::Others, |entry| Known::Own(entry.home.clone()))
    }

    /// It is no more; whether it was there.
    pub fn forget(&self, key: &ResponseKey) -> bool {
        lock(&self.0).forget(&key.id, |entry| entry.tenant == key.tenant)
    }

    /// Whether its cost is still owed: then where it is. From now on it is not.
    pub fn settle(&self, key: &ResponseKey) -> Option<Home> {
        let mut kept = lock(&self.0);
        let entry = kept.own(key).filter(|entry| entry.home.owed)?;
        entry.home.owed = false;
        Some(entry.home.clone())
    }
}

impl Kept {
    fn own(&mut self, key: &ResponseKey) -> Option<&mut Entry> {
        self.homes.get_mut(&key.id)?.iter_mut().find(|entry| entry.tenant == key.tenant)
    }

    fn add(&mut self, key: &ResponseKey, home: Home) {
        self.last += 1;
        let number = self.last;
        self.homes.entry(key.id).or_default().push(Entry { tenant: key.tenant, number, home });
        self.count += 1;
        self.order.push_back((key.id, number));
        // Places of what was forgotten since are no more than there are others.
        while self.count > MOST || self.order.len() > 2 * MOST {
            let Some((oldest, number)) = self.order.pop_front() else { break };
            self.forget(&oldest, |entry| entry.number == number);
        }
    }

    fn forget(&mut self, id: &Digest, which: impl Fn(&Entry) -> bool) -> bool {
        let Some(entries) = self.homes.get_mut(id) else { return false };
        let before = entries.len();
        entries.retain(|entry| !which(entry));
        let gone = before - entries.len();
        self.count -= gone;
        if entries.is_empty() {
            self.homes.remove(id);
        }
        gone > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(provider: &str) -> Home {
        Home { provider: provider.into(), credential: 0, asked: "m".into(), model: "m".into(), owed: true }
    }

    fn key(tenant: &str, id: &str) -> ResponseKey {
        ResponseKey::of(tenant, id)
    }

    #[test]
    fn a_response_is_at_home_for_its_tenant_alone() {
        let homes = Homes::default();
        let (a, b) = (key("a", "resp_1"), key("b", "resp_1"));
        homes.remember(&a, home("one"));
        assert_eq!(homes.find(&a), Known::Own(home("one")));
        assert_eq!((homes.find(&b), homes.find(&key("b", "resp_2"))), (Known::Others, Known::Nobody));
        homes.remember(&b, home("two"));
        assert_eq!(homes.find(&a), Known::Own(home("one")), "the same number is two responses");
        assert!(homes.forget(&b) && !homes.forget(&b));
        assert_eq!(homes.find(&b), Known::Others);
        let settled = Home { owed: false, ..home("one") };
        assert_eq!((homes.settle(&b), homes.settle(&a), homes.settle(&a)), (None, Some(settled), None));
        homes.forget(&a);
        assert_eq!(homes.find(&a), Known::Nobody);
    }

    #[test]
    fn what_the_store_knew_takes_the_place_of_nothing_newer() {
        let homes = Homes::default();
        let a = key("a", "resp_1");
        homes.recall(&a, home("one"));
        assert!(homes.settle(&a).is_some());
        homes.recall(&a, home("one"));
        assert_eq!(homes.settle(&a), None, "its cost would be booked twice");
    }

    #[test]
    fn they_are_bounded_and_the_oldest_are_forgotten() {
        let homes = Homes::default();
        for at in 0..MOST + 10 {
            homes.remember(&key("a", &at.to_string()), home("one"));
        }
        assert_eq!((homes.find(&key("a", "9")), homes.find(&key("a", "10"))), (Known::Nobody, Known::Own(home("one"))));
        for _ in 0..3 * MOST {
            homes.remember(&key("a", "again"), home("one"));
        }
        let kept = lock(&homes.0);
        assert!(kept.order.len() <= 2 * MOST && kept.count <= MOST);
        assert_eq!(kept.count, kept.homes.values().map(|entries| entries.len()).sum::<usize>());
    }
}
