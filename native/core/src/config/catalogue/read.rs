//! A catalogue out of TOML: hoosh's own and an operator's `[catalogue]` alike.

use std::collections::HashSet;

use toml::de::DeTable;

use super::{fold, AuthScheme, Catalogue, KnownModel, KnownPrice, ProviderType, CAPABILITIES, MODALITIES};
use crate::config::parse::{syntax, ConfigError};
use crate::config::providers::{check_name, check_pattern};
use crate::config::reader::{unknown_word, Checked, Source, Table};
use crate::config::{prices, schema, url};
use crate::dialects::openai::quirks::{Quirk, QUIRKS};
use crate::dialects::passed::{Service, Services};
use crate::dialects::Dialect;

/// The types of a file.
pub(super) fn types(text: &str) -> Result<Catalogue, ConfigError> {
    let mut catalogue = Catalogue::default();
    whole(text, |t| read_types(t, &mut catalogue))?;
    Ok(catalogue)
}

/// The models of a file, which are at these types.
pub(super) fn models(text: &str, types: &[ProviderType]) -> Result<Vec<KnownModel>, ConfigError> {
    let mut models = Vec::new();
    whole(text, |t| read_models(t, &types.iter().collect::<Vec<_>>(), &mut models))?;
    Ok(models)
}

