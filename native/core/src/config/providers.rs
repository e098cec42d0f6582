//! `[[providers]]` and `[auth] tokens`: the two tables with names, secrets and model patterns in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use super::candle;
use super::catalogue::{Catalogue, ProviderType};
use super::credential::credential;
use super::engines::{self, Maker};
use super::reader::{unknown_word, Checked, Source, Table, Words};
use super::{schema, url, BaseUrl, Budget, Credential, Provider, ProviderKind, Secret, Token};
use crate::dialects::Dialect;
use crate::egress::proxy_of;
use crate::engine::Priority;
use crate::http::Origin;

/// Longest model name or pattern, bytes. Bounds what routing hashes for each distinct prefix length.
const MAX_MODEL_BYTES: usize = 256;
/// Most credentials of one provider: each has a label in the metrics.
const MAX_CREDENTIALS: usize = 64;
/// Most `*` of one pattern. Each may have to look through the rest of a name.
const MAX_STARS: usize = 8;

pub fn providers(top: &Table<'_>, catalogue: &Catalogue, warnings: &mut Vec<String>) -> Checked<Vec<Provider>> {
    // Where each begins: which line that is takes a look at the whole text before it.
    let mut starts = BTreeMap::new();
    let mut providers = Vec::new();
    for t in top.tables("providers", &schema::PROVIDERS)? {
        let provider = provider(&t, catalogue, warnings)?;
        if let Some(start) = starts.insert(provider.name.clone(), t.span.start) {
            let (name, first) = (&provider.name, t.source.line(start));
            return t.fail(
                "name",
                format_args!("is taken: the provider on line {first} is called `{name}` too; give each its own `name`"),
            );
        }
        providers.push(provider);
    }
    Ok(providers)
}

fn provider(t: &Table<'_>, catalogue: &Catalogue, warnings: &mut Vec<String>) -> Checked<Provider> {
    let (kind, maker) = provider_type(t, catalogue)?;
    let mut provider = Provider { priority: 10, ..kind.provider() };
    if let Some(name) = t.string("name")?.or(maker.default_name()) {
        check_name(t, "name", name)?;
        provider.name = name.to_owned();
    }
    t.integer("priority", &mut provider.priority)?;
    provider.models = patterns(t)?;
    provider.max_concurrency = t.bound("max_concurrency")?;
    provider.rate_limit_rpm = t.bound("rate_limit_rpm")?;
    provider.rate_limit_tpm = t.bound("rate_limit_tpm")?;
    provider.max_tokens_limit = t.bound("max_tokens_limit")?;
    provider.headers = super::headers::fixed(t)?;
    provider.patience = super::routes::patience(t)?;
    if kind.kind == ProviderKind::Engine {
        for key in ["base_url", "dialect", "api_key", "api_keys", "headers", "tls"] {
            if t.value(key).is_some() {
                return t.fail(key, "has no meaning for an engine, which runs in this process; remove it");
            }
        }
        if kind.name == candle::TYPE {
            provider.engine = candle::source(t, &mut provider)?;
            return no_options(t, &kind.name, provider);
        }
        no_candle(t, &kind.name)?;
        if maker != Maker::Program {
            provider.type_name = t.string("type")?.unwrap_or_default().to_owned();
        }
        provider.engine = engines::source(t, maker)?;
        return Ok(provider);
    }
    no_candle(t, &kind.name)?;
    if t.value("options").is_some() {
        return t.fail("options", "has no meaning for a provider over HTTP; it is for engines of this process");
    }
    t.choice("dialect", &Dialect::ALL.map(|dialect| (dialect.as_str(), dialect)), &mut provider.dialect)?;
    let prefix = if provider.dialect == kind.dialect { &kind.prefix } else { provider.dialect.door().prefix };
    match t.expanded("base_url")? {
        Some(text) => match url::base_url(&text, prefix) {
            Ok(url) => provider.base_url = Some(url),
            Err(message) => return t.fail("base_url", message),
        },
        None => provider.base_url = kind.origin.as_ref().and_then(|origin| url::base_url(origin, prefix).ok()),
    }
    let Some(url) = provider.base_url.clone() else {
        return t.fail("base_url", format_args!("is missing; `{}` has no default address", kind.name));
    };
    if kind.prefix.len() > 3 && kind.prefix.strip_suffix("/v1") == Some(&url.prefix) {
        warnings.push(format!(
            "provider `{}`: the path `{}` of `base_url` is used as it stands, but {} answers under `{}`; add `/v1` or leave the path out",
            provider.name, url.prefix, kind.name, kind.prefix
        ));
    }
    provider.credentials = match credentials(t)? {
        Some(given) => given,
        None => default_key(t.source, kind, &provider.name, &url, warnings)
            .map(|secret| Credential { secret, renewal: None })
            .into_iter()
            .collect(),
    };
    if !provider.credentials.is_empty() && !url.origin.tls && !is_loopback(&url.origin.host) {
        warnings.push(format!("provider `{}`: its key crosses the network unencrypted; use `https://`", provider.name));
    }
    let url = super::terms::with_terms(t, url)?;
    match through_proxy(url, &|name| t.source.proxy_variable(name)) {
        Ok(url) => provider.base_url = Some(url),
        Err(wrong) => return t.fail("base_url", format_args!("cannot be reached: {wrong}")),
    }
    Ok(provider)
}

