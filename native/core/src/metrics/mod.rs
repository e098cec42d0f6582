//! Counters and histograms, recorded by lanes and rendered once for every form of hoosh.
//!
//! Every driver thread has a lane, and one finished exchange is one [`Lane::record`]. A lane is plain numbers under a
//! lock of its own, not an atomic for each: an exchange moves about ten numbers, a lock that nobody else wants costs two
//! atomic operations, and a lane read under its lock is whole (as many requests as durations).
//!
//! Labels are bounded by construction: everything but the provider is an enum, and providers are [`Slot`]s, of which
//! there are [`MAX_PROVIDERS`]; whoever has none is counted as `other`.

mod labels;
mod lane;
mod names;
mod render;

pub use labels::{CacheResult, Limit, Outcome, Served};
pub use lane::{Finished, Lane};
pub use names::{Slot, MAX_PROVIDERS};

use crate::sync::{lock, Mutex};
use names::Names;

/// A number that the caller knows at rendering time.
#[derive(Clone, Debug)]
pub struct Gauge<'a> {
    /// Metric name, such as `hoosh_pool_capacity_tokens`. Gauges of one name make one family; one that ends in `_total`
    /// is a counter.
    pub name: &'a str,
    /// What it is; the first one of a family is shown.
    pub help: &'a str,
    /// Label names and values. Values may be any text.
    pub labels: Vec<(&'a str, &'a str)>,
    /// Now.
    pub value: u64,
}

/// All metrics of a gateway.
#[derive(Debug)]
pub struct Metrics {
    lanes: Box<[Lane]>,
    names: Mutex<Names>,
}

impl Metrics {
    /// As many lanes as there are threads that record; at least one.
    pub fn new(lanes: usize) -> Self {
        let lanes = (0..lanes.max(1)).map(|_| Lane::new()).collect();
        Metrics { lanes, names: Mutex::new(Names::default()) }
    }

    /// The lane of thread `index`; beyond the last they are shared, which is slower but as right.
    pub fn lane(&self, index: usize) -> &Lane {
        &self.lanes[index % self.lanes.len()]
    }

    /// Says which providers there are now (at the start and at each reload), and returns a slot for each, in order.
    ///
    /// A name that stays or comes back keeps its slot and its counts. One that went is still shown, until its slot is
    /// needed for another name (the one gone longest first); an exchange that still
    /// holds the old slot then counts for the new name. A name that finds no slot gets [`Slot::OTHER`].
    pub fn providers(&self, present: &[&str]) -> Vec<Slot> {
        let mut names = lock(&self.names);
        let (slots, taken_over) = names.reload(present);
        for lane in &self.lanes {
            lane.make_room(names.len(), &taken_over);
        }
        slots
    }

    /// Requests by what the cache said of them, in the order of [`CacheResult::ALL`].
    pub fn cache_results(&self) -> [u64; CacheResult::ALL.len()] {
        let mut sum = lane::Counts::default();
        for lane in &self.lanes {
            lane.add_to(&mut sum);
        }
        sum.cache
    }

    /// Everything in the Prometheus text format, version 0.0.4
    /// (`content-type: text/plain; version=0.0.4; charset=utf-8`), with the caller's gauges at the end.
    pub fn render(&self, gauges: &[Gauge<'_>]) -> String {
        let names = lock(&self.names);
        let mut sum = lane::Counts::default();
        for lane in &self.lanes {
            lane.add_to(&mut sum);
        }
        render::render(&sum, &names, gauges)
    }
}
