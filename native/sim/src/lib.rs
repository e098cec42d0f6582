//! hoosh-sim: the core of hoosh in worlds that never happen twice and can always be repeated.
//!
//! A world is drawn from a seed: a configuration, callers, upstreams and a store with every fault, one gateway with its
//! loop, a virtual clock. It runs on one thread, and after each event the invariants of ARCHITECTURE.md are checked
//! from the outside, with books of their own. A world that breaks one can be replayed by its seed. See
//! `docs/simulator.md`.

mod agenda;
mod answer;
mod caller;
pub mod check;
mod dice;
mod doors;
mod drive;
mod keeper;
mod plan;
mod restart;
mod store;
mod tokens;
mod trace;
mod upload;
mod upstream;
mod world;

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};

use check::{Broken, Invariant};
use world::World;

/// Callers in one world.
pub const EXCHANGES: usize = 40;

/// How one world went.
#[derive(Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Hash of all that happened.
    pub hash: u64,
    /// The first thing that must not be.
    pub broken: Option<Broken>,
    /// How often what was seen.
    pub seen: BTreeMap<String, u64>,
    /// What happened, if it was kept.
    pub lines: Vec<String>,
}

/// Runs the world of `seed`. `words`: keep what happened; `only`: of this exchange and the gateway's loop.
pub fn run(seed: u64, words: bool, only: Option<usize>) -> Report {
    let mut world = World::new(seed, EXCHANGES, words);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    if let Err(panic) = ran {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default();
        world.fail(Invariant::Panic, None, words);
    }
    let common = |words: &str| words.starts_with("reload") || words.starts_with("drain") || words.starts_with("BROKEN");
    let wanted = |line: &&trace::Line| only.is_none() || line.x == only || (line.x.is_none() && common(&line.words));
    let lines = world.trace.lines().iter().filter(wanted).map(|line| {
        let who = line.x.map_or("gateway".to_string(), |x| format!("sim-{x}"));
        format!("{:>13.6} {who:>8} {}", line.at_us as f64 / 1e6, line.words)
    });
    let lines = lines.collect();
    Report { seed, hash: world.trace.hash(), broken: world.broken.take(), seen: std::mem::take(&mut world.seen), lines }
}