fn no_options(t: &Table<'_>, kind: &str, provider: Provider) -> Checked<Provider> {
    match t.value("options") {
        Some(_) => t.fail(
            "options",
            format_args!("has no meaning for `{kind}`, which has keys of its own: `files`, `max_sequences`"),
        ),
        None => Ok(provider),
    }
}

fn no_candle(t: &Table<'_>, kind: &str) -> Checked<()> {
    match candle::KEYS.iter().find(|key| t.value(key).is_some()) {
        Some(key) => t.fail(key, format_args!("has no meaning for `{kind}`; it is for `{}`", candle::TYPE)),
        None => Ok(()),
    }
}

/// `api_key` or `api_keys`; `None` if there is neither.
fn credentials(t: &Table<'_>) -> Checked<Option<Vec<Credential>>> {
    if let Some(credential) = credential(t, "api_key")? {
        if t.value("api_keys").is_some() {
            return t.fail("api_keys", "stands beside `api_key`; move that one into the list");
        }
        return Ok(Some(vec![credential]));
    }
    if t.value("api_keys").is_none() {
        return Ok(None);
    }
    let mut credentials: Vec<Credential> = Vec::new();
    for value in t.array("api_keys")? {
        let credential = super::credential::one(t, "api_keys", value)?;
        if let Some(first) = credentials.iter().position(|known| known.is_same(&credential)) {
            let message = format!("this key is number {} of `api_keys` already; remove one", first + 1);
            return t.source.error(&value.span(), message);
        }
        credentials.push(credential);
    }
    match credentials.len() {
        0 => t.fail("api_keys", "is empty; write the keys, or leave it out"),
        1..=MAX_CREDENTIALS => Ok(Some(credentials)),
        many => t.fail("api_keys", format_args!("holds {many} keys; {MAX_CREDENTIALS} are the most")),
    }
}

/// A type of the catalogue; or who makes an engine that is in none.
fn provider_type<'c>(t: &Table<'_>, catalogue: &'c Catalogue) -> Checked<(&'c ProviderType, Maker)> {
    let known = || catalogue.all().map(|kind| kind.name.as_str());
    let Some(text) = t.string("type")? else {
        let known = known().collect::<Vec<_>>().join(", ");
        return t.fail("type", format_args!("is missing; it is one of {known}"));
    };
    if let Some(found) = catalogue.find(text) {
        return Ok((found, Maker::Program));
    }
    if let Some((engine, maker)) = catalogue.find("engine").zip(engines::maker(t, text)?) {
        return Ok((engine, maker));
    }
    let offered = t.source.engine_types();
    let known: Vec<&str> = known().chain(offered.iter().map(String::as_str)).chain(["python:module:Name"]).collect();
    t.fail("type", format_args!("is {}", unknown_word(text, known.into_iter())))
}

/// The type's own variable, but only for the type's own service: a key found in the environment must not travel to
/// whatever address stands in the file.
fn default_key(
    source: Source<'_>,
    kind: &ProviderType,
    name: &str,
    url: &BaseUrl,
    warnings: &mut Vec<String>,
) -> Option<Secret> {
    let variable = kind.key_variable.as_deref()?;
    let key = source.variable(variable).filter(|key| is_header_text(key));
    let own = kind.home.as_ref().is_some_and(|home| home.origin == url.origin);
    match (own, key) {
        (true, Some(key)) => return Some(Secret::new(key)),
        (true, None) => warnings.push(format!(
            "provider `{name}` has no key: set the environment variable {variable}, or `api_key` in its table"
        )),
        (false, Some(_)) => warnings.push(format!(
            "provider `{name}` is asked without a key: {variable} is only sent to {} of its own accord; \
             write api_key = \"${variable}\" to send it here",
            kind.origin.as_deref().unwrap_or_default()
        )),
        (false, None) => {}
    }
    None
}

/// An address with the proxy that the environment names for it.
pub fn through_proxy(url: BaseUrl, variable: &dyn Fn(&str) -> Option<String>) -> Result<BaseUrl, String> {
    match proxy_of(&url.origin, variable)? {
        None => Ok(url),
        proxy => Ok(BaseUrl { origin: Arc::new(Origin { proxy, ..(*url.origin).clone() }), ..url }),
    }
}

