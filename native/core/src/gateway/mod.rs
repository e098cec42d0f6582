//! What exchanges share.

use crate::clock::Now;
use crate::config::Config;
use crate::exchange::Exchange;
use crate::http::UpstreamRequest;
use crate::store;
use crate::sync::Arc;
use crate::wake::Waker;
use bytes::Bytes;

/// What the process's one gateway loop must do.
#[derive(Debug)]
pub enum LoopStep {
    /// Ask an upstream something on the gateway's own account.
    Fetch {
        /// Handle.
        id: u64,
        /// What.
        request: UpstreamRequest,
    },
    /// Drop a fetch; its answer is no longer wanted.
    Cancel {
        /// Handle.
        id: u64,
    },
    /// Have the store perform.
    Store {
        /// Handle.
        id: u64,
        /// What.
        op: store::Op,
    },
    /// Nothing until `done`, the loop's waker, or this time.
    Wait {
        /// Monotonic microseconds.
        until_us: Option<u64>,
    },
}

/// How a [`LoopStep`] ended.
#[derive(Debug)]
pub enum LoopResult {
    /// Status and body, or why there is none.
    Fetched(Result<(u16, Bytes), String>),
    /// What the store said.
    Stored(store::Outcome),
}

/// Shared by all exchanges of a process.
#[derive(Debug)]
pub struct Gateway {}

impl Gateway {
    /// From a checked configuration. Equal seeds and doors give equal traces.
    pub fn new(_config: Config, _seed: u64) -> Arc<Gateway> {
        Arc::new(Gateway {})
    }
    /// Who wakes the loop.
    pub fn set_waker(&self, _waker: Waker) {}
    /// A new exchange. `lane`: the driver thread's number, so that threads share no counters.
    pub fn exchange(self: &Arc<Self>, waker: Waker, lane: usize) -> Exchange {
        Exchange::new(self.clone(), waker, lane)
    }
    /// What the loop must do now.
    pub fn next(&self, _now: Now) -> LoopStep {
        LoopStep::Wait { until_us: None }
    }
    /// A step ended.
    pub fn done(&self, _id: u64, _result: LoopResult) {}
    /// A new configuration for exchanges that begin from now on.
    pub fn reload(&self, _config: Config) {}
    /// No new exchange is admitted; those in progress end.
    pub fn drain(&self) {}
    /// Exchanges begun and not over.
    pub fn open_exchanges(&self) -> usize {
        0
    }
}
