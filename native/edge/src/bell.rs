//! What wakes a task: from any thread, early, late or twice.

use std::sync::Arc;

use atomic_waker::AtomicWaker;
use hoosh_core::wake::Wake;
use tokio::sync::Notify;

/// Wakes whoever polled last.
#[derive(Default)]
pub struct Bell(pub(crate) AtomicWaker);

impl Wake for Bell {
    fn wake(&self) {
        self.0.wake();
    }
}

/// Wakes a loop that waits for it; a ring that comes before is not lost.
#[derive(Clone, Default)]
pub struct Ring(pub(crate) Arc<Notify>);

impl Wake for Ring {
    fn wake(&self) {
        self.0.notify_one();
    }
}
