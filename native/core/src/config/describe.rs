//! The configuration in force, as an operator would write it: every default spelled out, every secret hidden.

use std::fmt::Write;

use super::{CacheMode, Config, Provider, Strategy, Token};

/// Stands for every secret.
const HIDDEN: &str = "***";

impl Config {
    /// TOML that parses again (secrets apart), with warnings and absent bounds as comments. For `hoosh check`.
    pub fn describe(&self) -> String {
        let mut out = Out(String::new());
        for warning in &self.warnings {
            let _ = writeln!(out.0, "# warning: {warning}");
        }
        self.describe_server(&mut out);
        self.providers.iter().for_each(|provider| describe_provider(&mut out, provider));
        self.auth.tokens.iter().for_each(|token| describe_token(&mut out, token));
        for budget in &self.budgets {
            out.header("[[budgets]]");
            out.text("name", &budget.name);
            out.value("capacity", budget.capacity);
            out.value("slice", budget.slice);
        }
        self.describe_policies(&mut out);
        out.0
    }

    fn describe_server(&self, out: &mut Out) {
        out.header("[server]");
        out.text("bind", &self.server.bind);
        out.value("port", self.server.port);
        out.text("strategy", word(Strategy::WORDS, self.server.strategy));
        out.value("max_body_bytes", self.server.max_body_bytes);
        out.value("max_audio_bytes", self.server.max_audio_bytes);
        out.value("max_file_bytes", self.server.max_file_bytes);
        out.value("max_buffered_bytes", self.server.max_buffered_bytes);
    }

    fn describe_policies(&self, out: &mut Out) {
        out.header("[cache]");
        out.value("enabled", self.cache.enabled);
        out.text("mode", word(CacheMode::WORDS, self.cache.mode));
        out.value("ttl_secs", self.cache.ttl_secs);
        out.value("max_entries", self.cache.max_entries);
        out.value("max_bytes", self.cache.max_bytes);
        out.header("[retry]");
        out.value("max_attempts", self.retry.max_attempts);
        out.value("base_delay_ms", self.retry.base_delay_ms);
        out.value("max_delay_ms", self.retry.max_delay_ms);
        out.value("budget_percent", self.retry.budget_percent);
        out.value("min_per_sec", self.retry.min_per_sec);
        out.header("[limits]");
        out.bound("max_concurrency", self.limits.max_concurrency);
        out.value("max_waiting", self.limits.max_waiting);
        out.value("wait_secs", self.limits.wait_secs);
        out.value("reserve_output", self.limits.reserve_output);
        out.value("max_inputs", self.limits.max_inputs);
        out.header("[deadlines]");
        out.value("connect_secs", self.deadlines.connect_secs);
        out.value("first_byte_secs", self.deadlines.first_byte_secs);
        out.value("idle_secs", self.deadlines.idle_secs);
        out.value("total_secs", self.deadlines.total_secs);
        out.value("body_secs", self.deadlines.body_secs);
        out.value("caller_stall_secs", self.deadlines.caller_stall_secs);
    }
}

fn describe_provider(out: &mut Out, provider: &Provider) {
    out.header(if provider.found { "[[providers]] # found" } else { "[[providers]]" });
    out.text("type", &provider.type_name);
    out.text("name", &provider.name);
    if let Some(url) = &provider.base_url {
        out.text("base_url", &url.to_string());
    }
    if provider.api_key.is_some() {
        out.text("api_key", HIDDEN);
    }
    out.value("priority", provider.priority);
    out.list("models", &provider.models);
    out.bound("max_concurrency", provider.max_concurrency);
    out.bound("rate_limit_rpm", provider.rate_limit_rpm);
}

fn describe_token(out: &mut Out, token: &Token) {
    out.header("[[auth.tokens]]");
    out.text("token", HIDDEN);
    out.text("name", &token.name);
    out.list("models", &token.models);
    if let Some(budget) = &token.budget {
        out.text("budget", budget);
    }
    out.bound("max_concurrency", token.max_concurrency);
    out.bound("rate_limit_rpm", token.rate_limit_rpm);
}

/// The word that an operator writes for a value.
fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

struct Out(String);

impl Out {
    fn header(&mut self, header: &str) {
        let blank = if self.0.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.0, "{blank}{header}");
    }

    fn value(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.value(key, toml::Value::from(text));
    }

    fn list(&mut self, key: &str, texts: &[String]) {
        self.value(key, toml::Value::from(texts.to_vec()));
    }

    fn bound(&mut self, key: &str, bound: Option<u32>) {
        match bound {
            Some(bound) => self.value(key, bound),
            None => {
                let _ = writeln!(self.0, "# {key}: no bound");
            }
        }
    }
}
