//! What was answered under an `Idempotency-Key`, given again to who asks again.
//!
//! Keys of any length are digests here, and so are bodies: memory is bounded by what is answered. A request that is first
//! holds a [`Claim`]; dropped without a result it leaves nothing, so that the next may try. Results go in the order of
//! their coming, which is that of their expiry too. One lock: only requests with the header meet it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::config::Idempotency;
use crate::http::Headers;
use crate::metrics::CacheResult;
use crate::sync::{lock, Arc, Mutex};

/// A digest of who asks, where, and under which key; or of a body.
pub type Digest = [u8; 32];

/// Final words to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// A whole body, or an event stream.
    pub body: Bytes,
    /// It is an event stream.
    pub stream: bool,
    /// What its headers said.
    pub marks: Marks,
}

/// What the headers of an answer say of it, beside what those of every request say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `content-type` of a whole body; there may be none.
    pub content_type: Option<Bytes>,
    /// `content-disposition`.
    pub disposition: Option<Bytes>,
    /// `x-hoosh-model`.
    pub answered_by: Option<Bytes>,
    /// `x-hoosh-cache`.
    pub cache: Option<CacheResult>,
    /// `x-hoosh-max-tokens`.
    pub capped: Option<u64>,
    /// The upstream's own that are passed on.
    pub passed: Headers,
}

impl Said {
    fn bytes(&self) -> u64 {
        let Marks { content_type, disposition, answered_by, cache: _, capped: _, passed } = &self.marks;
        let own = [content_type, disposition, answered_by].into_iter().flatten().map(Bytes::len).sum::<usize>();
        let passed = passed.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        (self.body.len() + own + passed) as u64
    }
}

/// How a request stands to what is remembered.
#[derive(Debug)]
pub enum Standing {
    /// Nobody asked this under the key, or nothing is left of it: the request goes on.
    First(Claim),
    /// It was answered.
    Answered(Arc<Said>),
    /// It is being answered.
    Running,
    /// The key was used for another request.
    Mismatch,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    entries: BTreeMap<Digest, Entry>,
    /// Entries with a result, the oldest first; those that are gone since, or others now, among them.
    order: VecDeque<(Digest, u64)>,
    bytes: u64,
    last: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    body: Digest,
    /// `None`: it is being answered.
    said: Option<Arc<Said>>,
    expires_us: u64,
}

/// The right and duty to answer first.
#[derive(Debug)]
pub struct Claim {
    all: Arc<Remembered>,
    key: Digest,
    number: u64,
}

impl Remembered {
    /// Looks up `key`, and claims it if nothing stands against that.
    pub fn ask(self: &Arc<Self>, key: Digest, body: Digest, now_us: u64) -> Standing {
        let mut known = lock(&self.0);
        known.expire(now_us);
        match known.entries.get(&key) {
            Some(entry) if entry.body != body => return Standing::Mismatch,
            Some(Entry { said: Some(said), .. }) => return Standing::Answered(said.clone()),
            Some(_) => return Standing::Running,
            None => {}
        }
        known.last += 1;
        let number = known.last;
        known.entries.insert(key, Entry { number, body, said: None, expires_us: 0 });
        Standing::First(Claim { all: self.clone(), key, number })
    }
}

impl Claim {
    /// Remembers what was said, within `bounds`: the oldest goes first, and what is larger than all is not kept.
    pub fn keep(self, said: Said, bounds: &Idempotency, now_us: u64) {
        let bytes = said.bytes();
        if bytes > bounds.max_bytes {
            return;
        }
        let expires_us = now_us.saturating_add(bounds.ttl_secs.saturating_mul(crate::clock::SECOND));
        let mut known = lock(&self.all.0);
        let Some(entry) = known.entries.get_mut(&self.key).filter(|entry| entry.number == self.number) else { return };
        (entry.said, entry.expires_us) = (Some(Arc::new(said)), expires_us);
        known.bytes += bytes;
        known.order.push_back((self.key, self.number));
        while known.bytes > bounds.max_bytes || known.order.len() > bounds.max_entries {
            known.forget_oldest();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut known = lock(&self.all.0);
        let open = |entry: &Entry| entry.number == self.number && entry.said.is_none();
        if known.entries.get(&self.key).is_some_and(open) {
            known.entries.remove(&self.key);
        }
    }
}

impl Known {
    fn expire(&mut self, now_us: u64) {
        while let Some((key, _)) = self.order.front() {
            if self.entries.get(key).is_some_and(|entry| entry.said.is_some() && entry.expires_us > now_us) {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((key, number)) = self.order.pop_front() else { return };
        if self.entries.get(&key).is_some_and(|entry| entry.number == number) {
            let said = self.entries.remove(&key).and_then(|entry| entry.said);
            self.bytes -= said.map_or(0, |said| said.bytes());
        }
    }
}
