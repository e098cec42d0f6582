//! What every dialect changes of a body for an upstream of its own.

use crate::json::{write_string, Edits, Index};

/// The model as the upstream knows it; and without `pool`, which is the gateway's own: which budget pays.
pub fn name_model(model: &str, index: &Index, body: &[u8], edits: &mut Edits) {
    if !index.get(body, "model").is_some_and(|own| own.str_eq(model)) {
        let mut name = Vec::with_capacity(model.len() + 2);
        write_string(&mut name, model);
        edits.set("model", name);
    }
    leave_pool(index, body, edits);
}

/// What names no model stays without one.
pub fn leave_pool(index: &Index, body: &[u8], edits: &mut Edits) {
    if index.get(body, "pool").is_some() {
        edits.remove("pool");
    }
}
