//! Which upstream keeps a response of the Responses API, so that whoever asks for it later is sent there and to nobody else.
//!
//! In memory and bounded: the oldest are forgotten first. What one tenant's response is no other may ask for, although one
//! credential at the upstream stands for all of them.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use crate::sync::{lock, Arc, Mutex};

/// Responses that are remembered; each takes some 150 bytes.
const MOST: usize = 65_536;

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
    pub fn remember(&self, tenant: &str, id: &str, home: Home) {
        let (id, tenant) = (digest(id), digest(tenant));
        let mut kept = lock(&self.0);
        kept.forget(&id, |entry| entry.tenant == tenant);
        kept.last += 1;
        let number = kept.last;
        kept.homes.entry(id).or_default().push(Entry { tenant, number, home });
        kept.count += 1;
        kept.order.push_back((id, number));
        // Places of what was forgotten since are no more than there are others.
        while kept.count > MOST || kept.order.len() > 2 * MOST {
            let Some((oldest, number)) = kept.order.pop_front() else { break };
            kept.forget(&oldest, |entry| entry.number == number);
        }
    }

    /// Where it is.
    pub fn find(&self, tenant: &str, id: &str) -> Known {
        let kept = lock(&self.0);
        let Some(entries) = kept.homes.get(&digest(id)) else { return Known::Nobody };
        let tenant = digest(tenant);
        let own = entries.iter().find(|entry| entry.tenant == tenant);
        own.map_or(Known::Others, |entry| Known::Own(entry.home.clone()))
    }

    /// It is no more.
    pub fn forget(&self, tenant: &str, id: &str) {
        let tenant = digest(tenant);
        lock(&self.0).forget(&digest(id), |entry| entry.tenant == tenant);
    }

    /// Whether its cost is still owed; from now on it is not.
    pub fn settle(&self, tenant: &str, id: &str) -> bool {
        let tenant = digest(tenant);
        let mut kept = lock(&self.0);
        let entries = kept.homes.get_mut(&digest(id));
        let own = entries.and_then(|entries| entries.iter_mut().find(|entry| entry.tenant == tenant));
        own.is_some_and(|entry| std::mem::take(&mut entry.home.owed))
    }
}

impl Kept {
    fn forget(&mut self, id: &Digest, which: impl Fn(&Entry) -> bool) {
        let Some(entries) = self.homes.get_mut(id) else { return };
        let before = entries.len();
        entries.retain(|entry| !which(entry));
        self.count -= before - entries.len();
        if entries.is_empty() {
            self.homes.remove(id);
        }
    }
}

fn digest(text: &str) -> Digest {
    *blake3::hash(text.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(provider: &str) -> Home {
        Home { provider: provider.into(), credential: 0, asked: "m".into(), model: "m".into(), owed: true }
    }

    #[test]
    fn a_response_is_at_home_for_its_tenant_alone() {
        let homes = Homes::default();
        homes.remember("a", "resp_1", home("one"));
        assert_eq!(homes.find("a", "resp_1"), Known::Own(home("one")));
        assert_eq!((homes.find("b", "resp_1"), homes.find("b", "resp_2")), (Known::Others, Known::Nobody));
        homes.remember("b", "resp_1", home("two"));
        assert_eq!(homes.find("a", "resp_1"), Known::Own(home("one")), "the same number is two responses");
        homes.forget("b", "resp_1");
        assert_eq!(homes.find("b", "resp_1"), Known::Others);
        assert!(!homes.settle("b", "resp_1") && homes.settle("a", "resp_1") && !homes.settle("a", "resp_1"));
        homes.forget("a", "resp_1");
        assert_eq!(homes.find("a", "resp_1"), Known::Nobody);
    }

    #[test]
    fn they_are_bounded_and_the_oldest_are_forgotten() {
        let homes = Homes::default();
        for at in 0..MOST + 10 {
            homes.remember("a", &at.to_string(), home("one"));
        }
        assert_eq!((homes.find("a", "9"), homes.find("a", "10")), (Known::Nobody, Known::Own(home("one"))));
        for _ in 0..3 * MOST {
            homes.remember("a", "again", home("one"));
        }
        let kept = lock(&homes.0);
        assert!(kept.order.len() <= 2 * MOST && kept.count <= MOST);
        assert_eq!(kept.count, kept.homes.values().map(|entries| entries.len()).sum::<usize>());
    }
}
