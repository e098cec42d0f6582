//! Lists of models as `GET /api/tags` has them. Members are those that the types of `ollama` 0.6 for Python and JavaScript read.

use super::dates::date;
use crate::dialects::Model;
use crate::json::Writer;

/// All of them.
pub(super) fn list(models: &[Model]) -> Vec<u8> {
    let mut out = Writer::with_capacity(32 + models.len() * 320);
    out.open_object().key("models").open_array();
    for model in models {
        write(model, &mut out);
    }
    out.close_array().close_object();
    out.into_bytes()
}

/// One of them, as it stands in the list.
pub(super) fn one(model: &Model) -> Vec<u8> {
    let mut out = Writer::with_capacity(320);
    write(model, &mut out);
    out.into_bytes()
}

/// When a model was made, and its size as a file, nobody knows: the epoch, and nothing.
fn write(model: &Model, out: &mut Writer) {
    out.open_object();
    write_identity(&model.id, 0, out);
    write_details(None, out);
    out.text_member("modified_at", &date(0)).close_object();
}

/// Which model, and of how many bytes. `ollama list` shows the first twelve digits of the digest and does not ask whether there are so
/// many: they are made of the name.
pub(super) fn write_identity(name: &str, size: u64, out: &mut Writer) {
    out.text_member("name", name).text_member("model", name).key("size").integer(size);
    out.text_member("digest", &blake3::hash(name.as_bytes()).to_hex());
}

/// Of what it is made, as far as it is known; else empty.
pub(super) fn write_details(quantization: Option<&str>, out: &mut Writer) {
    out.key("details").open_object();
    out.text_member("parent_model", "").text_member("format", "").text_member("family", "");
    out.key("families").open_array().close_array();
    out.text_member("parameter_size", "").text_member("quantization_level", quantization.unwrap_or_default());
    out.close_object();
}
