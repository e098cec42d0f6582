//! The way to upstreams over tokio and hyper: what happened is told truthfully, and nothing is decided here.
//!
//! [`Upstreams`] keeps the connections of one thread, [`Attempt`] sends one request over one of them and says by
//! [`Event`]s how far it came, [`Upstreams::fetch`] asks on the gateway's own account. No listener, retry, redirect or
//! deadline: the core has them all. No task is spawned either: an attempt drives its own connection when it is polled, so that
//! an event costs one wake, and dropping an attempt closes its socket there and then.
//!
//! | File | Holds |
//! | --- | --- |
//! | `attempt`, `body`, `failure` | one request and its answer, told event by event |
//! | `connection`, `watched` | HTTP/1.1 over one transport, and what became of what it wrote |
//! | `connect`, `race`, `tunnel` | addresses, looked up anew and raced; ways through proxies |
//! | `tls`, `pins` | whom a TLS connection may be to |
//! | `transport`, `socket` | bytes, with or without TLS |
//! | `pool`, `settings` | the idle connections of one thread, and their bounds |
//! | `fetch` | questions of the gateway itself |
//! | `view`, `names` | hyper's headers as the core reads them, and the core's as hyper does |

mod attempt;
mod body;
mod connect;
mod connection;
mod failure;
mod fetch;
mod names;
mod pins;
mod pool;
mod race;
mod settings;
mod socket;
mod tls;
mod transport;
mod tunnel;
mod view;
mod watched;

pub use attempt::{Attempt, Event};
pub use fetch::LARGEST_FETCH;
pub use names::name_of;
pub use pool::Upstreams;
pub use settings::Settings;
pub use tls::{check, Trust};
pub use view::View;
