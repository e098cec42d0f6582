//! Concurrency and rate limits with fair waiting.
//!
//! [`Concurrency`] bounds how many exchanges run at once and lets the next ones wait in turn; [`Rate`] bounds how many
//! begin in a minute and never lets anybody wait: it says when to come back.

mod concurrency;
mod queue;
mod rate;
mod tokens;

pub use concurrency::{Acquire, Concurrency, ConcurrencyState, Permit, Room, Ticket};
pub use rate::{Rate, Standing};
pub use tokens::TokenCharge;
