//! Locks and atomics, from std or (feature `shuttle`) from shuttle, so that its scheduler can interleave the real types.

#[cfg(not(feature = "shuttle"))]
pub use std::sync::{atomic, Arc, Mutex, MutexGuard, OnceLock, Weak};

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{atomic, Arc, Mutex, MutexGuard, Weak};
#[cfg(feature = "shuttle")]
pub use std::sync::OnceLock;

/// Locks, and goes on after a panic elsewhere: every critical section in this crate leaves its data whole, and a
/// gateway that refuses all work because one request panicked would be worse.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
