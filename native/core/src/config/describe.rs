//! The configuration in force, as an operator would write it: every default spelled out, every secret hidden.

use std::fmt::Write;

use super::catalogue::{AuthScheme, KnownModel, ProviderType};
use super::{
    CacheMode, Config, CredentialSource, HistoryPlace, LogFormat, LogLevel, LongPrompts, Model, Patience, Price,
    Provider, ProviderKind, Rates, Renewal, Strategy, Token,
};
use crate::egress::TlsTerms;
use crate::price::decimal;

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
        for alias in &self.aliases {
            out.header("[[aliases]]");
            out.text("name", &alias.name);
            out.list("models", &alias.models);
        }
        self.models.iter().for_each(|model| describe_model(&mut out, model));
        self.auth.tokens.iter().for_each(|token| describe_token(&mut out, token));
        for budget in &self.budgets {
            out.header("[[budgets]]");
            out.text("name", &budget.name);
            out.value("capacity", budget.capacity);
            out.value("slice", budget.slice);
        }
        self.prices.iter().for_each(|price| describe_price(&mut out, price));
        out.header("[catalogue]");
        out.value("prices", self.catalogue.prices);
        let file = self.catalogue.file.as_ref();
        out.comment(&file.map_or("file: none".into(), |file| format!("file: {file:?}; what it says stands below")));
        self.catalogue.types.iter().for_each(|kind| describe_type(&mut out, kind));
        self.catalogue.models.iter().for_each(|model| describe_known(&mut out, model));
        self.describe_policies(&mut out);
        out.0
    }

    fn describe_server(&self, out: &mut Out) {
        out.header("[server]");
        out.text("bind", &self.server.bind);
        out.value("port", self.server.port);
        out.value("threads", self.server.threads);
        out.value("max_connections", self.server.max_connections);
        out.value("max_connections_per_address", self.server.max_connections_per_address);
        out.text("strategy", word(Strategy::WORDS, self.server.strategy));
        out.value("max_body_bytes", self.server.max_body_bytes);
        out.value("max_audio_bytes", self.server.max_audio_bytes);
        out.value("max_file_bytes", self.server.max_file_bytes);
        out.value("max_buffered_bytes", self.server.max_buffered_bytes);
        out.list("allowed_hosts", &self.server.allowed_hosts);
        out.list("cors_origins", &self.server.cors_origins);
        out.list("pass_request_headers", &self.server.pass_request_headers);
        out.list("pass_response_headers", &self.server.pass_response_headers);
        out.value("keep_alive_secs", self.server.keep_alive_secs);
        out.value("early_start_secs", self.server.early_start_secs);
        out.value("settle_secs", self.server.settle_secs);
        out.value("drain_secs", self.server.drain_secs);
        for mount in &self.server.mounts {
            out.header("[[server.mounts]]");
            out.text("path", &mount.path);
            out.text("app", &mount.app);
            out.value("public", mount.public);
        }
    }

    fn describe_policies(&self, out: &mut Out) {
        out.header("[cache]");
        out.value("enabled", self.cache.enabled);
        out.text("mode", word(CacheMode::WORDS, self.cache.mode));
        out.value("ttl_secs", self.cache.ttl_secs);
        out.value("max_entries", self.cache.max_entries);
        out.value("max_bytes", self.cache.max_bytes);
        out.header("[idempotency]");
        out.value("ttl_secs", self.idempotency.ttl_secs);
        out.value("max_entries", self.idempotency.max_entries);
        out.value("max_bytes", self.idempotency.max_bytes);
        out.header("[dialects]");
        out.value("strict", self.dialects.strict);
        out.text("anthropic_version", &self.dialects.anthropic_version);
        out.text("history", word(HistoryPlace::WORDS, self.dialects.history));
        out.value("history_max_bytes", self.dialects.history_max_bytes);
        out.value("history_store_max_bytes", self.dialects.history_store_max_bytes);
        out.value("history_ttl_secs", self.dialects.history_ttl_secs);
        out.header("[retry]");
        out.value("max_attempts", self.retry.max_attempts);
        out.value("base_delay_ms", self.retry.base_delay_ms);
        out.value("max_delay_ms", self.retry.max_delay_ms);
        out.value("budget_percent", self.retry.budget_percent);
        out.value("min_per_sec", self.retry.min_per_sec);
        out.header("[limits]");
        out.bound("max_concurrency", self.limits.max_concurrency);
        out.bound("rate_limit_rpm", self.limits.rate_limit_rpm);
        out.bound("rate_limit_tpm", self.limits.rate_limit_tpm);
        out.value("max_waiting", self.limits.max_waiting);
        out.value("wait_secs", self.limits.wait_secs);
        out.value("rate_wait_secs", self.limits.rate_wait_secs);
        out.value("reserve_output", self.limits.reserve_output);
        out.value("max_inputs", self.limits.max_inputs);
        out.header("[deadlines]");
        out.value("connect_secs", self.deadlines.connect_secs);
        out.value("first_byte_secs", self.deadlines.first_byte_secs);
        out.value("idle_secs", self.deadlines.idle_secs);
        out.value("total_secs", self.deadlines.total_secs);
        out.value("body_secs", self.deadlines.body_secs);
        out.value("caller_stall_secs", self.deadlines.caller_stall_secs);
        for route in &self.routes {
            out.header("[[routes]]");
            out.text("model", &route.model);
            out.patience(&route.patience);
        }
        out.header("[log]");
        out.text("access", word(LogFormat::WORDS, self.log.access));
        out.text("level", word(LogLevel::WORDS, self.log.level));
        match &self.log.file {
            Some(file) => out.text("file", file),
            None => out.comment("file: the standard error"),
        }
        self.describe_storage(out);
    }

    fn describe_storage(&self, out: &mut Out) {
        out.header("[storage]");
        match &self.storage.path {
            Some(path) => out.text("path", path),
            None => {
                let _ = writeln!(out.0, "# path: hoosh.db in the platform's data folder");
            }
        }
        out.value("request_days", self.storage.request_days);
    }
}

