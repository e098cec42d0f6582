//! Providers that are engines of this process: who makes them, and with which options.

use toml::de::DeValue;

use super::catalogue::fold;
use super::reader::{Checked, Table, Value};
use super::{schema, Secret};
use crate::json::write_string;

/// Before the name of a class of Python, in a provider's `type`.
const PYTHON: &str = "python:";

/// What answers for a provider of kind [`super::ProviderKind::Engine`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineSource {
    /// Who makes it.
    pub maker: Maker,
    /// What it is made with: a JSON object. Its values may be secrets.
    options: Secret,
    /// The names in `options`.
    pub option_names: Vec<String>,
    /// Keys of its type alone, and their values in TOML.
    pub keys: Vec<(&'static str, String)>,
}

/// Who makes an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Maker {
    /// The program around the gateway, which registers it by the provider's name.
    #[default]
    Program,
    /// A class or function of Python: `module:Name`.
    Python(String),
    /// What an installed package offers by this name.
    Package(String),
    /// hoosh itself: [`super::candle`].
    Candle,
}

impl EngineSource {
    /// hoosh's own, with `keys` of the file, which say the same as `options`.
    pub(super) fn own(maker: Maker, options: Vec<u8>, keys: Vec<(&'static str, String)>) -> Self {
        let options = Secret::new(String::from_utf8_lossy(&options));
        EngineSource { maker, options, keys, ..EngineSource::default() }
    }

    /// `engine`, or `python` where it is named by its module.
    pub fn kind(&self) -> &'static str {
        match self.maker {
            Maker::Program | Maker::Package(_) | Maker::Candle => "engine",
            Maker::Python(_) => "python",
        }
    }

    /// What to make: `module:Name`, or `entry:` and a package's name for it, or `native:` and hoosh's own. Empty: nothing, since the program registers it.
    pub fn target(&self) -> String {
        match &self.maker {
            Maker::Program => String::new(),
            Maker::Python(target) => target.clone(),
            Maker::Package(name) => format!("entry:{name}"),
            Maker::Candle => "native:candle".to_owned(),
        }
    }

    /// With what, as a JSON object.
    pub fn options(&self) -> &str {
        match self.options.expose() {
            "" => "{}",
            options => options,
        }
    }
}

impl Maker {
    /// What a provider is called that does not say.
    pub(super) fn default_name(&self) -> Option<&str> {
        match self {
            Maker::Program | Maker::Candle => None,
            Maker::Python(target) => target.rsplit(':').next(),
            Maker::Package(name) => Some(name),
        }
    }
}

/// The maker that a `type` names, if that is none of the catalogue's.
pub(super) fn maker(t: &Table<'_>, text: &str) -> Checked<Option<Maker>> {
    if let Some(target) = text.strip_prefix(PYTHON) {
        if !is_target(target) {
            let words = "must name a module and what makes the engine in it: `python:module:Name`, such as \
                         `python:my_models.echo:Echo`";
            return t.fail("type", words);
        }
        return Ok(Some(Maker::Python(target.to_owned())));
    }
    let offered = t.source.engine_types();
    let found = offered
        .iter()
        .find(|name| name.as_str() == text)
        .or_else(|| offered.iter().find(|name| fold(name) == fold(text)));
    Ok(found.cloned().map(Maker::Package))
}

/// `module:Name`, each with dots.
fn is_target(target: &str) -> bool {
    let part = |part: &str| {
        let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        part.bytes().next().is_some_and(letter) && part.bytes().all(|b| letter(b) || b.is_ascii_digit())
    };
    let path = |path: &str| path.split('.').all(part);
    target.split_once(':').is_some_and(|(module, name)| path(module) && path(name))
}

/// `options`, for whoever makes the engine.
pub(super) fn source(t: &Table<'_>, maker: Maker) -> Checked<EngineSource> {
    let Some(value) = t.value("options") else { return Ok(EngineSource { maker, ..EngineSource::default() }) };
    if maker == Maker::Program {
        return t.fail(
            "options",
            "has no meaning for `engine`, which the program makes itself; it is for `python:module:Name` and types of packages",
        );
    }
    let DeValue::Table(entries) = value.get_ref() else { return t.wrong_type("options", value, "table") };
    let mut json = Vec::new();
    write(t, &mut json, value)?;
    let options = Secret::new(String::from_utf8_lossy(&json));
    let option_names = entries.iter().map(|(name, _)| name.get_ref().to_string()).collect();
    Ok(EngineSource { maker, options, option_names, ..EngineSource::default() })
}

/// A TOML value as JSON: times as text, because JSON has none. The parser bounds the depth.
fn write(t: &Table<'_>, out: &mut Vec<u8>, value: &Value<'_>) -> Checked<()> {
    let fail = |words: &str| {
        t.source.error(&value.span(), format!("a value of `options` in {} {words}", schema::PROVIDERS.header))
    };
    match value.get_ref() {
        DeValue::String(text) => write_string(out, text),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Err(_) => return fail("is no integer of 64 bits"),
        },
        DeValue::Float(digits) => match digits.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => {
                out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes())
            }
            _ => return fail("must be a finite number"),
        },
        DeValue::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        DeValue::Datetime(time) => write_string(out, &time.to_string()),
        DeValue::Array(values) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(t, out, value)?;
            }
            out.push(b']');
        }
        DeValue::Table(entries) => {
            out.push(b'{');
            for (at, (name, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(out, name.get_ref());
                out.push(b':');
                write(t, out, value)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}
