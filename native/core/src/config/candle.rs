//! Providers of type `candle`: models that this process computes itself, out of files.

use toml::de::DeValue;

use super::engines::{EngineSource, Maker};
use super::reader::{Checked, Table};
use super::Provider;
use crate::json::write_string;

/// The name of the type.
pub const TYPE: &str = "candle";
/// The model that comes with hoosh, and stands where no files are named.
pub const DEMONSTRATION: &str = "hoosh-tiny";
/// The keys that only this type has.
pub const KEYS: [&str; 7] =
    ["files", "device", "context_tokens", "max_sequences", "cache_bytes", "memory_bytes", "idle_unload_secs"];
/// Where models can be computed.
pub const DEVICES: [&str; 4] = ["auto", "cpu", "cuda", "metal"];

/// What computes, as the keys of `t` say, or as their defaults do.
pub(super) fn source(t: &Table<'_>, provider: &mut Provider) -> Checked<EngineSource> {
    let files = files(t)?;
    if provider.models.is_empty() {
        provider.models = models(&files);
    }
    let mut device = DEVICES[0];
    t.choice("device", &DEVICES.map(|device| (device, device)), &mut device)?;
    let mut numbers = Vec::new();
    for key in &KEYS[2..] {
        let mut number = 0i64;
        t.integer(key, &mut number)?;
        if t.value(key).is_some() {
            numbers.push((*key, number));
        }
    }
    Ok(made_of(&files, device, &numbers))
}

/// The engine of [`DEMONSTRATION`] alone.
pub(super) fn demonstration() -> Provider {
    let engine = made_of(&[], DEVICES[0], &[]);
    Provider { models: models(&[]), engine, ..Provider::default() }
}

fn models(files: &[(String, String)]) -> Vec<String> {
    match files {
        [] => vec![DEMONSTRATION.to_owned()],
        files => files.iter().map(|(model, _)| model.clone()).collect(),
    }
}

/// `files`: of each model its file.
fn files(t: &Table<'_>) -> Checked<Vec<(String, String)>> {
    let Some(value) = t.value("files") else { return Ok(Vec::new()) };
    let DeValue::Table(entries) = value.get_ref() else { return t.wrong_type("files", value, "table") };
    let mut files = Vec::new();
    for (model, file) in entries.iter() {
        super::providers::model_name(t, model.get_ref(), &model.span())?;
        let DeValue::String(path) = file.get_ref() else {
            return t.source.error(&file.span(), "a file is named by its path, a string");
        };
        files.push((model.get_ref().to_string(), t.source.expand(path, &file.span())?));
    }
    Ok(files)
}

/// What the engine reads, a JSON object; and the same keys in TOML.
fn made_of(files: &[(String, String)], device: &str, numbers: &[(&'static str, i64)]) -> EngineSource {
    let mut json = b"{\"files\":{".to_vec();
    for (at, (model, path)) in files.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        write_string(&mut json, model);
        json.push(b':');
        write_string(&mut json, path);
    }
    json.push(b'}');
    let mut keys = Vec::new();
    if !files.is_empty() {
        let text = |text: &str| toml::Value::from(text).to_string();
        let files = files.iter().map(|(model, path)| format!("{} = {}", text(model), text(path)));
        keys.push(("files", format!("{{ {} }}", files.collect::<Vec<_>>().join(", "))));
    }
    if device != DEVICES[0] {
        json.extend_from_slice(format!(",\"device\":\"{device}\"").as_bytes());
        keys.push(("device", format!("\"{device}\"")));
    }
    for (key, number) in numbers {
        json.extend_from_slice(format!(",\"{key}\":{number}").as_bytes());
        keys.push((*key, number.to_string()));
    }
    json.push(b'}');
    EngineSource::own(Maker::Candle, json, keys)
}
