//! What a dialect can do: the interface that each folder implements, with [`Door`]. `CONTRIBUTING.md`, "A sixth dialect", says what a new
//! one needs beside its folder.

use bytes::Bytes;

use super::neutral::{Endpoint, Item};
use super::openai::models;
use super::questions::Question;
use super::{Dialect, Door, Loss, Places};
use crate::error::Failure;
use crate::ledger::Usage;
use crate::sse::Frame;

/// In which of a dialect's forms a caller asks, where it has several for one thing. The path and query alone say so.
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
    /// The model, where the path names it; else the body does.
    pub model: Option<String>,
    /// Whether a stream is asked for, where the path says so; else the body does.
    pub stream: Option<bool>,
    /// Only its tokens are to be counted.
    pub count: bool,
}

/// What a path of a dialect asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An answer, or how many tokens its request has.
    Answer(Ask),
    /// The models that there are.
    Models,
    /// One of them.
    Model(String),
    /// Something else, and the path in records.
    Question(Question, &'static str),
    /// An answer that was kept: its id; and the query, which says in which form.
    Kept(String, String),
    /// What it was asked with: its id; and the query, which says which part of it.
    KeptItems(String, String),
    /// That it be not made any more: its id.
    KeptCancel(String),
}

impl Asked {
    /// An answer in `form`; the body names the model, and says whether it streams.
    pub fn answer(endpoint: Endpoint, form: Form) -> Asked {
        Asked::Answer(Ask { endpoint: Some(endpoint), form, ..Ask::default() })
    }
}

/// A model in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name by which it is asked for.
    pub id: String,
    /// Who serves it.
    pub owner: String,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct To<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// As the upstream knows it: in the body or in the target, and never as the request names it.
    pub model: &'a str,
    /// Whether the answer shall stream.
    pub stream: bool,
    /// Most output tokens, where policy bounds them lower than the caller. The body that is written or spliced has this bound, or the
    /// caller's if that is lower still.
    pub cap: Option<u64>,
    /// Of the dialect's API, where it is in a header (`anthropic-version`); else empty.
    pub version: &'a str,
}

/// What all parts of one answer share. What else the body asks of an answer's form (vectors as whole numbers) is told as lost
/// when the request is read, or barred from other dialects ([`Loss::bar`]).
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
    /// The caller asked for vectors in base64: `encoding_format` of the neutral request says so.
    pub base64: bool,
    /// The request as its caller wrote it, for a dialect whose answers repeat members of it; empty of a caller of OpenAI's chat.
    pub request: Bytes,
    /// The earlier response that it went on from, likewise.
    pub previous: Option<String>,
}

/// How a stream went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// More may come.
    Open,
    /// The answer is complete; whatever follows is nobody's.
    Done,
    /// The upstream's error event, with its words; also where it calls an end what is an error.
    Error(String),
    /// Something that is not of its protocol. An event of its protocol whose kind is not known is no such thing: providers add kinds.
    Malformed,
}

/// What a whole answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An answer; what it says was put down.
    Whole,
    /// It comes later, to whoever asks for it in the same dialect (Responses' `background`).
    Later,
    /// An error in spite of its status, with its words.
    Error(String),
    /// Not of its protocol.
    Malformed,
}

/// Reads one upstream's stream, event by event. It holds what must be remembered between events, and no bytes of them.
pub trait Decode: Send + std::fmt::Debug {
    /// Takes the next event: a block of an event stream that has data, or a line of JSON (then `data` is the line).
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed;

    /// Bytes of an event stream that are no event: comments, and what an upstream says that breaks off in the middle of one.
    fn loose(&mut self, raw: &Bytes, items: &mut Vec<Item>) -> Fed {
        let _ = (raw, items);
        Fed::Open
    }

    /// The upstream ended without a mark ([`Fed::Done`] was not said). Whether the answer is complete all the same; what is still to be
    /// said of it is put down. `false` where the dialect has a mark: the stream broke off.
    fn finish(&mut self, items: &mut Vec<Item>) -> bool;
}

/// Writes one stream in a caller's dialect, framed as it goes over the wire. Nobody says that it begins: what comes before all else is
/// written with the first of these calls, whichever it is. The same holds for the beginnings and ends of blocks: items name none, and a
/// piece of another kind ends the block before it.
pub trait Encode: Send + std::fmt::Debug {
    /// What is said. `Item::Usage` is never among it: what counts is given to `end`.
    fn item(&mut self, item: &Item, out: &mut Vec<u8>);

    /// The answer is complete: all that must still be closed, and the dialect's mark. `usage` is what it cost, as the upstream says it or
    /// as hoosh counted it; never absent from a dialect that always names it.
    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>);

    /// The stream is broken off: the dialect's error event. `false`: it has none, and the connection must be cut.
    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool;
}

/// One dialect, towards callers and towards upstreams.
pub trait Protocol: Sync {
    /// Which.
    fn dialect(&self) -> Dialect;

