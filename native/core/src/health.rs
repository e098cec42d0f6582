//! Upstream health: breaker and latency.
