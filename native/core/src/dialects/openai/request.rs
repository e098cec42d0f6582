//! Reads and checks a request body: what policy needs to know, and nothing else. Unknown fields pass.

use bytes::Bytes;

use crate::cachekey;
use crate::dialects::neutral::Endpoint;
use crate::error::{Code, Failure};
use crate::json::{self, Index, Kind, Value};

/// Longest model name, bytes.
pub const MAX_MODEL_BYTES: usize = 256;

/// Input tokens that one image can cost at most: 2,833 + 5,667 × 8 tiles, the dearest row of OpenAI's image table
/// (gpt-4o-mini, high detail). Images of other models cost less.
const IMAGE_BOUND: u64 = 48_169;

/// Tokens that framing can add per conversation whatever its text (priming of the reply).
const FRAMING_BOUND: u64 = 8;

/// What a checked body says.
#[derive(Debug)]
pub struct Facts {
    /// The body as it came.
    pub body: Bytes,
    /// Where its top-level fields lie.
    pub index: Index,
    /// As the caller named it.
    pub model: String,
    /// `stream: true`.
    pub stream: bool,
    /// `stream_options.include_usage: true`.
    pub include_usage: bool,
    /// The caller's own bound on output tokens per choice.
    pub output_cap: Option<u64>,
    /// `n` (choices asked for), at least 1.
    pub choices: u64,
    /// Never less than the input tokens, images included.
    pub input_bound: u64,
    /// A part whose tokens nobody can bound, if there is one.
    pub unbounded: Option<&'static str>,
    /// `pool`: the budget that the request names.
    pub budget: Option<String>,
    /// `temperature: 0` or a `seed`, or embeddings: the same question should get the same answer.
    pub deterministic: bool,
    /// Canonical digest, if one was wanted and the body has one.
    pub key: Option<[u8; 32]>,
}

/// Scans, checks and classifies `body`. Pure and linear; for bodies over 64 KiB the driver runs it as a job.
/// `tenant` separates cache keys; `None` if no key is wanted.
pub fn read(body: Bytes, endpoint: Endpoint, tenant: Option<&str>) -> Result<Facts, Failure> {
    let index = Index::scan(&body, json::Limits::default()).map_err(|error| json_failure(&error))?;
    let reader = Reader { body: &body, index: &index };
    let model = reader.model()?;
    let stream = reader.boolean("stream")?.unwrap_or(false);
    let include_usage = reader.include_usage()?;
    let output_cap = reader.output_cap(endpoint)?;
    let choices = reader.integer("n", 1, 128)?.unwrap_or(1);
    let temperature = reader.number("temperature", 0.0, 2.0)?;
    reader.number("top_p", 0.0, 1.0)?;
    let mut bound = Bound { tokens: body.len() as u64 + FRAMING_BOUND, unbounded: None };
    match endpoint {
        Endpoint::Chat => reader.messages(&mut bound)?,
        Endpoint::Completions => reader.prompt("prompt")?,
        Endpoint::Embeddings => reader.prompt("input")?,
    }
    let seeded = reader.field("seed").is_some();
    let deterministic = endpoint == Endpoint::Embeddings || seeded || temperature == Some(0.0);
    let budget = reader.budget()?;
    let stream = stream && endpoint != Endpoint::Embeddings;
    let kind = match (endpoint, stream, include_usage) {
        (Endpoint::Embeddings, ..) => "embeddings",
        (Endpoint::Chat, false, _) => "chat",
        (Endpoint::Chat, true, false) => "chat stream",
        (Endpoint::Chat, true, true) => "chat stream with usage",
        (Endpoint::Completions, false, _) => "completions",
        (Endpoint::Completions, true, false) => "completions stream",
        (Endpoint::Completions, true, true) => "completions stream with usage",
    };
    let key = tenant.and_then(|tenant| cachekey::key(&body, &index, tenant, kind)).map(|key| key.0);
    let Bound { tokens: input_bound, unbounded } = bound;
    Ok(Facts {
        model,
        stream,
        include_usage,
        output_cap,
        choices,
        input_bound,
        unbounded,
        budget,
        deterministic,
        key,
        index,
        body,
    })
}

/// The bound on input tokens as the walk refines it. Byte-level BPE gives at most one token per byte of text, and the
/// JSON around a message (at least `{"role":"user","content":""}`) is longer than the tokens that frame it, so the
/// body's own length bounds the text; what is not text adds to it.
struct Bound {
    tokens: u64,
    unbounded: Option<&'static str>,
}

fn json_failure(error: &json::Error) -> Failure {
    match (&error.kind, &error.key) {
        (json::ErrorKind::DuplicateKey, Some(key)) => Failure::new(
            Code::DuplicateField,
            format!("The field '{}' occurs twice in the body. Send it once.", printable(key)),
        )
        .param(printable(key)),
        _ => Failure::new(Code::InvalidJson, format!("The body is not valid JSON: {error}.")),
    }
}

/// At most 64 characters, for messages.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

struct Reader<'a> {
    body: &'a [u8],
    index: &'a Index,
}