    /// Its paths, keys, headers and media types.
    fn door(&self) -> &'static Door;

    /// How its callers write what the neutral request has: the loss report names fields so.
    fn places(&self) -> Places;

    /// Of a stream that a caller of this dialect reads: its media type.
    fn stream_type(&self, form: Form) -> &'static str;

    /// A caller's body as the neutral request: a JSON object with at least `model` and `messages` (or `input`), `stream` where it is
    /// true, in one line. `pool`, hoosh's own, is carried. `max_tokens`, `stop` and all else that policy reads must be right: the result is
    /// checked as OpenAI's requests are, and its failures name neutral fields. So a dialect refuses what is wrong in its own words here.
    ///
    /// Every member that the neutral form has no place for goes into `loss`, at any depth, unknown ones too; `null` is as if it were not
    /// there.
    fn read_request(&self, ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure>;

    /// A neutral request, checked already, as an upstream of this dialect takes it: the model and `stream` of `to`, and its bound. Every
    /// neutral member of `docs/dialects.md` is written or told in `loss`. Tools of type `custom` are written as functions with one text
    /// ([`super::customs`] reads their calls), thoughts only if they are of this dialect's origin. What the dialect demands and the
    /// neutral request has not is written as its usual value, and told if that is a guess. `Err` where nothing of use would be left.
    fn write_request(&self, to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure>;

    /// Whether a body holds what hoosh itself gave its caller of another dialect's answer.
    fn has_own(&self, body: &[u8]) -> bool {
        let _ = body;
        false
    }

    /// A body of this dialect for an upstream of the same: only what policy must change is changed, byte for byte. That is `model` and
    /// `pool` (`own.rs`), the bound of `to`, `stream` if it is another than the body says, and what hoosh itself gave the caller.
    /// No other spelling that the upstream would read as one of these may stay.
    fn splice_request(&self, to: &To<'_>, body: &[u8]) -> Vec<u8>;

    /// What [`Protocol::splice_request`] cannot keep of a body that holds what hoosh alone takes. What it gave itself was told with
    /// its answer.
    fn splice_loses(&self, body: &[u8], loss: &mut Loss) {
        let _ = (body, loss);
    }

    /// The path below a provider's base URL, with its query.
    fn target(&self, to: &To<'_>) -> String;

    /// The same of a body that its caller wrote in `form`, and that goes to an upstream of this dialect as it is.
    fn target_in(&self, form: Form, to: &To<'_>) -> String {
        let _ = form;
        self.target(to)
    }

    /// An upstream's whole answer of status 2xx. Items come in the order of its blocks; each choice with its `Finish`; `Usage` if it says
    /// it, and of embeddings one `Embedding` for each input. Answers that pass between equals are read too: none that a caller of this
    /// dialect may ask for is malformed, even if no item can be made of it.
    fn read_answer(&self, endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer;

    /// Whether an upstream's answer goes as it came to a caller of this dialect who asked in `form`.
    fn passes(&self, endpoint: Endpoint, form: Form) -> bool {
        let _ = (endpoint, form);
        true
    }

    /// For an upstream's stream.
    fn decoder(&self) -> Box<dyn Decode>;

    /// A whole answer, for chat, completions and embeddings by `reply.endpoint`. Neighbouring pieces of one text or call may come apart.
    /// `Item::Usage` is not among the items: `usage` is what counts.
    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8>;

    /// Something of an answer that callers of this dialect cannot be told: its place in OpenAI's answer (`message.annotations`), and why.
    /// All else is told, by [`Protocol::write_answer`] and by the encoder alike.
    fn loses(&self, item: &Item) -> Option<(&'static str, &'static str)> {
        let _ = item;
        None
    }

    /// For a caller's stream.
    fn encoder(&self, reply: Reply) -> Box<dyn Encode>;

    /// The error event behind events that an upstream of this dialect wrote. `None`: there is none.
    fn error_behind(&self, failure: &Failure, reply: &Reply) -> Option<Vec<u8>> {
        let mut event = Vec::new();
        self.encoder(reply.clone()).error(failure, &mut event).then_some(event)
    }

    /// The body of an error that hoosh answers, whatever its status.
    fn error_body(&self, failure: &Failure) -> Bytes;

    /// The answer to who asks how many tokens a request has, where the dialect has that question.
    fn count_body(&self, tokens: u64) -> Vec<u8> {
        let _ = tokens;
        Vec::new()
    }

    /// The list of models, for callers of this dialect; as OpenAI writes it unless it says otherwise.
    fn models_body(&self, models: &[Model]) -> Vec<u8> {
        models::list(models)
    }

    /// One of them.
    fn model_body(&self, model: &Model) -> Vec<u8> {
        models::one(model)
    }

    /// The words of an upstream's error body of another status than 2xx, if it is one of this dialect. `None`: callers of the same dialect
    /// are told it in hoosh's words, as it came from something else.
    fn error_words(&self, body: &[u8]) -> Option<String>;
}
