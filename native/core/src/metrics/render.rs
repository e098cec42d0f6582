//! The Prometheus text format, version 0.0.4:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
//!
//! Series with one label of known values are shown from the start, so that a rate over them works from the first event;
//! combinations of several labels only once they occurred.

use std::collections::HashMap;
use std::fmt::Write;

use super::labels::{CacheResult, Limit, Outcome, Served, StatusClass};
use super::lane::{Bounds, Counts, Histogram, BOUNDS_US, ENDINGS, OVERHEAD_BOUNDS_US};
use super::names::Names;
use super::Gauge;
use crate::dialects::Change;
use crate::error::Code;

/// Writing to a `String` cannot fail, so the results of `write!` are dropped throughout.
struct Page(String);

pub(super) fn render(counts: &Counts, names: &Names, gauges: &[Gauge<'_>]) -> String {
    let mut page = Page(String::with_capacity(16 << 10));
    page.exchanges(counts);
    page.providers(counts, names);
    page.histograms(
        "hoosh_request_duration_seconds",
        "Time from a request's head to the end of its answer.",
        &counts.duration,
        &BOUNDS_US,
    );
    page.histograms(
        "hoosh_first_content_seconds",
        "Time from a request's head to the first content of its answer.",
        &counts.first_content,
        &BOUNDS_US,
    );
    page.histograms(
        "hoosh_overhead_seconds",
        "Of that, time in which a request waited for nobody: neither its caller, an upstream nor a place.",
        &counts.overhead,
        &OVERHEAD_BOUNDS_US,
    );
    page.gauges(gauges);
    page.0
}

impl Page {
    fn exchanges(&mut self, counts: &Counts) {
        self.family("hoosh_requests_total", "counter", "Requests that ended.");
        for (endpoint, classes) in Served::ALL.iter().zip(&counts.requests) {
            for (class, endings) in StatusClass::ALL.iter().zip(classes) {
                for (ending, count) in ENDINGS.iter().zip(endings).filter(|(_, count)| **count > 0) {
                    let labels = [
                        ("endpoint", endpoint.as_str()),
                        ("status_class", class.as_str()),
                        ("ending", ending.as_str()),
                    ];
                    self.sample("hoosh_requests_total", &labels, *count);
                }
            }
        }
        let codes = Code::ALL.iter().map(|code| code.as_str());
        self.counter("hoosh_errors_total", "Errors answered, by stable code.", "code", codes.zip(counts.errors));
        self.family("hoosh_retries_total", "counter", "Upstream attempts that were retries.");
        self.sample("hoosh_retries_total", &[], counts.retries);
        let results = CacheResult::ALL.iter().map(|result| result.as_str());
        self.counter("hoosh_cache_total", "Requests by what the cache said.", "result", results.zip(counts.cache));
        let limits = Limit::ALL.iter().map(|limit| limit.as_str());
        self.counter("hoosh_limited_total", "Requests refused, by limit.", "limit", limits.zip(counts.limited));
        let (name, help) =
            ("hoosh_losses_total", "Requests of which something was not carried between two dialects as it was.");
        self.counter(name, help, "change", Change::ALL.iter().map(|change| change.as_str()).zip(counts.losses));
    }

    fn providers(&mut self, counts: &Counts, names: &Names) {
        self.family("hoosh_upstream_attempts_total", "counter", "Upstream attempts that ended.");
        for (slot, provider) in counts.providers.iter().enumerate().take(names.len()) {
            for (outcome, count) in Outcome::ALL.iter().zip(provider.attempts).filter(|(_, count)| *count > 0) {
                let labels = [("provider", names.name(slot)), ("outcome", outcome.as_str())];
                self.sample("hoosh_upstream_attempts_total", &labels, count);
            }
        }
        let help = "Tokens used; those read from and written to the provider's cache are part of the input.";
        self.family("hoosh_tokens_total", "counter", help);
        for (slot, provider) in counts.providers.iter().enumerate().take(names.len()) {
            for (direction, count) in ["input", "output", "cached", "cache_written"].iter().zip(provider.tokens) {
                let labels = [("provider", names.name(slot)), ("direction", direction)];
                self.sample("hoosh_tokens_total", &labels, count);
            }
        }
        self.family("hoosh_cost_nano_usd_total", "counter", "What tokens cost, where a price is known.");
        for (slot, provider) in counts.providers.iter().enumerate().take(names.len()) {
            self.sample("hoosh_cost_nano_usd_total", &[("provider", names.name(slot))], provider.cost_nano_usd);
        }
    }

    fn histograms(&mut self, name: &str, help: &str, histograms: &[Histogram], bounds: &Bounds) {
        self.family(name, "histogram", help);
        for (endpoint, histogram) in Served::ALL.iter().zip(histograms) {
            self.histogram(name, endpoint.as_str(), histogram, bounds);
        }
    }

    fn histogram(&mut self, name: &str, endpoint: &str, histogram: &Histogram, bounds: &Bounds) {
        let mut below = 0u64;
        for (at, count) in histogram.buckets.iter().enumerate() {
            below = below.saturating_add(*count);
            let bound = bounds.get(at).map_or("+Inf".into(), |bound| seconds(*bound));
            let _ = writeln!(self.0, "{name}_bucket{{endpoint=\"{endpoint}\",le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(self.0, "{name}_sum{{endpoint=\"{endpoint}\"}} {}", seconds(histogram.sum_us));
        let _ = writeln!(self.0, "{name}_count{{endpoint=\"{endpoint}\"}} {below}");
    }

    /// A family's lines must stand together, whatever the order they were given in.
    fn gauges(&mut self, gauges: &[Gauge<'_>]) {
        let mut families: Vec<Vec<&Gauge<'_>>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for gauge in gauges {
            let at = *places.entry(gauge.name).or_insert(families.len());
            match families.get_mut(at) {
                Some(family) => family.push(gauge),
                None => families.push(vec![gauge]),
            }
        }
        for family in &families {
            let Some(first) = family.first() else { continue };
            // What only ever grows is named so.
            let kind = if first.name.ends_with("_total") { "counter" } else { "gauge" };
            self.family(first.name, kind, first.help);
            for gauge in family {
                self.sample(gauge.name, &gauge.labels, gauge.value);
            }
        }
    }

    fn counter<'a>(&mut self, name: &str, help: &str, label: &str, values: impl Iterator<Item = (&'a str, u64)>) {
        self.family(name, "counter", help);
        for (value, count) in values {
            self.sample(name, &[(label, value)], count);
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} ");
        self.escaped(help, false);
        let _ = write!(self.0, "\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if at == 0 { '{' } else { ',' });
            self.escaped(text, true);
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// Label values escape backslash, line feed and quote; help texts the first two.
    fn escaped(&mut self, text: &str, quotes: bool) {
        for character in text.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '"' if quotes => self.0.push_str("\\\""),
                character => self.0.push(character),
            }
        }
    }
}

/// Microseconds as decimal seconds, exact: `0.0025`, `30`.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
