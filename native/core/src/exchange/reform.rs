//! A kept answer in the form that its caller wants: one key holds for both, because each can be made of the other
//! ([`join`], [`retell`]). Where it cannot, the caller asks for itself.

use bytes::Bytes;

use super::gates::Gate;
use super::work::INLINE_BYTES;
use super::{Exchange, Move, Phase};
use crate::cache::Entry;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::{join, retell};
use crate::dialects::Dialect;
use crate::metrics::CacheResult;
use crate::sync::Arc;

/// A kept answer that is being put into another form.
pub(super) struct Reforming {
    entry: Arc<Entry>,
    result: CacheResult,
    /// Where the caller goes on if that cannot be done.
    otherwise: Gate,
}

/// What a caller wants of a kept answer.
#[derive(Clone, Copy)]
struct Form {
    dialect: Dialect,
    endpoint: Endpoint,
    stream: bool,
    with_usage: bool,
}

impl Form {
    fn is_of(self, entry: &Entry) -> bool {
        entry.stream == self.stream && (!self.stream || entry.with_usage == self.with_usage)
    }

    fn of(self, entry: &Entry) -> Option<Bytes> {
        if self.dialect != Dialect::NEUTRAL {
            return (entry.stream == self.stream).then(|| entry.body.clone());
        }
        let (body, usage) = (&entry.body, entry.usage.as_deref());
        let made = match (entry.stream, self.stream) {
            (true, true) if self.with_usage => retell::with_usage(body, usage?),
            (true, true) => retell::without_usage(body),
            (true, false) => join::whole_of(body, self.endpoint, usage),
            (false, true) => retell::stream_of(body, self.endpoint, self.with_usage, usage),
            (false, false) => return Some(body.clone()),
        };
        made.map(Bytes::from)
    }
}

impl Exchange {
    /// Gives a kept answer, in its own form or in the other. `otherwise`: where it goes on if there is no other.
    pub(super) fn give(&mut self, entry: Arc<Entry>, result: CacheResult, otherwise: Gate) -> Move {
        let form = self.form();
        if form.is_of(&entry) {
            let body = entry.body.clone();
            self.serve(&entry, body, result);
            return Move::Again;
        }
        let bytes = entry.body.len();
        self.holds.reforming = Some(Reforming { entry: entry.clone(), result, otherwise });
        if bytes <= INLINE_BYTES {
            self.take_reformed(form.of(&entry));
        } else {
            self.work(Phase::Reforming, bytes, move || form.of(&entry));
        }
        Move::Again
    }

    /// Whether a kept answer can be given in the form that the caller wants. Makes it, if it is not there.
    pub(super) fn can_be_given(&self, entry: &Entry) -> bool {
        let form = self.form();
        form.is_of(entry) || form.of(entry).is_some()
    }

    fn form(&self) -> Form {
        let facts = self.facts();
        Form {
            dialect: self.dialect(),
            endpoint: self.endpoint(),
            stream: facts.stream,
            with_usage: facts.include_usage,
        }
    }

    pub(super) fn take_reformed(&mut self, made: Option<Bytes>) {
        let Some(Reforming { entry, result, otherwise }) = self.holds.reforming.take() else { return };
        if let Some(body) = made {
            return self.serve(&entry, body, result);
        }
        self.account.cache = Some(CacheResult::Miss);
        // Whoever leads would be followed by those who want the kept form.
        self.holds.alone |= otherwise == Gate::Flight;
        self.phase = Phase::Gates(otherwise);
    }
}
