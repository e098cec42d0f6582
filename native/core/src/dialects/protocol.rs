//! What a dialect can do: the interface that each folder implements.

use bytes::Bytes;

use super::neutral::{Endpoint, Item};
use super::Loss;
use crate::error::Failure;
use crate::ledger::Usage;
use crate::sse::Frame;

/// A wire protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions, completions and embeddings.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Ollama's own API.
    Ollama,
}

impl Dialect {
    /// Each.
    pub const ALL: [Dialect; 5] =
        [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini, Dialect::Ollama];

    /// The word in configuration, records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAiChat => "openai_chat",
            Dialect::OpenAiResponses => "openai_responses",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Ollama => "ollama",
        }
    }
}

/// In which of a dialect's forms a caller asks, where it has several for one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The usual one: chat or embeddings.
    #[default]
    Usual,
    /// A prompt without messages (Ollama's `/api/generate`).
    Prompt,
    /// Several embeddings, each with a request of its own (Gemini's `batchEmbedContents`), or the older form of one
    /// (Ollama's `/api/embeddings`).
    Other,
    /// A stream as a JSON array instead of events (Gemini's without `alt=sse`).
    Array,
}

/// What the path and query of a caller's request say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Chat or embeddings.
    pub endpoint: Option<Endpoint>,
    /// In which form.
    pub form: Form,
    /// The model, where the path names it.
    pub model: Option<String>,
    /// Whether a stream is asked for, where the path says so.
    pub stream: Option<bool>,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct To<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// As the upstream knows it.
    pub model: &'a str,
    /// Whether the answer shall stream.
    pub stream: bool,
    /// Most output tokens, where policy bounds them lower than the caller.
    pub cap: Option<u64>,
}

/// What all parts of one answer share.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// What was asked for.
    pub endpoint: Option<Endpoint>,
    /// In which form.
    pub form: Form,
    /// The request's id, to make ids of: letters, digits and hyphens.
    pub id: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// As the caller named it.
    pub model: String,
    /// The caller asked for usage in its stream (OpenAI's `stream_options.include_usage`); dialects that always say it do not ask.
    pub include_usage: bool,
    /// The caller asked for vectors in base64 (OpenAI's `encoding_format`).
    pub base64: bool,
}

/// How a stream went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// More may come.
    Open,
    /// The answer is complete; whatever follows is nobody's.
    Done,
    /// The upstream's error event, with its words.
    Error(String),
    /// Something that is not of its protocol.
    Malformed,
}

/// What a whole answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An answer; what it says was put down.
    Whole,
    /// An error in spite of its status, with its words.
    Error(String),
    /// Not of its protocol.
    Malformed,
}

/// Reads one upstream's stream, event by event. It holds what must be remembered between events, and no bytes of them.
pub trait Decode: Send + std::fmt::Debug {
    /// Takes the next event: a block of an event stream, or a line of JSON (then `data` is the line).
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed;

    /// The upstream ended without a mark. Whether the answer is complete; what is still to be said of it is put down.
    fn finish(&mut self, items: &mut Vec<Item>) -> bool;
}

/// Writes one stream in a caller's dialect, framed as it goes over the wire.
pub trait Encode: Send + std::fmt::Debug {
    /// What is said. `Usage` is kept for the end, wherever the dialect wants it.
    fn item(&mut self, item: &Item, out: &mut Vec<u8>);

    /// The answer is complete. `usage` is what it cost; never absent from a dialect that always names it.
    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>);

    /// The stream is broken off: the dialect's error event. `false`: it has none, and the connection must be cut.
    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool;
}

/// One dialect, towards callers and towards upstreams.
pub trait Protocol: Sync {
    /// Which.
    fn dialect(&self) -> Dialect;

    /// Of a stream that a caller of this dialect reads: its media type.
    fn stream_type(&self, form: Form) -> &'static str;

    /// Whether an upstream's stream comes as lines of JSON; else as an event stream.
    fn streams_lines(&self) -> bool {
        false
    }

    /// A caller's body as the neutral request: a JSON object with at least `model` and `messages` (or `input`), `stream` where it is
    /// true, in one line. What the neutral form has no place for goes into `loss`.
    fn read_request(&self, ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure>;

    /// A neutral request, valid JSON, as an upstream of this dialect takes it.
    fn write_request(&self, to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure>;

    /// A body of this dialect for an upstream of the same: only what policy must change is changed, byte for byte.
    fn splice_request(&self, to: &To<'_>, body: &[u8]) -> Vec<u8>;

    /// The path below a provider's base URL, with its query.
    fn target(&self, to: &To<'_>) -> String;

    /// An upstream's answer of status 2xx. Items come in the order of its blocks; each choice with its `Finish`; `Usage` if it says it.
    fn read_answer(&self, endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer;

    /// For an upstream's stream.
    fn decoder(&self) -> Box<dyn Decode>;

    /// A whole answer. Neighbouring pieces of one text or call may come apart.
    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8>;

    /// For a caller's stream.
    fn encoder(&self, reply: Reply) -> Box<dyn Encode>;

    /// The body of an error.
    fn error_body(&self, failure: &Failure) -> Bytes;

    /// The words of an upstream's error body, if it is one of this dialect.
    fn error_words(&self, body: &[u8]) -> Option<String>;
}
