//! TOML to [`Config`]. Everything that can be wrong is said with its line and the way to mend it.

use std::collections::HashSet;

use toml::de::DeTable;

use super::names;
use super::prices::prices;
use super::providers::{providers, tokens};
use super::reader::{Checked, Source, Table};
use super::{
    schema, url, Budget, Cache, CacheMode, Config, CredentialSource, Deadlines, HistoryPlace, Idempotency, Limits, Log,
    LogFormat, LogLevel, Retry, Server, Storage, Strategy,
};
use crate::egress::TlsTerms;

/// Where `$NAME` is looked up. A function will do.
pub trait Environment {
    /// The value of a variable.
    fn get(&self, name: &str) -> Option<String>;

    /// What a credential's source says now, or why it does not, in words that quote nothing of it.
    fn read(&self, source: &CredentialSource) -> Result<String, String> {
        let _ = source;
        Err("files and commands are not read here; use `$NAME`".into())
    }

    /// The text of a file of `[providers.tls]`, or why it cannot be had, in words that quote nothing of it.
    fn pem(&self, path: &str) -> Result<String, String> {
        let _ = path;
        Err("files are not read here".into())
    }

    /// The text of the file of `[catalogue]`, or why it cannot be had. A path that is not absolute is found beside the
    /// configuration's own file, where there is one.
    fn catalogue(&self, path: &str) -> Result<String, String> {
        let _ = path;
        Err("files are not read here".into())
    }

    /// Why whatever connects to providers here cannot keep these terms of TLS, if it cannot. What keeps none refuses all, so that
    /// no provider is asked on other terms than its operator's.
    fn keeps(&self, terms: &TlsTerms) -> Result<(), String> {
        let _ = terms;
        Err("what connects to providers here cannot keep it".into())
    }

    /// Whether what connects to providers here goes through the proxies that variables name.
    fn has_proxies(&self) -> bool {
        false
    }

