//! What a call has become when it was read: something that can start.

use hoosh_core::engine::Standing;

use super::call::Prepared;
use super::outbox::Outlet;
use super::vectors::Inputs;

/// A call that was read. All that wait for one model are of one kind, that of the model.
pub(crate) enum Job {
    /// For a decoder.
    Text(Box<Prepared>),
    /// For an encoder.
    Vectors(Inputs),
}

impl Job {
    pub(crate) fn outlet(&self) -> &Outlet {
        match self {
            Job::Text(call) => &call.outlet,
            Job::Vectors(call) => &call.outlet,
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        match self {
            Job::Text(call) => call.standing,
            Job::Vectors(call) => call.standing,
        }
    }

    pub(crate) fn text(self) -> Option<Prepared> {
        match self {
            Job::Text(call) => Some(*call),
            Job::Vectors(_) => None,
        }
    }

    pub(crate) fn vectors(self) -> Option<Inputs> {
        match self {
            Job::Vectors(call) => Some(call),
            Job::Text(_) => None,
        }
    }
}
