//! The way down: readiness goes first, then new requests, then what is left.

use super::chores::Ending;
use super::Gateway;
use crate::sync::atomic::Ordering;
use crate::sync::lock;

/// How far it has gone on its way down. There is no way back, but a run that begins anew.
pub(super) enum Going {
    Up,
    Settling,
    Draining,
    Stopping,
}

impl Gateway {
    /// It will go down: `/v1/health/ready` says so, so that load balancers turn away; all is served as before.
    pub fn settle(&self) {
        self.going.fetch_max(Going::Settling as u8, Ordering::Relaxed);
    }

    /// No new exchange is admitted; those in progress end.
    pub fn drain(&self) {
        self.going.fetch_max(Going::Draining as u8, Ordering::Relaxed);
    }

    /// Their time is up: whoever has no whole answer yet gets the error `draining`, in a stream as its last event. Each
    /// exchange does so at its next look, so that its driver must look at all of them now.
    pub fn stop(&self) {
        self.going.fetch_max(Going::Stopping as u8, Ordering::Relaxed);
    }

    /// Whether neither [`Self::settle`] nor what comes after it was called.
    pub fn is_ready(&self) -> bool {
        self.going.load(Ordering::Relaxed) == Going::Up as u8
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.going.load(Ordering::Relaxed) >= Going::Draining as u8
    }

    /// Whether the store is being told that this run is over, or knows it: rows are not stored any more. While an exchange
    /// is open that does not begin.
    pub(crate) fn run_is_ending(&self) -> bool {
        matches!(lock(&self.chores).ending, Ending::Asked | Ending::Over)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.going.load(Ordering::Relaxed) == Going::Stopping as u8
    }
}
