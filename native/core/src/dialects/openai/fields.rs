//! The fields of a request that policy reads, each with what it may be.

use super::request::{Bound, Unbounded};
use crate::dialects::neutral::Endpoint;
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Outline, Value};

/// Longest model name, bytes.
pub const MAX_MODEL_BYTES: usize = 256;

/// A field by its name; absent where it is null, because OpenAI treats null so, and its SDKs send it.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    name: &'static str,
    pub value: Option<Value<'a>>,
}

/// The fields that policy reads, found in one pass over those that are there.
macro_rules! fields {
    ($($field:ident),*) => {
        pub(super) struct Fields<'a> {
            $(pub $field: Field<'a>,)*
        }

        impl<'a> Fields<'a> {
            pub fn of(body: &'a [u8], index: &'a Index, outline: &'a Outline) -> Fields<'a> {
                let mut fields = Fields { $($field: Field { name: stringify!($field), value: None },)* };
                for (key, value) in outline.fields(index, body).filter(|(_, value)| !value.is_null()) {
                    $(if *key == *stringify!($field).as_bytes() {
                        fields.$field.value = Some(value);
                        continue;
                    })*
                }
                fields
            }
        }
    };
}

fields!(
    model,
    messages,
    stream,
    temperature,
    max_tokens,
    max_completion_tokens,
    stream_options,
    top_p,
    n,
    best_of,
    seed,
    tools,
    web_search_options,
    prompt,
    input,
    pool
);

impl<'a> Field<'a> {
    pub fn required(self) -> Result<Value<'a>, Failure> {
        let Field { name, value } = self;
        value.ok_or_else(|| {
            Failure::new(Code::MissingField, format!("Missing required parameter: '{name}'.")).param(name)
        })
    }

    pub fn boolean(self) -> Result<Option<bool>, Failure> {
        let Some(value) = self.value else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong_type(self.name, "true or false", value))
    }

    pub fn number(self, low: f64, high: f64) -> Result<Option<f64>, Failure> {
        let Some(value) = self.value else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| wrong_type(self.name, "a number", value))?;
        if !(low..=high).contains(&number) {
            return Err(out_of_range(self.name, &format!("from {low} to {high}"), value));
        }
        Ok(Some(number))
    }

    pub fn integer(self, low: u64, high: u64) -> Result<Option<u64>, Failure> {
        let Some(value) = self.value else { return Ok(None) };
        if value.kind() != Kind::Number {
            return Err(wrong_type(self.name, "an integer", value));
        }
        match value.as_u64() {
            Some(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(out_of_range(self.name, &format!("an integer from {low} to {high}"), value)),
        }
    }

    /// How many prompts it is: a text or a list of tokens is one; of a list of these, each.
    pub fn prompts(self) -> Result<u64, Failure> {
        let (name, value) = (self.name, self.required()?);
        match (value.kind(), value.elements().next().map(Value::kind)) {
            (Kind::String, _) | (Kind::Array, Some(Kind::Number)) => Ok(1),
            (Kind::Array, Some(_)) => Ok(value.elements().count() as u64),
            (Kind::Array, None) => Err(Failure::new(Code::InvalidValue, format!("'{name}' is empty.")).param(name)),
            _ => Err(wrong_type(name, "a string or an array", value)),
        }
    }
}

impl Fields<'_> {
    pub fn model(&self) -> Result<String, Failure> {
        let value = self.model.required()?;
        let name = value.as_str().ok_or_else(|| wrong_type("model", "a string", value))?;
        if name.is_empty() || name.len() > MAX_MODEL_BYTES || name.chars().any(char::is_control) {
            let words = format!("'model' must be a name of 1 to {MAX_MODEL_BYTES} bytes without control characters.");
            return Err(Failure::new(Code::InvalidValue, words).param("model"));
        }
        Ok(name.into_owned())
    }

    /// The lower of the two names that OpenAI has for it.
    pub fn output_cap(&self, endpoint: Endpoint) -> Result<Option<u64>, Failure> {
        // Completions may be asked for their prompt alone.
        let least = u64::from(endpoint == Endpoint::Chat);
        let old = self.max_tokens.integer(least, u32::MAX.into())?;
        let new = match endpoint {
            Endpoint::Chat => self.max_completion_tokens.integer(1, u32::MAX.into())?,
            _ => None,
        };
        Ok([old, new].into_iter().flatten().min())
    }

    pub fn include_usage(&self) -> Result<bool, Failure> {
        let Some(options) = self.stream_options.value else { return Ok(false) };
        if options.kind() != Kind::Object {
            return Err(wrong_type("stream_options", "an object", options));
        }
        match options.get("include_usage").filter(|value| !value.is_null()) {
            None => Ok(false),
            Some(value) => {
                value.as_bool().ok_or_else(|| wrong_type("stream_options.include_usage", "true or false", value))
            }
        }
    }

    /// Tools that the provider runs itself feed the model with what they find, as much as it likes.
    pub fn server_tools(&self, bound: &mut Bound) {
        let mut tools = self.tools.value.into_iter().flat_map(|tools| tools.elements());
        let own =
            |tool: Value<'_>| tool.get("type").is_none_or(|kind| kind.str_eq("function") || kind.str_eq("custom"));
        let what = "a tool that the provider runs";
        let param = if self.web_search_options.value.is_some() {
            "web_search_options"
        } else if !tools.all(own) {
            "tools"
        } else {
            return;
        };
        bound.unbounded = Some(Unbounded { param, what });
        bound.server_tool = true;
    }

    pub fn budget(&self) -> Result<Option<String>, Failure> {
        let Some(value) = self.pool.value else { return Ok(None) };
        let name = value.as_str().ok_or_else(|| wrong_type("pool", "the name of a budget", value))?;
        Ok(Some(name.into_owned()))
    }
}

pub(super) fn wrong_type(name: &str, wanted: &str, got: Value<'_>) -> Failure {
    let got = match got.kind() {
        Kind::Null => "null",
        Kind::True | Kind::False => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    Failure::new(Code::InvalidValue, format!("'{name}' must be {wanted}, not {got}.")).param(name)
}

fn out_of_range(name: &str, wanted: &str, got: Value<'_>) -> Failure {
    let got: String = String::from_utf8_lossy(got.raw()).chars().take(32).collect();
    Failure::new(Code::InvalidValue, format!("'{name}' must be {wanted}, not {got}.")).param(name)
}
