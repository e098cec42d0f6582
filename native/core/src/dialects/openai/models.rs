//! `GET /v1/models` in OpenAI's form.

use crate::dialects::Model;
use crate::json::write_string;

/// One model. `created` is 0: hoosh does not know, and clients want a number.
pub fn one(model: &Model) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    write(&mut out, model);
    out
}

/// The list.
pub fn list(models: &[Model]) -> Vec<u8> {
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    for (at, model) in models.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(&mut out, model);
    }
    out.extend_from_slice(b"]}");
    out
}

fn write(out: &mut Vec<u8>, model: &Model) {
    out.extend_from_slice(b"{\"id\":");
    write_string(out, &model.id);
    out.extend_from_slice(b",\"object\":\"model\",\"created\":0,\"owned_by\":");
    write_string(out, &model.owner);
    out.push(b'}');
}
