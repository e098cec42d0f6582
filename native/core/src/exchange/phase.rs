//! Where an exchange stands, and what a phase says that it did.

use super::gates::Gate;
use super::Exchange;

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for `begin`.
    New,
    /// Waits for the caller's body.
    Body,
    /// Waits for what only the store knows of an earlier response.
    Recalling,
    /// A job reads the body.
    Reading,
    /// Passes the gates one by one.
    Gates(Gate),
    /// Only the request's tokens are wanted.
    Counting,
    /// A job counts them.
    Counted,
    /// Waits for tokens that its caller will spend elsewhere.
    Tokens,
    /// Looks for an upstream.
    Choose,
    /// Children do the work.
    Children,
    /// An application that is mounted answers.
    Mounted,
    /// An upstream is open.
    Attempt,
    /// A whole answer came; a job reads it.
    Judging,
    /// All children answered; a job joins what they said.
    Joining,
    /// A kept answer is long and of the other form; a job makes one of it.
    Reforming,
    /// The answer lacks only its usage, which a job counts.
    Owing,
    /// The answer is out; a job counts what it used.
    Booking,
    /// The answer is out and booked; the caller's transport still takes it.
    Draining,
    /// Nothing more.
    Over,
}

/// What a phase did.
pub(super) enum Move {
    /// Something changed: look again.
    Again,
    /// Nothing until a door, a wake, or this time.
    Wait(Option<u64>),
}

impl Exchange {
    /// A job of its own is what it waits for.
    pub(super) fn is_at_work(&self) -> bool {
        use Phase::{Booking, Counted, Gates, Joining, Judging, Owing, Reading, Reforming};
        match self.phase {
            Gates(gate) => matches!(gate, Gate::Measure | Gate::CountForRate | Gate::Count),
            phase => matches!(phase, Reading | Counted | Judging | Joining | Reforming | Owing | Booking),
        }
    }
}
