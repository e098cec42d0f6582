//! Reads what is asked of an encoder.

use bytes::Bytes;
use hoosh_core::engine::Refusal;
use serde_json::{Map, Value};

use super::fields::{Fields, KNOWN_IN_EMBEDDINGS};
use super::{object, token, wrong};

/// Texts of one request. Longer lists are cut before they come here (`[limits] max_inputs`).
const MOST_INPUTS: usize = 8192;

/// A request for vectors that was read and checked, but for what only the model can tell.
#[derive(Clone, Debug, PartialEq)]
pub struct AskVectors {
    /// What wants a vector each, at least one.
    pub inputs: Vec<Input>,
    /// How long each vector is to be; `None`: as the model makes it.
    pub dimensions: Option<usize>,
    /// What is done with texts that are too long.
    pub cut: Cut,
}

/// One text.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// As it is.
    Text(String),
    /// Tokens of the model's vocabulary, those around the text among them.
    Tokens(Vec<u32>),
}

/// What is done with texts that are too long: vLLM's field `truncate_prompt_tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// They are refused.
    Never,
    /// They are cut to what the model takes.
    ToModel,
    /// All are cut to so many tokens.
    To(usize),
}

impl AskVectors {
    /// Reads the body of a request.
    pub fn read(body: &Bytes) -> Result<Self, Refusal> {
        let object = object(body)?;
        let fields = Fields::new(&object);
        fields.refuse_others(KNOWN_IN_EMBEDDINGS)?;
        let dimensions = fields.integer("dimensions", 1, u64::from(u32::MAX))?;
        Ok(AskVectors {
            inputs: inputs(&object)?,
            dimensions: dimensions.map(|number| number as usize),
            cut: cut(&object, &fields)?,
        })
    }
}

fn cut(object: &Map<String, Value>, fields: &Fields<'_>) -> Result<Cut, Refusal> {
    const FIELD: &str = "truncate_prompt_tokens";
    if object.get(FIELD).and_then(Value::as_i64) == Some(-1) {
        return Ok(Cut::ToModel);
    }
    Ok(fields.integer(FIELD, 1, u64::from(u32::MAX))?.map_or(Cut::Never, |most| Cut::To(most as usize)))
}

fn inputs(object: &Map<String, Value>) -> Result<Vec<Input>, Refusal> {
    let problem =
        || wrong("invalid_type", "input", "must be a string, a list of strings, or one or more lists of tokens");
    let inputs = match object.get("input") {
        Some(Value::String(text)) => vec![Input::Text(text.clone())],
        Some(Value::Array(items)) if matches!(items.first(), Some(Value::Number(_))) => {
            vec![tokens(items).ok_or_else(problem)?]
        }
        Some(Value::Array(items)) => {
            let one = |item: &Value| match item {
                Value::String(text) => Some(Input::Text(text.clone())),
                Value::Array(items) => tokens(items),
                _ => None,
            };
            items.iter().map(|item| one(item).ok_or_else(problem)).collect::<Result<_, _>>()?
        }
        _ => return Err(problem()),
    };
    match inputs.len() {
        0 => Err(wrong("invalid_value", "input", "is empty")),
        1..=MOST_INPUTS => Ok(inputs),
        count => Err(wrong("out_of_range", "input", format!("holds {count} texts, and {MOST_INPUTS} are the most"))),
    }
}

fn tokens(items: &[Value]) -> Option<Input> {
    items.iter().map(token).collect::<Option<Vec<u32>>>().map(Input::Tokens)
}