    /// Types of engines that installed packages offer. Asked only where a `type` is not known.
    fn engine_types(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// What is wrong with a configuration, in the operator's words. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// What and how to mend it.
    pub message: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
impl std::error::Error for ConfigError {}

/// Parses and checks. What is odd but workable is in [`Config::warnings`].
pub fn parse(text: &str, environment: &dyn Environment) -> Result<Config, ConfigError> {
    let source = Source::new(text, environment);
    let root = DeTable::parse(text).map_err(|error| syntax(source, text, &error))?;
    let top = Table::new(source, root.get_ref(), 0..0, &schema::TOP)?;

    let mut config = Config { server: server(&top)?, budgets: budgets(&top)?, ..Config::default() };
    config.catalogue = super::catalogue::catalogue(&top)?;
    config.providers = providers(&top, &config.catalogue, &mut config.warnings)?;
    config.aliases = names::aliases(&top)?;
    config.models = names::models(&top, &config)?;
    names::warn_of_lost_names(&mut config);
    config.auth.tokens = tokens(&top, &config.budgets)?;
    config.prices = prices(&top, &config.providers)?;
    config.cache = cache(&top)?;
    config.idempotency = idempotency(&top)?;
    config.dialects = super::dialects::dialects(&top)?;
    config.retry = retry(&top)?;
    config.limits = limits(&top)?;
    config.deadlines = deadlines(&top)?;
    config.routes = super::routes::routes(&top)?;
    config.log = log(&top)?;
    config.storage = storage(&top)?;
    if config.dialects.history == HistoryPlace::Store && config.storage.path.as_deref() == Some(MEMORY) {
        let dialects = top.table("dialects", &schema::DIALECTS)?;
        let at = dialects.map_or(0..0, |t| t.at("history"));
        let words = "`history` in [dialects] is `store`, and [storage] keeps none; name a file in [storage] path";
        return source.error(&at, words);
    }

    if let Some(message) = config.exposed() {
        let at = top.table("server", &schema::SERVER)?.map_or(0..0, |t| t.at("bind"));
        return source.error(&at, message);
    }
    warn_of_small_minutes(&mut config);
    if config.providers.is_empty() {
        config.warnings.push("no [[providers]]: every request will be refused with 404; add one".into());
    }
    Ok(config)
}

/// Of minutes whose tokens are not enough for one chat that names no cap, since its output is taken for `reserve_output`, or
/// for a `max_tokens_limit` below that.
fn warn_of_small_minutes(config: &mut Config) {
    let reserve = config.limits.reserve_output;
    let lowered = |most: Option<u32>| most.map_or(reserve, |most| reserve.min(u64::from(most)));
    let tokens = config.auth.tokens.iter();
    // Whoever has none below it meets it.
    let longest = tokens.clone().map(|token| lowered(token.max_tokens_limit)).max().unwrap_or(reserve);
    let gateway = ("[limits]".to_owned(), config.limits.rate_limit_tpm, longest);
    let keys = tokens.map(|t| (format!("key `{}`", t.name), t.rate_limit_tpm, lowered(t.max_tokens_limit)));
    let of = |p: &super::Provider| {
        (format!("provider `{}`", p.name), p.rate_limit_tpm, lowered(p.max_tokens_limit).min(longest))
    };
    let all = [gateway].into_iter().chain(keys).chain(config.providers.iter().map(of));
    let words = all.filter_map(|(whose, tpm, output)| {
        let tpm = tpm.filter(|tpm| u64::from(*tpm) <= output)?;
        Some(format!(
            "{whose}: `rate_limit_tpm` ({tpm}) is not more than the output that a request without max_tokens is taken for \
             ({output}, of `reserve_output`), so that each such chat is refused with 413; raise it, or lower `[limits] \
             reserve_output`"
        ))
    });
    let words: Vec<String> = words.collect();
    config.warnings.extend(words);
}

/// Only the parser's own words: its full display quotes the line, which may hold a secret.
pub(super) fn syntax(source: Source<'_>, text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(text.len(), |span| span.start);
    ConfigError { line: Some(source.line(offset)), message: format!("not valid TOML: {}", error.message()) }
}

fn server(top: &Table<'_>) -> Checked<Server> {
    let mut server = Server::default();
    let Some(t) = top.table("server", &schema::SERVER)? else { return Ok(server) };
    if let Some(bind) = t.expanded("bind")? {
        let bare = bind.strip_prefix('[').and_then(|b| b.strip_suffix(']')).unwrap_or(&bind);
        if bare.parse::<std::net::IpAddr>().is_err() && !url::is_host(&bind) {
            return t.fail("bind", "must be an address or host name without a port, such as `127.0.0.1`");
        }
        server.bind = bare.to_owned();
    }
    t.integer("port", &mut server.port)?;
    t.integer("threads", &mut server.threads)?;
    t.integer("max_connections", &mut server.max_connections)?;
    t.integer("max_connections_per_address", &mut server.max_connections_per_address)?;
    t.choice("strategy", Strategy::WORDS, &mut server.strategy)?;
    t.integer("max_body_bytes", &mut server.max_body_bytes)?;
    t.integer("max_audio_bytes", &mut server.max_audio_bytes)?;
    t.integer("max_file_bytes", &mut server.max_file_bytes)?;
    t.integer("max_buffered_bytes", &mut server.max_buffered_bytes)?;
    if server.max_buffered_bytes < server.max_body_bytes {
        let key = if t.value("max_buffered_bytes").is_some() { "max_buffered_bytes" } else { "max_body_bytes" };
        return t.fail(
            key,
            format_args!(
                "leaves no room for one body: `max_buffered_bytes` ({}) must be at least `max_body_bytes` ({})",
                server.max_buffered_bytes, server.max_body_bytes
            ),
        );
    }
    super::manners::server(&t, &mut server)?;
    Ok(server)
}

fn budgets(top: &Table<'_>) -> Checked<Vec<Budget>> {
    let (mut budgets, mut names) = (Vec::new(), HashSet::new());
    for t in top.tables("budgets", &schema::BUDGETS)? {
        let Some(name) = t.string("name")? else { return t.fail("name", "is missing; give the budget a name") };
        super::providers::check_name(&t, "name", name)?;
        if !names.insert(name) {
            return t.fail("name", format_args!("is taken: two budgets are called `{name}`; rename one"));
        }
        if t.value("capacity").is_none() {
            return t.fail("capacity", "is missing; say how many tokens the budget holds");
        }
        let mut budget = Budget { name: name.to_owned(), capacity: 0, slice: 0 };
        t.integer("capacity", &mut budget.capacity)?;
        budget.slice = (budget.capacity / 16).max(16_384).min((budget.capacity / 4).max(1));
        t.integer_in("slice", 1..=i64::try_from(budget.capacity).unwrap_or(i64::MAX), &mut budget.slice)?;
        budgets.push(budget);
    }
    Ok(budgets)
}

fn cache(top: &Table<'_>) -> Checked<Cache> {
    let mut cache = Cache::default();
    let Some(t) = top.table("cache", &schema::CACHE)? else { return Ok(cache) };
    t.boolean("enabled", &mut cache.enabled)?;
    t.choice("mode", CacheMode::WORDS, &mut cache.mode)?;
    t.integer("ttl_secs", &mut cache.ttl_secs)?;
    t.integer("max_entries", &mut cache.max_entries)?;
    t.integer("max_bytes", &mut cache.max_bytes)?;
    Ok(cache)
}

fn idempotency(top: &Table<'_>) -> Checked<Idempotency> {
    let mut idempotency = Idempotency::default();
    let Some(t) = top.table("idempotency", &schema::IDEMPOTENCY)? else { return Ok(idempotency) };
    t.integer("ttl_secs", &mut idempotency.ttl_secs)?;
    t.integer("max_entries", &mut idempotency.max_entries)?;
    t.integer("max_bytes", &mut idempotency.max_bytes)?;
    Ok(idempotency)
}

fn retry(top: &Table<'_>) -> Checked<Retry> {
    let mut retry = Retry::default();
    let Some(t) = top.table("retry", &schema::RETRY)? else { return Ok(retry) };
    t.integer("max_attempts", &mut retry.max_attempts)?;
    t.integer("base_delay_ms", &mut retry.base_delay_ms)?;
    t.integer("max_delay_ms", &mut retry.max_delay_ms)?;
    t.integer("budget_percent", &mut retry.budget_percent)?;
    t.integer("min_per_sec", &mut retry.min_per_sec)?;
    if retry.base_delay_ms > retry.max_delay_ms {
        let key = if t.value("max_delay_ms").is_some() { "max_delay_ms" } else { "base_delay_ms" };
        return t.fail(key, "is out of order: `base_delay_ms` must not be larger than `max_delay_ms`");
    }
    Ok(retry)
}

fn limits(top: &Table<'_>) -> Checked<Limits> {
    let mut limits = Limits::default();
    let Some(t) = top.table("limits", &schema::LIMITS)? else { return Ok(limits) };
    limits.max_concurrency = t.bound("max_concurrency")?;
    limits.rate_limit_rpm = t.bound("rate_limit_rpm")?;
    limits.rate_limit_tpm = t.bound("rate_limit_tpm")?;
    t.integer("max_waiting", &mut limits.max_waiting)?;
    t.integer("wait_secs", &mut limits.wait_secs)?;
    t.integer("rate_wait_secs", &mut limits.rate_wait_secs)?;
    t.integer("reserve_output", &mut limits.reserve_output)?;
    t.integer("max_inputs", &mut limits.max_inputs)?;
    Ok(limits)
}

fn log(top: &Table<'_>) -> Checked<Log> {
    let mut log = Log::default();
    let Some(t) = top.table("log", &schema::LOG)? else { return Ok(log) };
    t.choice("access", LogFormat::WORDS, &mut log.access)?;
    t.choice("level", LogLevel::WORDS, &mut log.level)?;
    if let Some(path) = t.string("file")? {
        if path.is_empty() || path.contains('\0') {
            return t.fail("file", "must be the path of a file; leave it out for the standard error");
        }
        log.file = Some(path.to_owned());
    }
    Ok(log)
}

fn deadlines(top: &Table<'_>) -> Checked<Deadlines> {
    let mut deadlines = Deadlines::default();
    let Some(t) = top.table("deadlines", &schema::DEADLINES)? else { return Ok(deadlines) };
    for (key, into) in [
        ("connect_secs", &mut deadlines.connect_secs),
        ("first_byte_secs", &mut deadlines.first_byte_secs),
        ("idle_secs", &mut deadlines.idle_secs),
        ("total_secs", &mut deadlines.total_secs),
        ("body_secs", &mut deadlines.body_secs),
        ("caller_stall_secs", &mut deadlines.caller_stall_secs),
    ] {
        t.integer(key, into)?;
    }
    Ok(deadlines)
}

/// The path of a store that keeps nothing.
const MEMORY: &str = ":memory:";

fn storage(top: &Table<'_>) -> Checked<Storage> {
    let mut storage = Storage::default();
    let Some(t) = top.table("storage", &schema::STORAGE)? else { return Ok(storage) };
    if let Some(path) = t.expanded("path")? {
        if path.is_empty() || path.contains('\0') {
            return t.fail("path", "must be the name of a file, or `:memory:` to keep nothing");
        }
        storage.path = Some(path);
    }
    t.integer("request_days", &mut storage.request_days)?;
    Ok(storage)
}
