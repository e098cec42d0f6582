//! `GET /v1/models` in OpenAI's form.

use crate::json::write_string;

/// One model. `created` is 0: hoosh does not know, and clients want a number.
pub fn one(model: &str, owner: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    write(&mut out, model, owner);
    out
}

/// The list, of (model, owner).
pub fn list(models: &[(String, String)]) -> Vec<u8> {
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    for (at, (model, owner)) in models.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(&mut out, model, owner);
    }
    out.extend_from_slice(b"]}");
    out
}

fn write(out: &mut Vec<u8>, model: &str, owner: &str) {
    out.extend_from_slice(b"{\"id\":");
    write_string(out, model);
    out.extend_from_slice(b",\"object\":\"model\",\"created\":0,\"owned_by\":");
    write_string(out, owner);
    out.push(b'}');
}
