//! The vocabulary between the gateway's loop and its driver, as `exchange/step.rs` is that of an exchange.

use bytes::Bytes;

use crate::config::{CredentialSource, Secret};
use crate::http::UpstreamRequest;
use crate::store;
use crate::sync::Arc;

/// What the process's one gateway loop must do.
#[derive(Debug)]
pub enum LoopStep {
    /// Ask an upstream something on the gateway's own account.
    Fetch {
        /// Handle for `done`.
        id: u64,
        /// What to send.
        request: UpstreamRequest,
        /// The provider whose callables are asked for the credential first.
        hooked: Option<Arc<str>>,
    },
    /// Drop a fetch or a reading; its answer is no longer wanted.
    Cancel {
        /// Its handle.
        id: u64,
    },
    /// Add these lines to the log, in a way that keeps nobody waiting: a full pipe stops only the log. No other batch
    /// comes before this one was answered, however long that takes.
    Log {
        /// Handle for `done`. Batches are counted by themselves: a fetch or an operation of the store may have this number too.
        id: u64,
        /// Whole lines, each with its line feed.
        lines: Bytes,
        /// The file that they are added to, made if it is not there; opened anew for each batch, so that it may be moved
        /// away. `None`: the standard error.
        file: Option<Arc<str>>,
    },
    /// Have the store perform.
    Store {
        /// Handle for `done`.
        id: u64,
        /// What to do.
        op: store::Op,
    },
    /// Read a credential again, where it is said to be; nobody waits for it, so that it may block only a thread of its own.
    /// What it says, whatever that is, goes to `done` and nowhere else. A driver that cannot says so.
    Read {
        /// Handle for `done`.
        id: u64,
        /// Where it is.
        source: CredentialSource,
    },
    /// Nothing until `done`, the loop's waker, or this time.
    Wait {
        /// Microseconds on [`Now::mono_us`](crate::clock::Now::mono_us).
        until_us: Option<u64>,
    },
    /// [`Gateway::close`](super::Gateway::close) is done: nothing is left to be stored. Nothing else comes until
    /// [`Gateway::set_waker`](super::Gateway::set_waker).
    Over,
}

/// How a [`LoopStep`] ended.
#[derive(Debug)]
pub enum LoopResult {
    /// Status and body, or why there is none.
    Fetched(Result<(u16, Bytes), String>),
    /// What the store said.
    Stored(store::Outcome),
    /// The lines are written, or why they are not.
    Logged(Result<(), String>),
    /// A credential's text as it was read, or why it was not, in words that quote nothing of it and are logged.
    Read(Result<Secret, String>),
}
