//! The way to upstreams over tokio: what happened is told truthfully, and nothing is decided here.
//!
//! [`Upstreams`] keeps the connections of one thread, [`Attempt`] sends one request over one of them and says by
//! [`Event`]s how far it came, [`Upstreams::fetch`] asks on the gateway's own account. No listener, retry, redirect or
//! deadline: the core has them all. No task is spawned either: an attempt drives its own connection when it is polled, so that
//! an event costs one wake, and dropping an attempt closes its socket there and then.
//!
//! | File | Holds |
//! | --- | --- |
//! | `attempt` | one request and its answer, told event by event |
//! | `connection` | HTTP/1.1 over one transport, written and read in place |
//! | `request`, `feed` | a request's head and body as they go over the wire |
//! | `head`, `framing` | an answer's head, and where its body ends |
//! | `connect`, `race`, `tunnel` | addresses, looked up anew and raced; ways through proxies |
//! | `tls`, `pins` | whom a TLS connection may be to |
//! | `transport`, `socket` | bytes, with or without TLS |
//! | `pool`, `settings` | the idle connections of one thread, and their bounds |
//! | `fetch` | questions of the gateway itself |

mod attempt;
mod connect;
mod connection;
mod feed;
mod fetch;
mod framing;
mod head;
mod pins;
mod pool;
mod race;
mod request;
mod settings;
mod socket;
mod tls;
mod transport;
mod tunnel;

pub use attempt::{Attempt, Event};
pub use fetch::LARGEST_FETCH;
pub use head::AnswerHeaders;
pub use pool::Upstreams;
pub use settings::Settings;
pub use tls::{check, Trust};