fn whole<T>(text: &str, read: impl FnOnce(&Table<'_>) -> Checked<T>) -> Result<T, ConfigError> {
    let source = Source::new(text, &|_: &str| None);
    let root = DeTable::parse(text).map_err(|error| syntax(source, text, &error))?;
    read(&Table::new(source, root.get_ref(), 0..0, &schema::CATALOGUE)?)
}

/// `[catalogue]`, with what is in its file.
pub fn catalogue(top: &Table<'_>) -> Checked<Catalogue> {
    let mut catalogue = Catalogue::default();
    let Some(t) = top.table("catalogue", &schema::CATALOGUE)? else { return Ok(catalogue) };
    t.boolean("prices", &mut catalogue.prices)?;
    read_types(&t, &mut catalogue)?;
    let Some(path) = t.expanded("file")? else {
        add_models(&t, &mut catalogue)?;
        return Ok(catalogue);
    };
    if path.is_empty() || path.contains('\0') {
        return t.fail("file", "must be the path of a file");
    }
    let text = match t.source.catalogue(&path) {
        Ok(text) => text,
        Err(why) => return t.fail("file", format_args!("cannot be had: {why}")),
    };
    let there = |error: ConfigError| ConfigError {
        line: Some(t.source.line(t.at("file").start)),
        message: match error.line {
            Some(line) => format!("{path}, line {line}: {}", error.message),
            None => format!("{path}: {}", error.message),
        },
    };
    // Types first: models of either place may be at types of the other.
    in_file(&text, |t| read_types(t, &mut catalogue)).map_err(there)?;
    add_models(&t, &mut catalogue)?;
    in_file(&text, |t| add_models(t, &mut catalogue)).map_err(there)?;
    catalogue.file = Some(path);
    Ok(catalogue)
}

/// `[catalogue]` of a file that has nothing else.
fn in_file(text: &str, read: impl FnOnce(&Table<'_>) -> Checked<()>) -> Checked<()> {
    // Of the environment nothing is asked: a catalogue holds no secrets.
    let source = Source::new(text, &|_: &str| None);
    let root = DeTable::parse(text).map_err(|error| syntax(source, text, &error))?;
    let bare = root.get_ref().iter().find(|(key, _)| matches!(&**key.get_ref(), "providers" | "models"));
    if let Some((key, _)) = bare {
        let name = key.get_ref();
        return source.error(&key.span(), format!("`{name}` is written as in hoosh.toml: `[[catalogue.{name}]]`"));
    }
    let top = Table::new(source, root.get_ref(), 0..0, &schema::CATALOGUE_FILE)?;
    match top.table("catalogue", &schema::CATALOGUE_OF_FILE)? {
        Some(t) => read(&t),
        None => source.error(&(0..0), "says nothing; write `[[catalogue.providers]]` or `[[catalogue.models]]`"),
    }
}

fn add_models(t: &Table<'_>, catalogue: &mut Catalogue) -> Checked<()> {
    let mut models = std::mem::take(&mut catalogue.models);
    read_models(t, &catalogue.all().collect::<Vec<_>>(), &mut models)?;
    catalogue.models = models;
    Ok(())
}

fn read_types(t: &Table<'_>, catalogue: &mut Catalogue) -> Checked<()> {
    for t in t.tables("providers", &schema::CATALOGUE_PROVIDERS)? {
        let kind = provider_type(&t)?;
        for name in std::iter::once(&kind.name).chain(&kind.aliases) {
            if catalogue.own(name).is_some() {
                return t.fail("name", format_args!("is taken: two types are called `{name}`; rename one"));
            }
        }
        catalogue.types.push(kind);
    }
    Ok(())
}

/// Adds those of a table to `models`.
fn read_models(t: &Table<'_>, types: &[&ProviderType], models: &mut Vec<KnownModel>) -> Checked<()> {
    let name = |model: &KnownModel| (model.provider.clone(), model.name.clone());
    let mut taken: HashSet<_> = models.iter().map(name).collect();
    for t in t.tables("models", &schema::CATALOGUE_MODELS)? {
        let model = model(&t, types)?;
        if !taken.insert(name(&model)) {
            return t.fail("name", format_args!("is taken: two tables describe `{}`; join them", model.name));
        }
        models.push(model);
    }
    Ok(())
}

fn model(t: &Table<'_>, types: &[&ProviderType]) -> Checked<KnownModel> {
    let Some(provider) = t.string("provider")? else { return t.fail("provider", "is missing; name a provider type") };
    let folded = fold(provider);
    let Some(kind) = types.iter().find(|kind| kind.is_called(&folded)) else {
        let known = types.iter().map(|kind| kind.name.as_str());
        return t.fail("provider", format_args!("is {}", unknown_word(provider, known)));
    };
    let Some(name) = t.string("name")? else { return t.fail("name", "is missing; name a model, or `prefix*`") };
    check_pattern(t, name, &t.at("name"))?;
    let mut model = KnownModel { provider: kind.name.clone(), name: name.to_owned(), ..KnownModel::default() };
    for (key, into) in
        [("context_tokens", &mut model.context_tokens), ("max_output_tokens", &mut model.max_output_tokens)]
    {
        let mut bound = 0u64;
        t.integer(key, &mut bound)?;
        *into = (bound > 0).then_some(bound);
    }
    model.modalities = words(t, "modalities", "modality", MODALITIES)?;
    model.capabilities = words(t, "capabilities", "capability", CAPABILITIES)?;
    model.price = price(t)?;
    model.as_of = t.string("as_of")?.map(str::to_owned);
    if model.as_of.as_ref().is_some_and(|day| !is_day(day)) {
        return t.fail("as_of", "must be a day, such as `2026-11-27`");
    }
    model.source = t.string("source")?.map(str::to_owned);
    Ok(model)
}

fn price(t: &Table<'_>) -> Checked<Option<KnownPrice>> {
    let long_prompts = prices::long_prompts(t, &schema::CATALOGUE_MODELS_LONG_PROMPTS)?;
    match prices::rates(t)? {
        Some(rates) => Ok(Some(KnownPrice { rates, long_prompts })),
        None if long_prompts.is_some() => t.fail("input_usd_per_mtok", "is missing beside `long_prompts`"),
        None => Ok(None),
    }
}

/// `YYYY-MM-DD`, as far as its form tells.
fn is_day(text: &str) -> bool {
    let digit = |at: usize, byte: u8| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(|(at, byte)| digit(at, byte))
}

fn words(t: &Table<'_>, key: &str, noun: &str, known: &[&'static str]) -> Checked<Vec<&'static str>> {
    let mut words = Vec::new();
    for (text, at) in t.strings(key)? {
        match known.iter().find(|word| **word == text) {
            Some(word) => words.push(*word),
            None => {
                let message = format!("the {noun} is {}", unknown_word(text, known.iter().copied()));
                return t.source.error(&at, message);
            }
        }
    }
    Ok(words)
}

