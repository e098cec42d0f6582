//! Reads what a caller asks for. What would change the answer and is not supported is refused, never ignored.

mod fields;
mod form;
pub mod vectors;

use bytes::Bytes;
use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::engine::Refusal;
use serde_json::{Map, Value};

use crate::constrain::Form;
use crate::sample::{Penalties, Sampling};
use fields::Fields;

/// The most stop strings of one request.
const MAX_STOPS: usize = 16;
/// The longest of them, in bytes.
const MAX_STOP_BYTES: usize = 1024;
/// The most choices of one request.
const MAX_CHOICES: u64 = 128;
/// The most likeliest tokens told beside each; OpenAI's limit.
const MAX_TOP_LOGPROBS: u64 = 20;

/// A request that was read and checked, but for what only the model can tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What comes before the answer.
    pub prompt: Prompt,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// For equal answers; `None`: any.
    pub seed: Option<u64>,
    /// What ends an answer.
    pub stops: Vec<String>,
    /// Tokens of an answer; `None`: as many as fit.
    pub max_tokens: Option<u32>,
    /// How many answers.
    pub choices: u32,
    /// Whether the model may call functions.
    pub tools: bool,
    /// What answers are held to, if to anything.
    pub form: Option<Form>,
}

/// What comes before the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// The whole request, from which the chat template takes what it knows.
    Chat(Value),
    /// Text, in which control tokens count as such.
    Text(String),
    /// Tokens as they are.
    Tokens(Vec<u32>),
}

/// What is the request's fault, in the field `field`.
pub(crate) fn wrong(code: &'static str, field: &str, problem: impl std::fmt::Display) -> Refusal {
    Refusal { status: 400, code, message: format!("`{field}` {problem}"), retry_after_secs: None }
}

impl Ask {
    /// Reads the body of a request to `endpoint`; `usual` holds for what it leaves out.
    pub fn read(endpoint: Endpoint, body: &Bytes, usual: &Sampling) -> Result<Self, Refusal> {
        let object = object(body)?;
        let fields = Fields::new(&object);
        fields.refuse_unknown(endpoint)?;
        let prompt = match endpoint {
            Endpoint::Chat => Prompt::Chat(Value::Object(object.clone())),
            Endpoint::Completions => text_prompt(object.get("prompt"))?,
            Endpoint::Embeddings => {
                let message = "this model has no embeddings; ask a model that was made for them".to_owned();
                return Err(Refusal { status: 400, code: "unsupported_endpoint", message, retry_after_secs: None });
            }
        };
        let is_chat = endpoint == Endpoint::Chat;
        Ok(Ask {
            prompt,
            sampling: sampling(endpoint, &fields, usual)?,
            seed: fields.seed()?,
            stops: fields.stops(MAX_STOPS, MAX_STOP_BYTES)?,
            max_tokens: max_tokens(&fields)?,
            choices: fields.integer("n", 1, MAX_CHOICES)?.unwrap_or(1) as u32,
            tools: is_chat && !fields.tools()?.is_empty(),
            form: if is_chat { form::form(&fields)? } else { None },
        })
    }
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal {
        status: 400,
        code: "invalid_json",
        message: format!("the body is not a JSON object: {error}"),
        retry_after_secs: None,
    })
}

fn max_tokens(fields: &Fields<'_>) -> Result<Option<u32>, Refusal> {
    let most = u64::from(u32::MAX);
    let newer = fields.integer("max_completion_tokens", 1, most)?;
    let older = fields.integer("max_tokens", 1, most)?;
    Ok(newer.or(older).map(|tokens| tokens as u32))
}

fn sampling(endpoint: Endpoint, fields: &Fields<'_>, plain: &Sampling) -> Result<Sampling, Refusal> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0, 2.0)?.unwrap_or(plain.temperature),
        top_p: fields.number("top_p", f32::MIN_POSITIVE, 1.0)?.unwrap_or(plain.top_p),
        top_k: fields.top_k()?,
        min_p: fields.number("min_p", 0.0, 1.0)?.unwrap_or(plain.min_p),
        penalties: Penalties {
            frequency: fields.number("frequency_penalty", -2.0, 2.0)?.unwrap_or(0.0),
            presence: fields.number("presence_penalty", -2.0, 2.0)?.unwrap_or(0.0),
            repetition: fields.number("repetition_penalty", 0.01, 10.0)?.unwrap_or(1.0),
        },
        bias: fields.logit_bias()?,
        logprobs: logprobs(endpoint, fields)?,
    })
}

/// Chat asks with a flag and a count, completions with a count.
fn logprobs(endpoint: Endpoint, fields: &Fields<'_>) -> Result<Option<usize>, Refusal> {
    if endpoint == Endpoint::Completions {
        return Ok(fields.integer("logprobs", 0, MAX_TOP_LOGPROBS)?.map(|count| count as usize));
    }
    let top = fields.integer("top_logprobs", 0, MAX_TOP_LOGPROBS)?;
    match (fields.flag("logprobs")?, top) {
        (true, top) => Ok(Some(top.unwrap_or(0) as usize)),
        (false, Some(1..)) => Err(wrong("invalid_value", "top_logprobs", "needs `logprobs` to be true")),
        (false, _) => Ok(None),
    }
}

fn text_prompt(prompt: Option<&Value>) -> Result<Prompt, Refusal> {
    let problem = "must be a string or a list of tokens";
    match prompt {
        Some(Value::String(text)) => Ok(Prompt::Text(text.clone())),
        Some(Value::Array(items)) => match items.as_slice() {
            [Value::String(text)] => Ok(Prompt::Text(text.clone())),
            [Value::String(_) | Value::Array(_), ..] => {
                Err(wrong("unsupported_value", "prompt", "holds several prompts; ask once for each"))
            }
            items => {
                let tokens: Option<Vec<u32>> = items.iter().map(token).collect();
                tokens.map(Prompt::Tokens).ok_or_else(|| wrong("invalid_type", "prompt", problem))
            }
        },
        _ => Err(wrong("invalid_type", "prompt", problem)),
    }
}

fn token(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests;
