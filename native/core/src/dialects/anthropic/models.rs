//! Lists of models as `GET /v1/models` of Anthropic has them.

use crate::dialects::Model;
use crate::json::Writer;

/// When a model was made is not known: the epoch, as Anthropic itself says where it does not know.
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00Z";

/// All of them, on one page.
pub(super) fn list(models: &[Model]) -> Vec<u8> {
    let mut out = Writer::with_capacity(64 + 128 * models.len());
    out.open_object().key("data").open_array();
    for model in models {
        write(&mut out, model);
    }
    out.close_array().key("has_more").boolean(false);
    for (name, model) in [("first_id", models.first()), ("last_id", models.last())] {
        match model {
            Some(model) => out.text_member(name, &model.id),
            None => out.key(name).null(),
        };
    }
    out.close_object();
    out.into_bytes()
}

/// One of them.
pub(super) fn one(model: &Model) -> Vec<u8> {
    let mut out = Writer::default();
    write(&mut out, model);
    out.into_bytes()
}

fn write(out: &mut Writer, model: &Model) {
    out.open_object().text_member("type", "model").text_member("id", &model.id);
    out.text_member("display_name", &model.id).text_member("created_at", UNKNOWN_DATE);
    out.text_member("lifecycle", "active");
    out.close_object();
}
