//! How an exchange that waits for another is told to look again.
//!
//! Rules (architecture: "Waiting on others"): a wake is level-triggered, may come before `Wait` was returned, may be
//! spurious, and may come from any thread or a destructor. Nobody holds a lock of this crate while waking.

use smallvec::SmallVec;

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

/// Who is to be woken as soon as no lock is held: all of them when this is dropped, so that no way out forgets one. Let
/// it outlive every guard.
#[derive(Default)]
pub struct Wakes(SmallVec<[Waker; 2]>);

impl Wakes {
    /// Wakes these too, later.
    pub fn add(&mut self, mut more: Wakes) {
        self.0.append(&mut more.0);
    }
}

impl Extend<Waker> for Wakes {
    fn extend<T: IntoIterator<Item = Waker>>(&mut self, wakers: T) {
        self.0.extend(wakers);
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|waker| waker.wake());
    }
}

impl std::fmt::Debug for Wakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Wakes").field(&self.0.len()).finish()
    }
}
