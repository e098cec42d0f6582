//! What every dialect changes of a body for an upstream of its own.

use super::To;
use crate::json::{write_string, Edits, Index};

/// The model as the upstream knows it; and without `pool`, which is the gateway's own: which budget pays.
pub(super) fn name_model(to: &To<'_>, index: &Index, body: &[u8], edits: &mut Edits) {
    if !index.get(body, "model").is_some_and(|model| model.str_eq(to.model)) {
        let mut name = Vec::with_capacity(to.model.len() + 2);
        write_string(&mut name, to.model);
        edits.set("model", name);
    }
    if index.get(body, "pool").is_some() {
        edits.remove("pool");
    }
}
