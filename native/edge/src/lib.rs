//! The native edge: HTTP/1.1 callers on one side, exchanges on the other, and a thread for each core.
//!
//! A connection belongs to one thread from its first byte to its last, and with it the exchanges that it begins and the
//! upstreams that they ask: on the usual path nothing is locked and no other thread woken. [`listen`] opens sockets and
//! hands connections out, [`worker`] is such a thread, [`connection`] what one does for a caller: [`caller`] reads requests
//! and writes, [`service`] begins an exchange, [`drive`] performs its steps, [`answer`] is what it says, behind a [`head`]. [`chores`]
//! is the gateway's own loop, [`host`] the way to what Python answers, [`inside`] calls of this process. [`passed`] carries requests
//! to applications of Python, and [`tunnel`] a websocket. It knows no policy, dialect or provider.

mod answer;
mod bell;
mod caller;
mod chores;
mod clock;
mod connection;
mod descriptors;
mod drive;
mod edge;
mod engine;
mod head;
pub mod host;
mod hosted;
pub mod inside;
mod lenient;
mod listen;
mod log;
mod passed;
mod service;
mod tunnel;
mod wire;
mod worker;

pub use bell::{Bell, Ring};
pub use chores::Keeper;
pub use edge::{Edge, Settings};
pub use log::Log;