fn provider_type(t: &Table<'_>) -> Checked<ProviderType> {
    let Some(name) = t.string("name")? else { return t.fail("name", "is missing; name the type") };
    check_name(t, "name", name)?;
    if ENGINES.contains(&fold(name).as_str()) {
        return t.fail("name", format_args!("is taken: `{name}` is computed in this process"));
    }
    let mut kind = ProviderType::named(name);
    for (alias, at) in t.strings("aliases")? {
        if alias.is_empty() {
            return t.source.error(&at, "an alias must not be empty");
        }
        kind.aliases.push(alias.to_owned());
    }
    t.choice("dialect", &Dialect::ALL.map(|dialect| (dialect.as_str(), dialect)), &mut kind.dialect)?;
    kind.prefix = t.string("prefix")?.unwrap_or(kind.dialect.door().prefix).to_owned();
    if !kind.prefix.is_empty() && (!kind.prefix.starts_with('/') || kind.prefix.ends_with('/')) {
        return t.fail("prefix", "must begin with `/` and not end with it, such as `/v1`; empty for none");
    }
    if let Err(message) = url::base_url(&format!("http://host{}", kind.prefix), "") {
        return t.fail("prefix", message);
    }
    if let Some(origin) = t.string("origin")? {
        match url::base_url(origin, &kind.prefix) {
            Ok(url) if url.prefix == kind.prefix => kind.home = Some(url),
            Ok(_) => return t.fail("origin", "must end with host and port; the path goes into `prefix`"),
            Err(message) => return t.fail("origin", message),
        }
        kind.origin = Some(origin.trim_end_matches('/').to_owned());
    }
    kind.key_variable = t.string("key_variable")?.map(str::to_owned);
    let is_variable = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if kind.key_variable.as_ref().is_some_and(|name| name.is_empty() || !is_variable(name)) {
        return t.fail("key_variable", "must be the name of an environment variable, without `$`, never the key");
    }
    if t.value("auth").is_some() {
        let mut auth = AuthScheme::Bearer;
        t.choice("auth", AuthScheme::WORDS, &mut auth)?;
        kind.auth = Some(auth);
    }
    kind.services = services(t)?;
    quirks(t, &mut kind)?;
    t.boolean("local", &mut kind.local)?;
    t.boolean("found", &mut kind.found)?;
    if kind.found && (!kind.local || kind.origin.is_none()) {
        return t.fail("found", "is for what is `local` and has an `origin`");
    }
    kind.source = t.string("source")?.map(str::to_owned);
    Ok(kind)
}

/// Types that no catalogue describes, as [`fold`] writes them.
const ENGINES: [&str; 2] = ["candle", "engine"];

fn services(t: &Table<'_>) -> Checked<Services> {
    let known: Vec<&'static str> = Service::ALL.iter().map(|service| service.as_str()).collect();
    let named = words(t, "services", "service", &known)?;
    let services = Service::ALL.iter().copied().filter(|service| named.contains(&service.as_str()));
    Ok(Services::of(&services.collect::<Vec<_>>()))
}

fn quirks(t: &Table<'_>, kind: &mut ProviderType) -> Checked<()> {
    kind.quirks = words(t, "quirks", "quirk", &QUIRKS.iter().map(|quirk| quirk.name).collect::<Vec<_>>())?;
    let quirks = kind.quirks.iter().filter_map(|name| Quirk::named(name));
    quirks.for_each(|quirk| quirk.apply(&mut kind.manners));
    Ok(())
}
