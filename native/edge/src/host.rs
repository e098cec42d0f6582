//! The engine host: whoever answers in this process and is no Rust, in an event loop of its own.
//!
//! Threads of the edge put [`Ask`]s into one queue and wake the host, which takes them when it likes, and tells of each call
//! through its [`Line`]. Nobody here waits for it, and no interpreter lock is known.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hoosh_core::config::CredentialSource;
use hoosh_core::dialects::neutral::{Item, Request};
use hoosh_core::error::Failure;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Headers, UpstreamRequest};
use hoosh_core::wake::Waker;

/// What the host must do.
pub enum Ask {
    /// Have an engine answer, or run the callables of a provider, as [`hoosh_core::exchange::Step::Call`] says.
    Call {
        /// The call's own number.
        number: u64,
        /// Who asked, where that is a caller of this process ([`crate::inside::Question`]); else 0.
        caller: u64,
        /// The engine's, or the provider's, name.
        name: Arc<str>,
        /// What is asked.
        request: Request,
        /// Where to tell what happens.
        line: Arc<Line>,
    },
    /// So many more bytes are wanted of a call.
    Credit {
        /// Which.
        number: u64,
        /// Bytes.
        credit: usize,
    },
    /// Nothing more is wanted of a call.
    Abort {
        /// Which.
        number: u64,
    },
    /// Fetch for the gateway's loop, with the callables of a provider in front; told by `Gateway::done`.
    Fetch {
        /// The loop's own.
        id: u64,
        /// What to send.
        request: UpstreamRequest,
        /// The provider.
        hooked: Arc<str>,
    },
    /// Read a credential for the gateway's loop; told by `Gateway::done`.
    Read {
        /// The loop's own.
        id: u64,
        /// Where it is.
        source: CredentialSource,
    },
    /// A fetch or a reading is not wanted any more.
    Cancel {
        /// The loop's own.
        id: u64,
    },
}

/// What the host says of a call: the doors of an exchange.
pub enum Told {
    /// See [`hoosh_core::exchange::Exchange::connected`].
    Connected,
    /// See `sent`.
    Sent,
    /// See `head`.
    Head(u16, Headers),
    /// See `data`.
    Data(Bytes),
    /// See `delta`.
    Delta(Item),
    /// See `end`.
    End,
    /// See `failed`.
    Failed(Stage, bool),
    /// See `declined`.
    Declined(Failure),
}

/// The way back from the host to one exchange.
pub struct Line {
    told: Mutex<Vec<Told>>,
    waker: Waker,
}

impl Line {
    pub(crate) fn new(waker: Waker) -> Arc<Line> {
        Arc::new(Line { told: Mutex::default(), waker })
    }

    /// Tells the exchange. From any thread.
    pub fn tell(&self, told: Told) {
        lock(&self.told).push(told);
        self.waker.wake();
    }

    pub(crate) fn take(&self) -> Vec<Told> {
        std::mem::take(&mut lock(&self.told))
    }
}

/// The queue to the host.
#[derive(Default)]
pub struct Host {
    asks: Mutex<VecDeque<Ask>>,
    waker: Mutex<Option<Waker>>,
    numbers: AtomicU64,
}

impl Host {
    /// Has `waker` called whenever there is something to take; at once if something was asked before.
    pub fn open(&self, waker: Waker) {
        *lock(&self.waker) = Some(waker.clone());
        // After that: whoever asks looks for the waker behind the queue.
        let is_asked = !lock(&self.asks).is_empty();
        if is_asked {
            waker.wake();
        }
    }

    /// What is to be done.
    pub fn take(&self) -> VecDeque<Ask> {
        std::mem::take(&mut lock(&self.asks))
    }

    pub(crate) fn put(&self, ask: Ask) {
        lock(&self.asks).push_back(ask);
        let waker = lock(&self.waker).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
