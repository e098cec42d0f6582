//! How an exchange that waits for another is told to look again.
//!
//! Rules (architecture: "Waiting on others"): a wake is level-triggered, may come before `Wait` was returned, may be
//! spurious, and may come from any thread or a destructor. Nobody holds a lock of this crate while waking.

use crate::sync::Arc;

/// What a driver hands each exchange. `wake` must be cheap, must not block and must not call back into the exchange.
pub trait Wake: Send + Sync {
    /// Have `next` called again soon.
    fn wake(&self);
}

/// A shared [`Wake`].
pub type Waker = Arc<dyn Wake>;

/// Wakes nobody: for drivers and tests that poll.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoWake;

impl Wake for NoWake {
    fn wake(&self) {}
}