fn describe_provider(out: &mut Out, provider: &Provider) {
    out.header(if provider.found { "[[providers]] # found" } else { "[[providers]]" });
    out.text("type", &provider.type_name);
    out.text("name", &provider.name);
    if let Some(url) = &provider.base_url {
        out.text("base_url", &url.to_string());
        if let Some(proxy) = &url.origin.proxy {
            out.comment(&format!("through the proxy {} on port {}, of the environment", proxy.host, proxy.port));
        }
    }
    if provider.kind == ProviderKind::Http {
        out.text("dialect", provider.dialect.as_str());
    }
    match provider.credentials.len() {
        0 => {}
        1 => out.text("api_key", HIDDEN),
        several => out.list("api_keys", &vec![HIDDEN.to_owned(); several]),
    }
    for (at, credential) in provider.credentials.iter().enumerate() {
        credential.renewal.iter().for_each(|renewal| out.comment(&told(at + 1, renewal)));
    }
    out.value("priority", provider.priority);
    out.list("models", &provider.models);
    out.bound("max_concurrency", provider.max_concurrency);
    out.bound("rate_limit_rpm", provider.rate_limit_rpm);
    out.bound("rate_limit_tpm", provider.rate_limit_tpm);
    out.bound("max_tokens_limit", provider.max_tokens_limit);
    if !provider.headers.is_empty() {
        let hidden = provider.headers.iter().map(|(name, _)| format!("{} = \"{HIDDEN}\"", toml::Value::from(&**name)));
        out.value("headers", format!("{{ {} }}", hidden.collect::<Vec<_>>().join(", ")));
    }
    if !provider.engine.option_names.is_empty() {
        let names = provider.engine.option_names.iter();
        let hidden = names.map(|name| format!("{} = \"{HIDDEN}\"", toml::Value::from(name.as_str())));
        out.value("options", format!("{{ {} }}", hidden.collect::<Vec<_>>().join(", ")));
    }
    provider.engine.keys.iter().for_each(|(key, value)| out.value(key, value));
    out.patience(&provider.patience);
    if let Some(terms) = provider.base_url.as_ref().and_then(|url| url.origin.terms.as_ref()) {
        describe_terms(out, terms);
    }
}

fn describe_terms(out: &mut Out, terms: &TlsTerms) {
    out.header("[providers.tls]");
    match &terms.ca {
        Some(ca) => out.text("ca_file", &ca.path),
        None => out.comment("ca_file: the system's authorities"),
    }
    match &terms.identity {
        Some(identity) => {
            out.text("client_cert_file", &identity.certificate.path);
            out.text("client_key_file", &identity.key.path);
        }
        None => out.comment("client_cert_file: none is shown"),
    }
    out.list("pins", &terms.pins.iter().map(ToString::to_string).collect::<Vec<_>>());
}

