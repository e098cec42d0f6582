//! The idle connections of one thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hoosh_core::http::Origin;
use tokio::time::Instant;

use crate::connection::Connection;

/// Idle connections kept in all; each is a descriptor here and a place at an upstream.
const MOST_IDLE: usize = 1_024;
/// How long a connection may be idle: less than most servers keep theirs (nginx 75 s, load balancers 60 s), so that few are
/// closed under a request. One that was is told as such, and the core decides.
const IDLE: Duration = Duration::from_secs(30);

/// All connections of one thread that no attempt has.
#[derive(Default)]
pub struct Upstreams {
    idle: RefCell<HashMap<Arc<Origin>, Vec<Connection>>>,
}

impl Upstreams {
    /// An idle connection that still stands. The latest is the least likely to have been closed by its peer.
    pub(crate) fn take(&self, origin: &Arc<Origin>) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(origin)?;
        while let Some(connection) = idle.pop() {
            if !connection.sender.is_closed() && connection.idle_since.elapsed() < IDLE {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(crate) fn give_back(&self, origin: &Arc<Origin>, mut connection: Connection) {
        connection.used = true;
        connection.idle_since = Instant::now();
        let mut idle = self.idle.borrow_mut();
        if !idle.contains_key(origin) {
            idle.insert(origin.clone(), Vec::new());
        }
        if let Some(idle) = idle.get_mut(origin).filter(|idle| idle.len() < MOST_IDLE) {
            idle.push(connection);
        }
    }

    /// One connection was closed by its peer: those that were idle for as long are no better.
    pub(crate) fn forget(&self, origin: &Arc<Origin>, stale: &Connection) {
        if let Some(idle) = self.idle.borrow_mut().get_mut(origin) {
            idle.retain(|connection| connection.idle_since > stale.idle_since);
        }
    }

    /// Closes what was idle for long enough. To be called now and then.
    pub fn expire(&self) {
        self.idle.borrow_mut().retain(|_, idle| {
            idle.retain(|connection| !connection.sender.is_closed() && connection.idle_since.elapsed() < IDLE);
            !idle.is_empty()
        });
    }
}
