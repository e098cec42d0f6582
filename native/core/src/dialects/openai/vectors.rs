//! Writes the vectors of an answer.

use super::encode::write_float;
use super::request::Facts;
use crate::base64;

/// How vectors are written: `encoding_format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VectorForm {
    /// A list of numbers.
    #[default]
    Float,
    /// Their bytes as floats of 32 bits, the lowest byte first, in base64.
    Base64,
}

impl VectorForm {
    /// What a request asks for; `None` where it is neither.
    pub fn of(facts: &Facts) -> Option<VectorForm> {
        let asked = facts.index.get(&facts.body, "encoding_format").filter(|asked| !asked.is_null());
        match asked {
            None => Some(VectorForm::Float),
            Some(asked) if asked.str_eq("float") => Some(VectorForm::Float),
            Some(asked) if asked.str_eq("base64") => Some(VectorForm::Base64),
            Some(_) => None,
        }
    }
}

/// Writes a vector.
pub(super) fn write_vector(out: &mut Vec<u8>, vector: &[f32], form: VectorForm) {
    // JSON has no NaN or infinity; an engine that gives one is wrong, and 0 harms least. Both forms say the same.
    let numbers = vector.iter().map(|number| if number.is_finite() { *number } else { 0.0 });
    if form == VectorForm::Base64 {
        out.push(b'"');
        base64::write(out, numbers.flat_map(f32::to_le_bytes));
        out.push(b'"');
        return;
    }
    out.push(b'[');
    for (at, number) in numbers.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_float(out, number);
    }
    out.push(b']');
}
