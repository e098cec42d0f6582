//! The metrics as a scraper reads them: what was counted, and what is measured when somebody asks.

use super::Gateway;
use crate::metrics::Gauge;

impl Gateway {
    /// All metrics in the Prometheus text format.
    pub fn render_metrics(&self) -> String {
        let snapshot = self.snapshot.load();
        let mut gauges = vec![
            gauge("hoosh_open_exchanges", "Exchanges in progress.", Vec::new(), self.open_exchanges() as u64),
            gauge("hoosh_buffered_bytes", "Bytes of bodies and answers held now.", Vec::new(), self.buffered_bytes()),
            gauge("hoosh_ledger_rows_waiting", "Rows not stored yet.", Vec::new(), self.rows_waiting() as u64),
            gauge("hoosh_log_lines_dropped_total", "Lines of the log lost.", Vec::new(), self.journal.lost()),
            gauge("hoosh_records_dropped_total", "Request records lost.", Vec::new(), self.records.dropped()),
            gauge("hoosh_responses_unstored_total", "Not told to the store.", Vec::new(), self.archive.lost()),
        ];
        if !snapshot.config.server.mounts.is_empty() {
            let run = u64::from(self.mounts_run());
            gauges.push(gauge("hoosh_mounts_up", "1 while the applications that are mounted run.", Vec::new(), run));
        }
        let states: Vec<_> = snapshot.budgets.iter().map(|pool| (pool.name(), pool.state())).collect();
        for (name, state) in &states {
            let label = || vec![("budget", &***name)];
            gauges.push(gauge("hoosh_budget_capacity_tokens", "Configured size.", label(), state.capacity));
            gauges.push(gauge(
                "hoosh_budget_reserved_tokens",
                "Held by requests in progress.",
                label(),
                state.reserved,
            ));
            gauges.push(gauge("hoosh_budget_used_tokens", "Settled.", label(), state.used));
            gauges.push(gauge("hoosh_budget_lost_tokens", "Leased by runs that crashed.", label(), state.lost));
        }
        let numbers: Vec<String> = (1..=snapshot.most_credentials()).map(|n| n.to_string()).collect();
        for upstream in &snapshot.upstreams {
            let provider = || ("provider", &*upstream.name);
            let up = u64::from(upstream.is_up());
            gauges.push(gauge("hoosh_provider_up", "1 while its breaker is closed.", vec![provider()], up));
            for (to, times) in upstream.live.health.transitions() {
                let (name, help) = ("hoosh_breaker_transitions_total", "How often the breaker came to this state.");
                gauges.push(gauge(name, help, vec![provider(), ("to", to.as_str())], times));
            }
            for (credential, number) in upstream.credentials.all().iter().zip(&numbers) {
                let labels = vec![provider(), ("credential", number.as_str())];
                let up = u64::from(credential.breaker.is_closed());
                gauges.push(gauge("hoosh_credential_up", "1 while it is accepted.", labels, up));
            }
        }
        for (limit, waiting) in snapshot.waiting() {
            let label = vec![("limit", limit.as_str())];
            gauges.push(gauge(
                "hoosh_limit_waiting",
                "Callers that wait for a place, or for their turn.",
                label,
                waiting,
            ));
        }
        if let Some(cache) = &snapshot.cache {
            let stats = cache.stats();
            gauges.push(gauge("hoosh_cache_entries", "Answers cached.", Vec::new(), stats.entries));
            gauges.push(gauge("hoosh_cache_bytes", "Bytes cached.", Vec::new(), stats.bytes));
        }
        // A family's gauges must stand together in the exposition format.
        gauges.sort_by_key(|gauge| gauge.name);
        self.metrics.render(&gauges)
    }
}

fn gauge<'a>(name: &'a str, help: &'a str, labels: Vec<(&'a str, &'a str)>, value: u64) -> Gauge<'a> {
    Gauge { name, help, labels, value }
}
