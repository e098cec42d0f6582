//! What a run saw, and its JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::time::Duration;

use crate::events::Events;
use crate::histogram::Histogram;

#[derive(Default)]
pub struct Tally {
    /// Answers that came whole, of whatever status.
    pub answers: u64,
    /// Of them those of status 200, and of streams only those that were closed by `[DONE]`.
    pub good: u64,
    pub events: u64,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
    times: Histogram,
    firsts: Histogram,
}

impl Tally {
    /// One request that was to begin `since`, and what became of it.
    pub fn add(&mut self, since: std::time::Instant, streams: bool, outcome: io::Result<u16>, events: &Events) {
        self.events += events.count;
        if let Some(first) = events.first {
            self.firsts.add(first.saturating_duration_since(since));
        }
        match outcome {
            Ok(status) => {
                self.answers += 1;
                self.good += u64::from(status == 200 && (events.done || !streams));
                *self.statuses.entry(status).or_default() += 1;
                self.times.add(since.elapsed());
            }
            Err(error) => *self.failures.entry(error.kind().to_string()).or_default() += 1,
        }
    }

    /// Requests that had no answer when the run ended.
    pub fn unanswered(&mut self, count: u64) {
        if count > 0 {
            *self.failures.entry("unanswered".to_owned()).or_default() += count;
        }
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub fn first(&self, share: f64) -> Option<Duration> {
        self.firsts.percentile(share)
    }

    pub fn time(&self, share: f64) -> Option<Duration> {
        self.times.percentile(share)
    }

    /// One line: counts, rates over `span`, and times in microseconds, from when a request was to begin.
    pub fn json(&self, span: Duration) -> String {
        let seconds = span.as_secs_f64();
        let mut out = format!(
            "{{\"seconds\":{seconds:.3},\"answers\":{},\"good\":{},\"failed\":{},\"rate\":{:.1},\"events\":{}",
            self.answers,
            self.good,
            self.failed(),
            self.good as f64 / seconds,
            self.events
        );
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
            push_time(&mut out, &format!("{name}_us"), self.time(share));
            push_time(&mut out, &format!("first_{name}_us"), self.first(share));
        }
        let statuses = self.statuses.iter().map(|(status, count)| format!("\"{status}\":{count}"));
        let failures = self.failures.iter().map(|(kind, count)| format!("\"{kind}\":{count}"));
        let _ = write!(
            out,
            ",\"statuses\":{{{}}},\"failures\":{{{}}}}}",
            statuses.collect::<Vec<_>>().join(","),
            failures.collect::<Vec<_>>().join(",")
        );
        out
    }
}

fn push_time(out: &mut String, name: &str, time: Option<Duration>) {
    if let Some(time) = time {
        let _ = write!(out, ",\"{name}\":{:.2}", time.as_secs_f64() * 1e6);
    }
}
