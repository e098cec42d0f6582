//! The idle connections of one thread.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hoosh_core::http::Origin;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::settings::Settings;
use crate::tls::Trust;

/// All connections of one thread that no attempt has.
pub struct Upstreams {
    settings: Settings,
    /// Of each origin, in the order in which they became idle.
    idle: RefCell<HashMap<Arc<Origin>, VecDeque<Box<Connection>>, RandomState>>,
    count: Cell<usize>,
    given_back: Cell<u32>,
}

impl Default for Upstreams {
    fn default() -> Upstreams {
        Upstreams::new(Settings::default())
    }
}

impl Upstreams {
    /// Without any connection yet. Threads that share settings share what is known of TLS.
    pub fn new(settings: Settings) -> Upstreams {
        Upstreams { settings, idle: RefCell::default(), count: Cell::new(0), given_back: Cell::new(0) }
    }

    /// How many connections are idle.
    pub fn idle(&self) -> usize {
        self.count.get()
    }

    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.settings.trust
    }

    /// An idle connection that still stands. The latest is the least likely to have been closed by its peer.
    pub(crate) fn take(&self, origin: &Arc<Origin>) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(origin)?;
        let now = Instant::now();
        while let Some(connection) = idle.pop_back() {
            self.count.set(self.count.get() - 1);
            if self.is_fresh(&connection, now) && connection.stands() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(crate) fn give_back(&self, origin: &Arc<Origin>, mut connection: Box<Connection>) {
        let now = Instant::now();
        if !connection.used {
            connection.born = connection.born.checked_sub(self.lead()).unwrap_or(connection.born);
        }
        connection.used = true;
        connection.idle_since = now;
        // What comes behind the answer is looked for when it is taken.
        if !self.is_fresh(&connection, now) || !connection.is_ready() {
            return;
        }
        let mut all = self.idle.borrow_mut();
        if !all.contains_key(origin) {
            all.insert(origin.clone(), VecDeque::new());
        }
        let Some(idle) = all.get_mut(origin) else { return };
        if idle.len() >= self.settings.most_idle_of_one {
            idle.pop_front();
            self.count.set(self.count.get() - 1);
        }
        idle.push_back(connection);
        self.count.set(self.count.get() + 1);
        if self.count.get() > self.settings.most_idle {
            let longest = all.values_mut().min_by_key(|idle| idle.front().map_or(now, |first| first.idle_since));
            longest.and_then(VecDeque::pop_front);
            self.count.set(self.count.get() - 1);
        }
    }

    /// One connection was closed by its peer: those that were idle for as long are no better.
    pub(crate) fn forget(&self, origin: &Arc<Origin>, stale: &Connection) {
        if let Some(idle) = self.idle.borrow_mut().get_mut(origin) {
            let before = idle.len();
            idle.retain(|connection| connection.idle_since > stale.idle_since);
            self.count.set(self.count.get() - (before - idle.len()));
        }
    }

    /// Closes what was idle for long enough, is old, or was closed by its peer. To be called now and then.
    pub fn expire(&self) {
        let (now, mut count) = (Instant::now(), 0);
        self.idle.borrow_mut().retain(|_, idle| {
            idle.retain(|connection| self.is_fresh(connection, now) && connection.stands());
            count += idle.len();
            !idle.is_empty()
        });
        self.count.set(count);
    }

    fn is_fresh(&self, connection: &Connection, now: Instant) -> bool {
        now - connection.idle_since < self.settings.idle && now - connection.born < self.settings.age
    }

    /// By how much a connection ages before its time, up to a fifth: those that were made together must not end together. The
    /// multiples of the golden ratio spread more evenly than chance.
    fn lead(&self) -> Duration {
        let next = self.given_back.get().wrapping_add(0x9e37_79b9);
        self.given_back.set(next);
        self.settings.age.mul_f64(f64::from(next) / f64::from(u32::MAX) / 5.0)
    }
}