/// `[auth] tokens`: strings or tables.
pub fn tokens(top: &Table<'_>, budgets: &[Budget]) -> Checked<Vec<Token>> {
    let Some(auth) = top.table("auth", &schema::AUTH)? else { return Ok(Vec::new()) };
    let budgets = Words::of(budgets.iter().map(|budget| budget.name.as_str()));
    let (mut names, mut secrets) = (BTreeSet::new(), BTreeMap::new());
    let mut tokens = Vec::new();
    for (index, value) in auth.array("tokens")?.iter().enumerate() {
        let name = format!("key-{}", index + 1);
        let token = match value.get_ref() {
            DeValue::String(text) => Token { token: secret(&auth, text, &value.span())?, name, ..Token::default() },
            DeValue::Table(entries) => {
                token_table(&Table::new(auth.source, entries, value.span(), &schema::TOKENS)?, name, &budgets)?
            }
            _ => return auth.wrong_type("tokens", value, "array of strings or tables"),
        };
        if !names.insert(token.name.clone()) {
            let message = format!("two tokens are called `{}`; give each its own `name`", token.name);
            return auth.source.error(&value.span(), message);
        }
        if let Some(other) = secrets.insert(token.token.expose().to_owned(), token.name.clone()) {
            let message = format!("tokens `{other}` and `{}` are the same; remove one", token.name);
            return auth.source.error(&value.span(), message);
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn token_table(t: &Table<'_>, default_name: String, budgets: &Words<'_>) -> Checked<Token> {
    let Some(text) = t.string("token")? else { return t.fail("token", "is missing; write the key or `$NAME`") };
    let mut token = Token { token: secret(t, text, &t.at("token"))?, name: default_name, ..Token::default() };
    if let Some(name) = t.string("name")? {
        check_name(t, "name", name)?;
        token.name = name.to_owned();
    }
    token.models = patterns(t)?;
    if let Some(budget) = t.string("budget")? {
        if !budgets.contains(budget) {
            return t.fail("budget", format_args!("is {}; add it under [[budgets]]", budgets.unknown(budget)));
        }
        token.budget = Some(budget.to_owned());
    }
    token.max_concurrency = t.bound("max_concurrency")?;
    token.rate_limit_rpm = t.bound("rate_limit_rpm")?;
    token.rate_limit_tpm = t.bound("rate_limit_tpm")?;
    token.max_tokens_limit = t.bound("max_tokens_limit")?;
    t.choice("priority", Priority::WORDS, &mut token.priority)?;
    Ok(token)
}

fn secret(t: &Table<'_>, text: &str, at: &Range<usize>) -> Checked<Secret> {
    let text = t.source.expand(text, at)?;
    if !is_header_text(&text) {
        return t
            .source
            .error(at, "a token must be one line of visible ASCII without spaces, because it comes in a header");
    }
    Ok(Secret::new(text))
}

/// `models`: names, or patterns with `*`.
fn patterns(t: &Table<'_>) -> Checked<Vec<String>> {
    let mut patterns = Vec::new();
    for (text, at) in t.strings("models")? {
        model_name(t, text, &at)?;
        patterns.push(text.to_owned());
    }
    Ok(patterns)
}

/// What may be written where a model, or a pattern of models, is named.
pub fn model_name(t: &Table<'_>, text: &str, at: &Range<usize>) -> Checked<()> {
    let message = if text.is_empty() {
        "a model name must not be empty; leave `models` out for every model"
    } else if text.len() > MAX_MODEL_BYTES {
        "a model name may have 256 bytes"
    } else if text.bytes().filter(|byte| *byte == b'*').count() > MAX_STARS {
        "a model pattern may have 8 `*`"
    } else if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        "a model name must not contain spaces or control characters"
    } else {
        return Ok(());
    };
    t.source.error(at, message)
}

/// The name of a model, or a prefix that ends in `*`.
pub fn check_pattern(t: &Table<'_>, text: &str, at: &Range<usize>) -> Checked<()> {
    pattern_fault(text).map_or(Ok(()), |message| t.source.error(at, message))
}

/// What is wrong with a model's name or prefix.
pub fn pattern_fault(text: &str) -> Option<&'static str> {
    let stem = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() {
        Some("a model name must not be empty; leave `models` out for every model")
    } else if stem.contains('*') {
        Some("a model pattern may have one `*`, at its end")
    } else if text.len() > MAX_MODEL_BYTES {
        Some("a model name may have 256 bytes")
    } else if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        Some("a model name must not contain spaces or control characters")
    } else {
        None
    }
}

/// Names go into `provider/model`, headers, metrics and rows, so that they are plain.
pub fn check_name(t: &Table<'_>, key: &str, name: &str) -> Checked<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'@');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return t.fail(key, "must have 1 to 64 of the letters a-z, A-Z, digits and `-_.:@`");
    }
    Ok(())
}

pub fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether only this machine can reach it.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl ProviderType {
    /// A provider of this type with every default but `priority`.
    pub(super) fn provider(&self) -> Provider {
        Provider {
            name: self.name.clone(),
            type_name: self.name.clone(),
            kind: self.kind,
            dialect: self.dialect,
            base_url: self.home.clone(),
            auth: self.auth,
            manners: self.manners,
            services: self.services,
            ..Provider::default()
        }
    }
}
