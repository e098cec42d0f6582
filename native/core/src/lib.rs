//! hoosh-core: what an AI inference gateway decides, without any I/O.
//!
//! The heart is [`exchange::Exchange`], a state machine for one caller request, and [`gateway::Gateway`], what
//! exchanges share. A driver performs their steps and reports through their doors; it decides nothing.
//! Nothing in this crate opens a socket, reads a file, an environment variable or a clock, or draws a random number:
//! time is a parameter ([`clock::Now`]) and randomness is a seed.

mod archive;
pub mod clock;
pub mod config;
pub mod egress;
pub mod error;
pub mod history;
pub mod homes;
pub mod http;
pub mod sync;
pub mod wake;

// Kernels, each useful alone.
mod base64;
mod by_model;
pub mod cachekey;
pub mod json;
pub mod sse;
pub mod tokens;
pub mod wire;

// Policies, each a small type with few verbs.
pub mod budget;
pub mod cache;
pub mod flight;
pub mod glob;
pub mod health;
pub mod idempotency;
pub mod keys;
pub mod ledger;
pub mod limit;
pub mod log;
pub mod metrics;
pub mod price;
pub mod probe;
pub mod retry;
pub mod rng;
pub mod route;
pub mod store;

pub mod dialects;
pub mod engine;

// The machine.
pub mod exchange;
pub mod gateway;
