//! A catalogue out of TOML: hoosh's own and an operator's `[catalogue]` alike.

use toml::de::DeTable;

use super::{fold, AuthScheme, Catalogue, ProviderType};
use crate::config::parse::{syntax, ConfigError};
use crate::config::providers::check_name;
use crate::config::reader::{unknown_word, Checked, Source, Table};
use crate::config::{schema, url};
use crate::dialects::openai::quirks::{Quirk, QUIRKS};
use crate::dialects::passed::{Service, Services};
use crate::dialects::Dialect;

/// A whole file.
pub(super) fn text(text: &str) -> Result<Catalogue, ConfigError> {
    let source = Source::new(text, &|_: &str| None);
    let root = DeTable::parse(text).map_err(|error| syntax(source, text, &error))?;
    read(&Table::new(source, root.get_ref(), 0..0, &schema::CATALOGUE)?)
}

/// `[catalogue]`
pub fn catalogue(top: &Table<'_>) -> Checked<Catalogue> {
    top.table("catalogue", &schema::CATALOGUE)?.map_or_else(|| Ok(Catalogue::default()), |t| read(&t))
}

fn read(t: &Table<'_>) -> Checked<Catalogue> {
    let mut catalogue = Catalogue::default();
    for t in t.tables("providers", &schema::CATALOGUE_PROVIDERS)? {
        let kind = provider_type(&t)?;
        for name in std::iter::once(&kind.name).chain(&kind.aliases) {
            if catalogue.own(name).is_some() {
                return t.fail("name", format_args!("is taken: two types are called `{name}`; rename one"));
            }
        }
        catalogue.types.push(kind);
    }
    Ok(catalogue)
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
    kind.prefix = t.string("prefix")?.unwrap_or(kind.dialect.prefix()).to_owned();
    if !kind.prefix.is_empty() && (!kind.prefix.starts_with('/') || kind.prefix.ends_with('/')) {
        return t.fail("prefix", "must begin with `/` and not end with it, such as `/v1`; empty for none");
    }
    if let Err(message) = url::base_url(&format!("http://host{}", kind.prefix), "") {
        return t.fail("prefix", message);
    }
    if let Some(origin) = t.string("origin")? {
        match url::base_url(origin, "") {
            Ok(url) if url.prefix.is_empty() => kind.origin = Some(origin.trim_end_matches('/').to_owned()),
            Ok(_) => return t.fail("origin", "must end with host and port; the path goes into `prefix`"),
            Err(message) => return t.fail("origin", message),
        }
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
    let mut services = Vec::new();
    for (word, at) in t.strings("services")? {
        match Service::ALL.iter().find(|service| service.as_str() == word) {
            Some(service) => services.push(*service),
            None => {
                let known = Service::ALL.iter().map(|service| service.as_str());
                return t.source.error(&at, format!("the service is {}", unknown_word(word, known)));
            }
        }
    }
    Ok(Services::of(&services))
}

fn quirks(t: &Table<'_>, kind: &mut ProviderType) -> Checked<()> {
    for (name, at) in t.strings("quirks")? {
        let Some(quirk) = Quirk::named(name) else {
            let known = QUIRKS.iter().map(|quirk| quirk.name);
            return t.source.error(&at, format!("the quirk is {}", unknown_word(name, known)));
        };
        kind.quirks.push(quirk.name);
        quirk.apply(&mut kind.manners);
    }
    Ok(())
}
