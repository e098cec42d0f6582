//! The way to upstreams over tokio and hyper: what happened is told truthfully, and nothing is decided here.
//!
//! [`Upstreams`] keeps the connections of one thread, [`Attempt`] sends one request over one of them and says by
//! [`Event`]s how far it came, [`Upstreams::fetch`] asks on the gateway's own account. No listener, retry, redirect or
//! deadline: the core has them all.

mod attempt;
mod body;
mod connect;
mod connection;
mod fetch;
mod pool;
mod view;

pub use attempt::{Attempt, Event};
pub use fetch::LARGEST_FETCH;
pub use pool::Upstreams;
pub use view::View;
