//! What `/api/tags`, `/api/ps`, `/api/show` and `/api/version` answer, and the model that a request names which is passed on
//! (`/api/pull`, `/api/delete`, `/api/show`).
//!
//! Members are those that the types of `ollama` 0.6 for Python and JavaScript read.

use super::dates::date;
use super::errors::missing;
use crate::dialects::openai::request::json_failure;
use crate::error::Failure;
use crate::json::{Index, Kind, Limits, Value, Writer};

/// Of what a model is made, as far as it is known; else empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// From which it was made.
    pub parent_model: String,
    /// Of its file: `gguf`.
    pub format: String,
    /// Of its architecture.
    pub family: String,
    /// `8.0B`.
    pub parameter_size: String,
    /// `Q4_K_M`.
    pub quantization_level: String,
}

/// A model that can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The name by which it is asked for.
    pub name: String,
    /// Seconds since the epoch.
    pub modified: i64,
    /// Bytes; 0 where nobody knows.
    pub size: u64,
    /// Hex digits; where nobody knows them, some are made of the name.
    pub digest: Option<String>,
    /// What it is.
    pub details: Details,
}

/// A model in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// What it is.
    pub model: Listed,
    /// When it leaves memory, seconds since the epoch.
    pub expires: i64,
    /// Of its bytes, those that are in the accelerator's memory.
    pub size_vram: u64,
    /// Tokens of its context.
    pub context_length: u64,
}

/// What is known of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What it is.
    pub model: Listed,
    /// `completion`, `tools`, `vision`, `thinking`, `embedding`, `insert`.
    pub capabilities: Vec<&'static str>,
    /// Tokens of its context, where they are known.
    pub context_length: Option<u64>,
}

/// `GET /api/tags`
pub fn tags(models: &[Listed]) -> Vec<u8> {
    let mut out = Writer::with_capacity(32 + models.len() * 320);
    out.open_object().key("models").open_array();
    for model in models {
        out.open_object();
        listed(model, &mut out);
        out.text_member("modified_at", &date(model.modified)).close_object();
    }
    out.close_array().close_object();
    out.into_bytes()
}

/// `GET /api/ps`
pub fn ps(models: &[Running]) -> Vec<u8> {
    let mut out = Writer::with_capacity(32 + models.len() * 360);
    out.open_object().key("models").open_array();
    for Running { model, expires, size_vram, context_length } in models {
        out.open_object();
        listed(model, &mut out);
        out.text_member("expires_at", &date(*expires)).key("size_vram").integer(*size_vram);
        out.key("context_length").integer(*context_length).close_object();
    }
    out.close_array().close_object();
    out.into_bytes()
}

/// `POST /api/show`. Clients look for the length of the context under the name of the architecture.
pub fn show(shown: &Shown) -> Vec<u8> {
    let Shown { model, capabilities, context_length } = shown;
    let mut out = Writer::with_capacity(512);
    out.open_object().text_member("modelfile", "").text_member("parameters", "").text_member("template", "");
    write_details(&model.details, &mut out);
    let family = if model.details.family.is_empty() { "unknown" } else { &model.details.family };
    out.key("model_info").open_object().text_member("general.architecture", family);
    out.text_member("general.basename", &model.name);
    if let Some(length) = context_length {
        out.key(&format!("{family}.context_length")).integer(*length);
    }
    out.close_object().key("capabilities").open_array();
    for capability in capabilities {
        out.string(capability);
    }
    out.close_array().text_member("modified_at", &date(model.modified)).close_object();
    out.into_bytes()
}

/// `GET /api/version`
pub fn version(version: &str) -> Vec<u8> {
    let mut out = Writer::with_capacity(32);
    out.open_object().text_member("version", version).close_object();
    out.into_bytes()
}

/// The model of a request that names nothing else: `model`, or `name` as older clients write it.
///
/// # Errors
/// The body is no JSON object, or names none.
pub fn asked_model(body: &[u8]) -> Result<String, Failure> {
    let index = Index::scan(body, Limits::default()).map_err(|error| json_failure(&error))?;
    let text = |name: &str| index.get(body, name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("model").or_else(|| text("name")).map(String::from).ok_or_else(|| missing("model"))
}

/// Whether `/api/pull` shall tell its progress: so it does unless it is told not to.
pub fn asked_progress(body: &[u8]) -> bool {
    let Ok(index) = Index::scan(body, Limits::default()) else { return true };
    index.get(body, "stream").is_none_or(|stream| stream.kind() != Kind::False)
}

/// Whether a list of Ollama's has a model, by the name under which it is asked for: `latest` goes without saying.
pub fn means(listed: &str, asked: &str) -> bool {
    let plain = |name: &'_ str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    plain(listed) == plain(asked)
}

fn listed(model: &Listed, out: &mut Writer) {
    out.text_member("name", &model.name).text_member("model", &model.name);
    out.key("size").integer(model.size);
    match &model.digest {
        Some(digest) => out.text_member("digest", digest),
        // `ollama list` shows the first twelve digits, and does not ask whether there are so many.
        None => out.text_member("digest", &blake3::hash(model.name.as_bytes()).to_hex()),
    };
    write_details(&model.details, out);
}

fn write_details(details: &Details, out: &mut Writer) {
    out.key("details").open_object();
    out.text_member("parent_model", &details.parent_model).text_member("format", &details.format);
    out.text_member("family", &details.family).key("families").open_array();
    if !details.family.is_empty() {
        out.string(&details.family);
    }
    out.close_array().text_member("parameter_size", &details.parameter_size);
    out.text_member("quantization_level", &details.quantization_level).close_object();
}
