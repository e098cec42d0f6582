//! Reads and checks a request body: what policy needs to know, and nothing else. Unknown fields pass.

use bytes::Bytes;

use crate::cachekey::Draft;
use crate::dialects::neutral::Endpoint;
use crate::dialects::Loss;
use crate::error::{Code, Failure};
use crate::homes::Home;
use crate::json::{self, ErrorKind, Index, Outline, Visit};

use super::fields::Fields;
use super::messages;

/// Most top-level fields. APIs have a few dozen; what keeps their places must not outgrow the body.
pub(super) const MAX_FIELDS: usize = 4096;

/// Tokens that framing can add per conversation whatever its text (priming of the reply).
pub(super) const FRAMING_BOUND: u64 = 8;

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
    /// It holds images.
    pub images: bool,
    /// It holds audio.
    pub audio: bool,
    /// `pool`: the budget that the request names.
    pub budget: Option<String>,
    /// `temperature: 0` or a `seed`, or embeddings: the same question should get the same answer.
    pub deterministic: bool,
    /// Canonical digest, if one was wanted and the body has one.
    pub key: Option<[u8; 32]>,
    /// Of the body as it came, if one was wanted.
    pub digest: Option<[u8; 32]>,
    /// What `body` was made from, where the caller speaks another dialect.
    pub source: Option<Box<Source>>,
}

/// A request in the caller's own dialect.
#[derive(Debug)]
pub struct Source {
    /// As it came.
    pub body: Bytes,
    /// What the neutral request has no place for.
    pub loss: Loss,
    /// Why only an upstream of the same dialect can be asked, where that is so: it needs what that one keeps.
    pub bar: Option<Box<Failure>>,
    /// Where the response is that it goes on from, if an upstream keeps that.
    pub home: Option<Box<Home>>,
    /// The response that it goes on from, of which the body may say no more: what led to it may stand there instead.
    pub previous: Option<String>,
}

impl Facts {
    /// Whether the request brings tools, holds images, holds or wants audio.
    pub fn abilities(&self) -> [bool; 3] {
        let list = |name| self.index.get(&self.body, name).filter(|value| value.kind() == json::Kind::Array);
        let any = |name| list(name).is_some_and(|value| value.elements().next().is_some());
        let spoken = list("modalities").is_some_and(|all| all.elements().any(|one| one.str_eq("audio")));
        [any("tools") || any("functions"), self.images, self.audio || spoken]
    }

    /// Whether the answer must keep to a JSON schema.
    pub fn wants_schema(&self) -> bool {
        let format = self.index.get(&self.body, "response_format").filter(|value| value.kind() == json::Kind::Object);
        format.and_then(|format| format.get("type")).is_some_and(|kind| kind.str_eq("json_schema"))
    }
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
    let mut bound = Bound { tokens: body.len() as u64 + FRAMING_BOUND, ..Bound::default() };
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
    // One key for both forms of an answer: each can be made of the other (`replay`).
    let wanted = tenant.filter(|_| !does_more_than_answer(&body, &index, bound.server_tool));
    let key = wanted.zip(sight.draft.as_mut()).map(|(tenant, draft)| draft.finish(tenant, endpoint.as_str()).0);
    let Bound { tokens: input_bound, unbounded, images, audio, .. } = bound;
    Ok(Facts {
        model,
        stream,
        include_usage,
        output_cap,
        answers,
        choices,
        input_bound,
        unbounded,
        images,
        audio,
        budget,
        deterministic,
        key,
        index,
        body,
        digest: None,
        source: None,
    })
}

/// Whether the provider would keep something of this request, look something up for it, or say it aloud: an answer given
/// again would be another, or would leave undone what was asked for besides.
fn does_more_than_answer(body: &[u8], index: &Index, has_server_tool: bool) -> bool {
    let field = |name| index.get(body, name).filter(|value| !value.is_null());
    has_server_tool
        || field("store").is_some_and(|store| store.as_bool() != Some(false))
        || field("previous_response_id").is_some()
        || field("conversation").is_some()
        || field("modalities").is_some_and(|all| all.elements().any(|one| one.str_eq("audio")))
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
#[derive(Default)]
pub(super) struct Bound {
    pub tokens: u64,
    pub unbounded: Option<Unbounded>,
    pub images: bool,
    pub audio: bool,
    /// A tool that the provider runs.
    pub server_tool: bool,
}

pub(crate) fn json_failure(error: &json::Error) -> Failure {
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