impl<'a> Reader<'a> {
    /// A field that is there and not null: OpenAI treats null as absent, and its SDKs send it.
    fn field(&self, name: &str) -> Option<Value<'a>> {
        self.index.get(self.body, name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &'static str) -> Result<Value<'a>, Failure> {
        self.field(name).ok_or_else(|| {
            Failure::new(Code::MissingField, format!("Missing required parameter: '{name}'.")).param(name)
        })
    }

    fn model(&self) -> Result<String, Failure> {
        let value = self.required("model")?;
        let name = value.as_str().ok_or_else(|| wrong_type("model", "a string", value))?;
        if name.is_empty() || name.len() > MAX_MODEL_BYTES || name.chars().any(char::is_control) {
            let words = format!("'model' must be a name of 1 to {MAX_MODEL_BYTES} bytes without control characters.");
            return Err(Failure::new(Code::InvalidValue, words).param("model"));
        }
        Ok(name.into_owned())
    }

    fn boolean(&self, name: &'static str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.field(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong_type(name, "true or false", value))
    }

    fn number(&self, name: &'static str, low: f64, high: f64) -> Result<Option<f64>, Failure> {
        let Some(value) = self.field(name) else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| wrong_type(name, "a number", value))?;
        if !(low..=high).contains(&number) {
            return Err(out_of_range(name, &format!("from {low} to {high}"), value));
        }
        Ok(Some(number))
    }

    fn integer(&self, name: &'static str, low: u64, high: u64) -> Result<Option<u64>, Failure> {
        let Some(value) = self.field(name) else { return Ok(None) };
        if value.kind() != Kind::Number {
            return Err(wrong_type(name, "an integer", value));
        }
        match value.as_u64() {
            Some(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(out_of_range(name, &format!("an integer from {low} to {high}"), value)),
        }
    }

    /// The lower of the two names that OpenAI has for it.
    fn output_cap(&self, endpoint: Endpoint) -> Result<Option<u64>, Failure> {
        let old = self.integer("max_tokens", 1, u32::MAX.into())?;
        let new = match endpoint {
            Endpoint::Chat => self.integer("max_completion_tokens", 1, u32::MAX.into())?,
            _ => None,
        };
        Ok([old, new].into_iter().flatten().min())
    }

    fn include_usage(&self) -> Result<bool, Failure> {
        let Some(options) = self.field("stream_options") else { return Ok(false) };
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

    fn budget(&self) -> Result<Option<String>, Failure> {
        let Some(value) = self.field("pool") else { return Ok(None) };
        let name = value.as_str().ok_or_else(|| wrong_type("pool", "the name of a budget", value))?;
        Ok(Some(name.into_owned()))
    }

    fn prompt(&self, name: &'static str) -> Result<(), Failure> {
        let value = self.required(name)?;
        match value.kind() {
            Kind::String => Ok(()),
            Kind::Array if value.elements().next().is_some() => Ok(()),
            Kind::Array => Err(Failure::new(Code::InvalidValue, format!("'{name}' is empty.")).param(name)),
            _ => Err(wrong_type(name, "a string or an array", value)),
        }
    }

    fn messages(&self, bound: &mut Bound) -> Result<(), Failure> {
        let messages = self.required("messages")?;
        if messages.kind() != Kind::Array {
            return Err(wrong_type("messages", "an array of messages", messages));
        }
        let mut count = 0;
        for (at, message) in messages.elements().enumerate() {
            count += 1;
            check_message(at, message, bound)?;
        }
        if count == 0 {
            return Err(Failure::new(Code::InvalidValue, "'messages' is empty: send at least one.").param("messages"));
        }
        Ok(())
    }
}

fn check_message(at: usize, message: Value<'_>, bound: &mut Bound) -> Result<(), Failure> {
    if message.kind() != Kind::Object {
        return Err(wrong_type(&format!("messages[{at}]"), "an object", message));
    }
    let (mut role, mut content) = (None, None);
    for (key, value) in message.fields() {
        if key.str_eq("role") {
            role = Some(value);
        } else if key.str_eq("content") {
            content = Some(value);
        }
    }
    match role {
        None => {
            let name = format!("messages[{at}].role");
            Err(Failure::new(Code::MissingField, format!("Missing required parameter: '{name}'.")).param(name))
        }
        Some(role) if role.kind() != Kind::String => Err(wrong_type(&format!("messages[{at}].role"), "a string", role)),
        Some(_) => check_content(at, content, bound),
    }
}

fn check_content(at: usize, content: Option<Value<'_>>, bound: &mut Bound) -> Result<(), Failure> {
    let Some(content) = content else { return Ok(()) };
    match content.kind() {
        Kind::String | Kind::Null => Ok(()),
        Kind::Array => content.elements().enumerate().try_for_each(|(part_at, part)| {
            let name = || format!("messages[{at}].content[{part_at}]");
            if part.kind() != Kind::Object {
                return Err(wrong_type(&name(), "an object", part));
            }
            match part.get("type").and_then(|kind| kind.as_str()) {
                None => {
                    Err(Failure::new(Code::MissingField, format!("Missing required parameter: '{}.type'.", name()))
                        .param(format!("{}.type", name())))
                }
                Some(kind) => {
                    weigh_part(&kind, bound);
                    Ok(())
                }
            }
        }),
        _ => Err(wrong_type(&format!("messages[{at}].content"), "a string or an array of parts", content)),
    }
}

fn weigh_part(kind: &str, bound: &mut Bound) {
    match kind {
        "text" | "refusal" => {}
        "image_url" => bound.tokens = bound.tokens.saturating_add(IMAGE_BOUND),
        "input_audio" => bound.unbounded = Some("input_audio"),
        "file" => bound.unbounded = Some("file"),
        _ => bound.unbounded = Some("of an unknown type"),
    }
}

fn wrong_type(name: &str, wanted: &str, got: Value<'_>) -> Failure {
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