/// Where a credential is read again, without path and words, which may tell too much.
fn told(number: usize, renewal: &Renewal) -> String {
    let place = match renewal.source {
        CredentialSource::File(_) => "a file",
        CredentialSource::Command(_) => "a command",
    };
    match renewal.refresh_secs {
        Some(seconds) => format!("key {number}: of {place}; refresh_secs = {seconds}"),
        None => format!("key {number}: of {place}, read again when it is refused"),
    }
}

/// What is not known is left out.
fn describe_model(out: &mut Out, model: &Model) {
    out.header("[[models]]");
    out.text("name", &model.name);
    model.provider.iter().for_each(|provider| out.text("provider", provider));
    for (key, able) in [("tools", model.tools), ("images", model.images), ("audio", model.audio)] {
        able.iter().for_each(|able| out.value(key, able));
    }
    model.context_tokens.iter().for_each(|bound| out.value("context_tokens", bound));
    model.max_output_tokens.iter().for_each(|bound| out.value("max_output_tokens", bound));
}

fn describe_price(out: &mut Out, price: &Price) {
    out.header("[[prices]]");
    out.text("model", &price.model);
    if let Some(provider) = &price.provider {
        out.text("provider", provider);
    }
    describe_rates(out, &price.rates);
    if let Some(long) = &price.long_prompts {
        describe_long_prompts(out, "[prices.long_prompts]", long);
    }
}

fn describe_rates(out: &mut Out, rates: &Rates) {
    let usd = |micro: u64| format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    for (key, rate) in rates.named() {
        rate.iter().for_each(|&rate| out.text(key, &usd(rate)));
    }
}

fn describe_long_prompts(out: &mut Out, header: &str, long: &LongPrompts) {
    out.header(header);
    out.value("above_tokens", long.above_tokens);
    describe_rates(out, &long.rates);
}

fn describe_type(out: &mut Out, kind: &ProviderType) {
    out.header("[[catalogue.providers]]");
    out.text("name", &kind.name);
    out.list("aliases", &kind.aliases);
    out.text("dialect", kind.dialect.as_str());
    out.optional("origin", kind.origin.as_deref(), "each provider says where it is");
    out.text("prefix", &kind.prefix);
    out.optional("key_variable", kind.key_variable.as_deref(), "no key of its own accord");
    out.optional("auth", kind.auth.map(|auth| word(AuthScheme::WORDS, auth)), "as the dialect has it");
    out.list("services", &kind.services.all().map(|service| service.as_str().to_owned()).collect::<Vec<_>>());
    out.list("quirks", &kind.quirks.iter().map(|&quirk| quirk.to_owned()).collect::<Vec<_>>());
    out.value("local", kind.local);
    out.value("found", kind.found);
    out.optional("source", kind.source.as_deref(), "none");
}

fn describe_known(out: &mut Out, model: &KnownModel) {
    let texts = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    out.header("[[catalogue.models]]");
    out.text("provider", &model.provider);
    out.text("name", &model.name);
    for (key, bound) in [("context_tokens", model.context_tokens), ("max_output_tokens", model.max_output_tokens)] {
        match bound {
            Some(bound) => out.value(key, bound),
            None => out.comment(&format!("{key}: not known")),
        }
    }
    out.list("modalities", &texts(&model.modalities));
    out.list("capabilities", &texts(&model.capabilities));
    for (key, rate) in model.price.map(|price| price.rates).unwrap_or_default().named() {
        let rate = rate.filter(|_| model.price.is_some());
        out.optional(key, rate.map(decimal).as_deref(), "not known");
    }
    out.optional("as_of", model.as_of.as_deref(), "none");
    out.optional("source", model.source.as_deref(), "none");
    if let Some(long) = model.price.and_then(|price| price.long_prompts) {
        describe_long_prompts(out, "[catalogue.models.long_prompts]", &long);
    }
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
    out.bound("rate_limit_tpm", token.rate_limit_tpm);
    out.bound("max_tokens_limit", token.max_tokens_limit);
    out.text("priority", token.priority.word());
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

    /// A text, or what it means that there is none.
    fn optional(&mut self, key: &str, text: Option<&str>, none: &str) {
        match text {
            Some(text) => self.text(key, text),
            None => self.comment(&format!("{key}: {none}")),
        }
    }

    fn comment(&mut self, words: &str) {
        let _ = writeln!(self.0, "# {words}");
    }

    fn list(&mut self, key: &str, texts: &[String]) {
        self.value(key, toml::Value::from(texts.to_vec()));
    }

    fn patience(&mut self, patience: &Patience) {
        for (key, seconds) in patience.keys() {
            if let Some(seconds) = seconds {
                self.value(key, seconds);
            }
        }
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
