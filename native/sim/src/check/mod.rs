//! What must always hold, checked from the outside after each step, with books of our own.
//!
//! | File | Invariants of ARCHITECTURE.md |
//! | --- | --- |
//! | `outcome` | what a caller got: 2 |
//! | `steps` | 2, 6, 7 as steps come; progress |
//! | `scope` | 3, 4 |
//! | `health` | 4: credentials and tokens a minute |
//! | `patience` | 3 and 10 where a caller is refused |
//! | `answers` | 2, 5 once an answer is complete |
//! | `once` | 5 for idempotency keys |
//! | `books` | 1, 7, 9 |

mod answers;
mod books;
mod health;
mod once;
mod outcome;
mod patience;
mod scope;
mod steps;

pub use books::Books;
pub use outcome::Outcome;
pub(crate) use patience::wish_us;
pub(crate) use scope::secret_of;

use hoosh_core::config::Config;

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// A reservation settles once; grants stay within the cap; overruns are flagged.
    Reservations,
    /// One outcome, nothing after it, no second attempt after content.
    Outcome,
    /// Nothing leaves the key's scope and the configured providers.
    Scope,
    /// Attempts and retries are bounded.
    Retries,
    /// The cache gives only what it may, to whom it may, in time.
    Cache,
    /// Every upstream is ended or aborted; a caller that left stops the work.
    Upstreams,
    /// Buffers are bounded and go back to nothing.
    Buffers,
    /// Same seed, same trace.
    Trace,
    /// One row for each exchange that reached an upstream; rows add up to the budgets.
    Ledger,
    /// Nobody waits for ever, or for what has happened.
    Wakes,
    /// The core does not panic.
    Panic,
}

impl std::fmt::Display for Invariant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Invariant::Reservations => "1 reservations",
            Invariant::Outcome => "2 one outcome",
            Invariant::Scope => "3 scope",
            Invariant::Retries => "4 retries",
            Invariant::Cache => "5 cache",
            Invariant::Upstreams => "6 upstreams",
            Invariant::Buffers => "7 buffers",
            Invariant::Trace => "8 trace",
            Invariant::Ledger => "9 ledger",
            Invariant::Wakes => "10 progress",
            Invariant::Panic => "11 no panic",
        })
    }
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Broken {
    /// What it goes against.
    pub invariant: Invariant,
    /// Exchange concerned.
    pub x: Option<usize>,
    /// What was seen.
    pub words: String,
}

/// The parts of a configuration that a reader of a trace wants.
pub(crate) fn describe(config: &Config) -> String {
    let providers: Vec<_> = config.providers.iter().map(|p| format!("{}{:?}", p.name, p.models)).collect();
    let keys: Vec<_> = config.auth.tokens.iter().map(|t| format!("{}{:?}", t.name, t.models)).collect();
    let budgets: Vec<_> = config.budgets.iter().map(|b| format!("{}={}/{}", b.name, b.capacity, b.slice)).collect();
    format!(
        "providers {providers:?} keys {keys:?} budgets {budgets:?} {:?} {:?} {:?} {:?} {:?}",
        config.cache, config.retry, config.limits, config.deadlines, config.server
    )
}
