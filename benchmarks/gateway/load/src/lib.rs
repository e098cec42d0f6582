//! What the gateway's benchmarks need besides a gateway, in plain sockets on one thread, so that a core which it shares
//! with an upstream still asks faster than any gateway on another answers.
//!
//! Callers: [`closed`] asks again as soon as it was answered, [`open`] at a fixed rate whatever comes back, [`hold`] keeps
//! streams or idle connections open. [`upstream`] answers chats: at once, as a paced stream, or wrongly.

#![deny(unsafe_code)]

pub mod arguments;
pub mod clock;
pub mod closed;
pub mod connection;
pub mod events;
pub mod faults;
pub mod framing;
pub mod histogram;
pub mod hold;
pub mod open;
pub mod requests;
pub mod tally;
pub mod upstream;
pub mod wire;
