//! Reads and checks a request body: what policy needs to know, and nothing else. Unknown fields pass.

use bytes::Bytes;

use crate::cachekey::Draft;
use crate::dialects::neutral::Endpoint;
use crate::error::{Code, Failure};
use crate::json::{self, ErrorKind, Index, Kind, Outline, Value, Visit};

use super::messages;

/// Longest model name, bytes.
pub const MAX_MODEL_BYTES: usize = 256;

/// Most top-level fields. APIs have a few dozen; what keeps their places must not outgrow the body.
const MAX_FIELDS: usize = 4096;

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
    /// Choices, or vectors, that the answer has: `n` of each prompt, one of each input.
    pub answers: u64,
    /// Answers that are generated and paid for, at least 1: `n`, or `best_of`, of each prompt.
    pub choices: u64,
    /// Never less than the input tokens, images included.
    pub input_bound: u64,
    /// A part of the request whose tokens nobody can bound, if there is one.
    pub unbounded: Option<Unbounded>,
    /// `pool`: the budget that the request names.
    pub budget: Option<String>,
    /// `temperature: 0` or a `seed`, or embeddings: the same question should get the same answer.
    pub deterministic: bool,
    /// Canonical digest, if one was wanted and the body has one.
    pub key: Option<[u8; 32]>,
}

/// A part of a request whose tokens nobody can bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbounded {
    /// The field that it is in.
    pub param: &'static str,
    /// What it is, for a message.
    pub what: &'static str,
}

