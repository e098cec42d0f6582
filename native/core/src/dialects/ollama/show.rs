//! What `/api/show`, `/api/ps` and `/api/version` answer. Members are those that the types of `ollama` 0.6 for Python and JavaScript read.

use super::dates::date;
use super::errors::missing;
use super::models::{write_details, write_identity};
use crate::dialects::openai::request::json_failure;
use crate::error::Failure;
use crate::json::{Index, Limits, Value, Writer};

pub use crate::dialects::questions::Known;

/// The Ollama whose API is spoken, as clients compare it with the least that they need.
pub const VERSION: &str = "0.32.15";
/// The architecture of a model of which nobody says any.
const ARCHITECTURE: &str = "unknown";

/// `POST /api/show`. Clients look for the length of the context under the name of the architecture.
pub fn show(known: &Known) -> Vec<u8> {
    let mut out = Writer::with_capacity(512);
    out.open_object().text_member("modelfile", "").text_member("parameters", "").text_member("template", "");
    write_details(known.quantization.as_deref(), &mut out);
    out.key("model_info").open_object().text_member("general.architecture", ARCHITECTURE);
    out.text_member("general.basename", &known.name);
    for (name, length) in [("context_length", known.context_length), ("embedding_length", known.embedding_length)] {
        if let Some(length) = length {
            out.key(&format!("{ARCHITECTURE}.{name}")).integer(length);
        }
    }
    out.close_object().key("capabilities").open_array();
    for capability in &known.capabilities {
        out.string(capability);
    }
    out.close_array().text_member("modified_at", &date(0)).close_object();
    out.into_bytes()
}

/// `GET /api/ps`: the models in memory, and until when they stay there, seconds since the epoch.
pub fn loaded(models: &[Known], until: i64) -> Vec<u8> {
    let mut out = Writer::with_capacity(32 + models.len() * 384);
    out.open_object().key("models").open_array();
    for known in models {
        out.open_object();
        write_identity(&known.name, known.size, &mut out);
        write_details(known.quantization.as_deref(), &mut out);
        out.text_member("expires_at", &date(until)).key("size_vram").integer(known.size_vram);
        out.key("context_length").integer(known.context_length.unwrap_or_default()).close_object();
    }
    out.close_array().close_object();
    out.into_bytes()
}

/// `GET /api/version`
pub fn version() -> Vec<u8> {
    let mut out = Writer::with_capacity(32);
    out.open_object().text_member("version", VERSION).close_object();
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
