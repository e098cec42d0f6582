//! Cuts a long list of embedding inputs into requests that a provider takes, and joins their answers. Pure.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::answer::read_usage;
use crate::dialects::openai::encode::write_usage;
use crate::dialects::openai::request::Facts;
use crate::json::{Edits, Index, Kind, Limits, Value};
use crate::ledger::Usage;

/// Slices of one request; a longer array is not an embeddings request any more.
const MOST: usize = 64;

/// Brackets of a slice, and the margin of its own input bound.
const AROUND_BYTES: usize = 16;

/// Where a list is cut.
#[derive(Debug, Default)]
pub(super) struct Slices {
    all: Vec<Slice>,
    /// What each slice repeats of the body, bytes.
    around: usize,
}

#[derive(Clone, Debug)]
struct Slice {
    /// From the first input's first byte to the last one's last, in the body.
    bytes: Range<usize>,
    inputs: usize,
}

impl Slices {
    /// The slices of a checked request; none if it is asked as it is. Anything odd is: its provider will say.
    pub fn of(facts: &Facts, endpoint: Endpoint, most_inputs: usize) -> Slices {
        if endpoint != Endpoint::Embeddings {
            return Slices::default();
        }
        let Some(input) = facts.index.get(&facts.body, "input").filter(|input| input.kind() == Kind::Array) else {
            return Slices::default();
        };
        let mut all: Vec<Slice> = Vec::new();
        for (at, element) in input.elements().enumerate() {
            let bytes = element.span_in(&facts.body);
            // An array of numbers is one input: tokens.
            let odd = (at == 0 && element.kind() == Kind::Number) || all.len() > MOST;
            if odd {
                return Slices::default();
            }
            match all.last_mut().filter(|slice| slice.inputs < most_inputs) {
                Some(slice) => *slice = Slice { bytes: slice.bytes.start..bytes.end, inputs: slice.inputs + 1 },
                None => all.push(Slice { bytes, inputs: 1 }),
            }
        }
        if !(2..=MOST).contains(&all.len()) {
            return Slices::default();
        }
        Slices { all, around: facts.body.len().saturating_sub(input.raw().len()) + AROUND_BYTES }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Input tokens that slices may cost beyond those of the whole: each repeats what stands around the list.
    pub fn overhead(&self) -> u64 {
        (self.all.len() * self.around) as u64
    }

    /// Length of the slices from number `first` on, bytes.
    pub fn bytes_from(&self, first: usize) -> usize {
        self.all.iter().skip(first).map(|slice| slice.bytes.len() + self.around).sum()
    }

    /// The request of slice `number`.
    pub fn body(&self, number: usize, facts: &Facts) -> Option<Bytes> {
        let inputs = facts.body.get(self.all.get(number)?.bytes.clone())?;
        let mut edits = Edits::new();
        edits.set("input", [b"[", inputs, b"]"].concat());
        Some(Bytes::from(edits.apply(&facts.body, &facts.index)))
    }

    /// How many inputs each slice has, in their order.
    pub fn inputs(&self) -> Vec<usize> {
        self.all.iter().map(|slice| slice.inputs).collect()
    }
}

/// One list of all vectors, each numbered as its input, and usage added up, if every answer names it. Everything else is
/// the first answer's.
/// `None` if an answer has not exactly one vector for each of its inputs.
pub(super) fn join(inputs: &[usize], answers: &[Bytes]) -> Option<Vec<u8>> {
    let mut vectors: Vec<Option<Cow<'_, [u8]>>> = vec![None; inputs.iter().sum()];
    let mut usage = Some(Usage::default());
    let mut base = 0;
    for (body, inputs) in answers.iter().zip(inputs) {
        let index = Index::scan(body, Limits::default()).ok()?;
        usage = usage.zip(index.get(body, "usage").and_then(read_usage)).map(|(sum, part)| Usage {
            input_tokens: sum.input_tokens.saturating_add(part.input_tokens),
            output_tokens: sum.output_tokens.saturating_add(part.output_tokens),
            ..sum
        });
        for (at, vector) in index.get(body, "data")?.elements().enumerate() {
            // Without a number of its own it is the input's in whose place it stands.
            let own = match vector.get("index").filter(|index| !index.is_null()) {
                Some(index) => usize::try_from(index.as_u64()?).ok()?,
                None => at,
            };
            let place = vectors.get_mut(base + own).filter(|place| own < *inputs && place.is_none())?;
            *place = Some(numbered(vector, base + own)?);
        }
        base += inputs;
    }
    let mut data = vec![b'['];
    for (at, vector) in vectors.into_iter().enumerate() {
        if at > 0 {
            data.push(b',');
        }
        data.extend_from_slice(&vector?);
    }
    data.push(b']');
    let first = answers.first()?;
    let mut edits = Edits::new();
    edits.set("data", data);
    match usage {
        Some(usage) => {
            let mut written = Vec::new();
            write_usage(&mut written, Endpoint::Embeddings, &usage);
            edits.set("usage", written);
        }
        None => edits.remove("usage"),
    }
    Some(edits.apply(first, &Index::scan(first, Limits::default()).ok()?))
}

/// A vector with its number; as it came if it has that.
fn numbered(vector: Value<'_>, number: usize) -> Option<Cow<'_, [u8]>> {
    if vector.kind() != Kind::Object {
        return None;
    }
    if vector.get("index").and_then(Value::as_u64) == Some(number as u64) {
        return Some(Cow::Borrowed(vector.raw()));
    }
    let index = Index::scan(vector.raw(), Limits::default()).ok()?;
    let mut edits = Edits::new();
    edits.set("index", Bytes::from(number.to_string()));
    Some(Cow::Owned(edits.apply(vector.raw(), &index)))
}