/// Scans, checks and classifies `body`. Pure and linear; for bodies over 64 KiB the driver runs it as a job.
/// `tenant` separates cache keys; `None` if no key is wanted.
pub fn read(body: Bytes, endpoint: Endpoint, tenant: Option<&str>) -> Result<Facts, Failure> {
    let draft = tenant.map(|_| Draft::with_capacity(body.len()));
    let mut sight = Sight { outline: Outline::default(), draft };
    let mut index = Index::default();
    index.rescan(&body, json::Limits::default(), &mut sight).map_err(|error| json_failure(&error))?;
    if index.len() > MAX_FIELDS {
        let words = format!("The body has more than {MAX_FIELDS} fields at its top level.");
        return Err(Failure::new(Code::InvalidJson, words));
    }
    let fields = Fields::of(&body, &index, &sight.outline);
    let model = fields.model()?;
    let stream = fields.stream.boolean()?.unwrap_or(false) && endpoint != Endpoint::Embeddings;
    let include_usage = fields.include_usage()?;
    let output_cap = fields.output_cap(endpoint)?;
    let temperature = fields.temperature.number(0.0, 2.0)?;
    fields.top_p.number(0.0, 1.0)?;
    let mut answers = fields.n.integer(1, 128)?.unwrap_or(1);
    let mut choices = answers;
    let mut bound = Bound { tokens: body.len() as u64 + FRAMING_BOUND, unbounded: None };
    match endpoint {
        Endpoint::Chat => {
            messages::check(fields.messages.required()?, &mut bound)?;
            fields.server_tools(&mut bound);
        }
        Endpoint::Completions => {
            // What is generated beyond `n` to choose the best of is paid for too.
            choices = choices.max(fields.best_of.integer(1, 128)?.unwrap_or(1));
            let prompts = fields.prompt.prompts()?;
            choices = choices.saturating_mul(prompts);
            answers = answers.saturating_mul(prompts);
        }
        Endpoint::Embeddings => answers = fields.input.prompts()?,
    }
    let seeded = fields.seed.value.is_some();
    let deterministic = endpoint == Endpoint::Embeddings || seeded || temperature == Some(0.0);
    let budget = fields.budget()?;
    let kind = kind(endpoint, stream, include_usage);
    let key = tenant.zip(sight.draft.as_mut()).map(|(tenant, draft)| draft.finish(tenant, kind).0);
    let Bound { tokens: input_bound, unbounded } = bound;
    Ok(Facts {
        model,
        stream,
        include_usage,
        output_cap,
        answers,
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

/// What tells apart, in a cache key, requests of one body whose answers differ in form.
fn kind(endpoint: Endpoint, stream: bool, include_usage: bool) -> &'static str {
    match (endpoint, stream, include_usage) {
        (Endpoint::Embeddings, ..) => "embeddings",
        (Endpoint::Chat, false, _) => "chat",
        (Endpoint::Chat, true, false) => "chat stream",
        (Endpoint::Chat, true, true) => "chat stream with usage",
        (Endpoint::Completions, false, _) => "completions",
        (Endpoint::Completions, true, false) => "completions stream",
        (Endpoint::Completions, true, true) => "completions stream with usage",
    }
}

/// What is made of a body in the one pass that checks it.
struct Sight {
    outline: Outline,
    /// `None` if no key is wanted, or as soon as the body can have none.
    draft: Option<Draft>,
}

impl Visit for Sight {
    #[inline(always)]
    fn place(&self) -> u32 {
        self.outline.place()
    }

    #[inline]
    fn key(&mut self, at: usize, text: &[u8], escaped: bool) {
        self.outline.key(at, text, escaped);
        if let Some(draft) = &mut self.draft {
            draft.key(at, text, escaped);
        }
    }

    #[inline]
    fn string(&mut self, at: usize, text: &[u8], escaped: bool) {
        self.outline.string(at, text, escaped);
        if let Some(draft) = &mut self.draft {
            draft.string(at, text, escaped);
        }
    }

    #[inline]
    fn number(&mut self, at: usize, text: &[u8]) -> Result<(), ErrorKind> {
        if self.draft.as_mut().is_some_and(|draft| draft.number(at, text).is_err()) {
            self.draft = None;
        }
        self.outline.number(at, text)
    }

    #[inline]
    fn literal(&mut self, at: usize, first: u8) {
        self.outline.literal(at, first);
        if let Some(draft) = &mut self.draft {
            draft.literal(at, first);
        }
    }

    #[inline]
    fn open(&mut self, at: usize, object: bool) {
        self.outline.open(at, object);
        if let Some(draft) = &mut self.draft {
            draft.open(at, object);
        }
    }

    #[inline]
    fn close(&mut self, at: usize, object: bool) -> Result<(), ErrorKind> {
        if self.draft.as_mut().is_some_and(|draft| draft.close(at, object).is_err()) {
            self.draft = None;
        }
        self.outline.close(at, object)
    }
}

/// The bound on input tokens as the walk refines it. Byte-level BPE gives at most one token per byte of text, and the
/// JSON around a message (at least `{"role":"user","content":""}`) is longer than the tokens that frame it, so the
/// body's own length bounds the text; what is not text adds to it.
pub(super) struct Bound {
    pub tokens: u64,
    pub unbounded: Option<Unbounded>,
}

fn json_failure(error: &json::Error) -> Failure {
    match (&error.kind, &error.key) {
        (ErrorKind::DuplicateKey, Some(key)) => Failure::new(
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

/// A field by its name; absent where it is null, because OpenAI treats null so, and its SDKs send it.
#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'static str,
    value: Option<Value<'a>>,
}

/// The fields that policy reads, found in one pass over those that are there.
macro_rules! fields {
    ($($field:ident),*) => {
        struct Fields<'a> {
            $($field: Field<'a>,)*
        }

        impl<'a> Fields<'a> {
            fn of(body: &'a [u8], index: &'a Index, outline: &'a Outline) -> Fields<'a> {
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
    fn required(self) -> Result<Value<'a>, Failure> {
        let Field { name, value } = self;
        value.ok_or_else(|| {
            Failure::new(Code::MissingField, format!("Missing required parameter: '{name}'.")).param(name)
        })
    }

    fn boolean(self) -> Result<Option<bool>, Failure> {
        let Some(value) = self.value else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong_type(self.name, "true or false", value))
    }

    fn number(self, low: f64, high: f64) -> Result<Option<f64>, Failure> {
        let Some(value) = self.value else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| wrong_type(self.name, "a number", value))?;
        if !(low..=high).contains(&number) {
            return Err(out_of_range(self.name, &format!("from {low} to {high}"), value));
        }
        Ok(Some(number))
    }

    fn integer(self, low: u64, high: u64) -> Result<Option<u64>, Failure> {
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
    fn prompts(self) -> Result<u64, Failure> {
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
    fn model(&self) -> Result<String, Failure> {
        let value = self.model.required()?;
        let name = value.as_str().ok_or_else(|| wrong_type("model", "a string", value))?;
        if name.is_empty() || name.len() > MAX_MODEL_BYTES || name.chars().any(char::is_control) {
            let words = format!("'model' must be a name of 1 to {MAX_MODEL_BYTES} bytes without control characters.");
            return Err(Failure::new(Code::InvalidValue, words).param("model"));
        }
        Ok(name.into_owned())
    }

    /// The lower of the two names that OpenAI has for it.
    fn output_cap(&self, endpoint: Endpoint) -> Result<Option<u64>, Failure> {
        // Completions may be asked for their prompt alone.
        let least = u64::from(endpoint == Endpoint::Chat);
        let old = self.max_tokens.integer(least, u32::MAX.into())?;
        let new = match endpoint {
            Endpoint::Chat => self.max_completion_tokens.integer(1, u32::MAX.into())?,
            _ => None,
        };
        Ok([old, new].into_iter().flatten().min())
    }

    fn include_usage(&self) -> Result<bool, Failure> {
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
    fn server_tools(&self, bound: &mut Bound) {
        let mut tools = self.tools.value.into_iter().flat_map(|tools| tools.elements());
        let own =
            |tool: Value<'_>| tool.get("type").is_none_or(|kind| kind.str_eq("function") || kind.str_eq("custom"));
        let what = "a tool that the provider runs";
        if self.web_search_options.value.is_some() {
            bound.unbounded = Some(Unbounded { param: "web_search_options", what });
        } else if !tools.all(own) {
            bound.unbounded = Some(Unbounded { param: "tools", what });
        }
    }

    fn budget(&self) -> Result<Option<String>, Failure> {
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
