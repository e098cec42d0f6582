//! The keys that a configuration file may hold: one table, which [`super::parse()`] enforces and the tests hold against
//! `hoosh.example.toml` and `docs/config.md`.

/// One table of the file.
#[derive(Debug)]
pub struct Section {
    /// As an operator writes and reads it: `[server]`, `[[providers]]`.
    pub header: &'static str,
    /// Its keys, in the order in which the documentation shows them.
    pub keys: &'static [&'static str],
}

/// The tables themselves.
pub const TOP: Section = Section {
    header: "the file",
    keys: &["server", "providers", "auth", "budgets", "cache", "retry", "limits", "deadlines"],
};
/// `[server]`
pub const SERVER: Section =
    Section { header: "[server]", keys: &["bind", "port", "strategy", "max_body_bytes", "max_buffered_bytes"] };
/// `[[providers]]`
pub const PROVIDERS: Section = Section {
    header: "[[providers]]",
    keys: &["type", "name", "base_url", "api_key", "priority", "models", "max_concurrency", "rate_limit_rpm"],
};
/// `[auth]`
pub const AUTH: Section = Section { header: "[auth]", keys: &["tokens"] };
/// `[[auth.tokens]]`, or a table in `tokens = [...]`
pub const TOKENS: Section = Section {
    header: "[[auth.tokens]]",
    keys: &["token", "name", "models", "budget", "max_concurrency", "rate_limit_rpm"],
};
/// `[[budgets]]`
pub const BUDGETS: Section = Section { header: "[[budgets]]", keys: &["name", "capacity", "slice"] };
/// `[cache]`
pub const CACHE: Section =
    Section { header: "[cache]", keys: &["enabled", "mode", "ttl_secs", "max_entries", "max_bytes"] };
/// `[retry]`
pub const RETRY: Section = Section {
    header: "[retry]",
    keys: &["max_attempts", "base_delay_ms", "max_delay_ms", "budget_percent", "min_per_sec"],
};
/// `[limits]`
pub const LIMITS: Section = Section {
    header: "[limits]",
    keys: &["max_concurrency", "max_waiting", "wait_secs", "reserve_output", "max_inputs"],
};
/// `[deadlines]`
pub const DEADLINES: Section = Section {
    header: "[deadlines]",
    keys: &["connect_secs", "first_byte_secs", "idle_secs", "total_secs", "body_secs", "caller_stall_secs"],
};

/// Every section but [`TOP`].
pub const SECTIONS: &[&Section] = &[&SERVER, &PROVIDERS, &AUTH, &TOKENS, &BUDGETS, &CACHE, &RETRY, &LIMITS, &DEADLINES];
