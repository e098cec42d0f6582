//! Concurrency and rate limits with fair waiting.
//!
//! [`Concurrency`] bounds how many exchanges run at once and lets the next ones wait in turn; [`Rate`] bounds how many
//! begin in a minute and says when to come back, and a [`Line`] keeps the turns of those who wait for that.

mod concurrency;
mod line;
mod queue;
mod rate;
mod tokens;

pub use concurrency::{Acquire, Concurrency, ConcurrencyState, Permit, Room, Ticket};
pub use line::{Ask, Line, Patience};
pub use rate::{Rate, Standing};
pub use tokens::TokenCharge;
