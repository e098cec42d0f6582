//! The neutral form: what an engine of this process is asked, and what it says, without any wire framing.

use bytes::Bytes;

use super::Dialect;
use crate::engine::Standing;
use crate::http::UpstreamRequest;
use crate::ledger::Usage;

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// The word used in rows and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Endpoint::Chat => "chat",
            Endpoint::Completions => "completions",
            Endpoint::Embeddings => "embeddings",
        }
    }

    /// Path below a provider's base URL.
    pub const fn path(self) -> &'static str {
        match self {
            Endpoint::Chat => "/chat/completions",
            Endpoint::Completions => "/completions",
            Endpoint::Embeddings => "/embeddings",
        }
    }
}

/// A request to an engine: a checked JSON object in the OpenAI form, with `model` as the engine knows it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// The whole object.
    pub body: Bytes,
    /// Of a provider with callables: where its request goes, with the same body, once they have seen it.
    pub upstream: Option<Box<UpstreamRequest>>,
    /// Whose it is, for engines that let calls wait or keep work between them.
    pub standing: Standing,
}

/// One thing that an engine or an upstream says.
///
/// Of a choice the pieces come in the order in which they were said, and its `Finish` last. Whoever reads an upstream makes ids of calls
/// where it has none, counts calls from 0 through all blocks of a choice, and says a call's `id` and `name` once. A dialect that adds to
/// its answers what is none of these adds a kind here, and every [`Encode`](super::Encode) and [`Protocol::loses`](super::Protocol::loses)
/// says what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// More text of a choice.
    Text {
        /// Which choice, from 0.
        choice: u32,
        /// Whole characters.
        text: String,
        /// The tokens of `text`, where they were asked for; empty else.
        logprobs: Vec<TokenLogprob>,
    },
    /// More of what a model thinks before it answers.
    Reasoning {
        /// Which choice, from 0.
        choice: u32,
        /// Whole characters.
        text: String,
    },
    /// A tool call or the next piece of its arguments.
    ToolCall {
        /// Which choice, from 0.
        choice: u32,
        /// Which call of the choice, from 0.
        index: u32,
        /// With the first piece only.
        id: Option<String>,
        /// With the first piece only.
        name: Option<String>,
        /// JSON text, or the text itself of a custom tool's input; to be joined.
        arguments: String,
        /// What kind of tool is called; with every piece.
        kind: CallKind,
    },
    /// A choice is complete. Reasons are OpenAI's: `stop`, `length`, `tool_calls`, `content_filter`. An upstream that ends a choice by an
    /// error has none of these: it is `Fed::Error` or `Answer::Error`.
    Finish {
        /// Which choice, from 0.
        choice: u32,
        /// Why.
        reason: String,
    },
    /// One input's vector.
    Embedding {
        /// Which input, from 0.
        index: u32,
        /// The vector.
        vector: Vec<f32>,
    },
    /// What binds thoughts to the model that thought them, and must be given back unchanged to be of use.
    Thought {
        /// Which choice, from 0.
        choice: u32,
        /// Whose it is: no other dialect's upstream may be sent it.
        origin: Dialect,
        /// What it is.
        thought: Thought,
    },
    /// More of the words with which a model declines (OpenAI's `refusal`).
    Refusal {
        /// Which choice, from 0.
        choice: u32,
        /// Whole characters.
        text: String,
    },
    /// Where something that was said is from.
    Annotation {
        /// Which choice, from 0.
        choice: u32,
        /// OpenAI's annotation object, in one line: `{"type":"url_citation","url_citation":{"url","title","start_index","end_index"}}`.
        /// Indices are characters of the choice's text. Writers know this type alone; OpenAI's two dialects pass others on as they are.
        json: String,
    },
    /// Which of the caller's stop sequences ended a choice; before its `Finish`.
    StopSequence {
        /// Which choice, from 0.
        choice: u32,
        /// As the caller wrote it.
        text: String,
    },
    /// Tokens used; the last one counts. Writers never see it: they are given what counts at the end.
    Usage(Usage),
    /// What the tokens were used for, where an upstream says more than [`Usage`] holds; the last one counts.
    UsageDetail {
        /// Of the output, what was thought.
        reasoning_tokens: u64,
    },
}

/// What kind of tool a call is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// It takes arguments in JSON.
    #[default]
    Function,
    /// It takes one text, as free as its grammar leaves it (OpenAI's `custom`).
    Custom,
}

impl CallKind {
    /// The word in OpenAI's chat, for the type of a call and for the member with what is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            CallKind::Function => "function",
            CallKind::Custom => "custom",
        }
    }

    /// The member with what it is given.
    pub const fn given(self) -> &'static str {
        match self {
            CallKind::Function => "arguments",
            CallKind::Custom => "input",
        }
    }
}

/// An opaque part of what a model thought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thought {
    /// Signs the reasoning since the choice's last signature (Anthropic's `signature`); ends its block.
    Signature(String),
    /// A whole block that only its origin reads (Anthropic's `redacted_thinking.data`).
    Redacted(String),
    /// Of one call (Gemini's `thoughtSignature` beside a `functionCall`): which, from 0.
    OfCall(u32, String),
    /// Of text (Gemini's `thoughtSignature` beside a `text`).
    OfText(String),
    /// A whole item of the Responses API, with its encrypted content, as JSON.
    Item(String),
}

/// How likely a token was.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// As text; a part of a character is written as the replacement character.
    pub token: String,
    /// As it is.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest in its place, each as the three above, the likeliest first.
    pub top: Vec<(String, Vec<u8>, f32)>,
}

/// What a document is called whose caller named it not: OpenAI takes none without a name.
pub const UNNAMED: &str = "document.pdf";

/// The heaviest that an item can be. As half of a window it always comes within some credit, whatever it holds.
pub const HEAVIEST: usize = 32 << 10;

impl Item {
    /// What it costs of the credit that an engine is given: its bytes, at least 1 and at most [`HEAVIEST`].
    pub fn weight(&self) -> usize {
        self.bytes().clamp(1, HEAVIEST)
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Item::Text { text, logprobs, .. } => text.len() + logprobs.iter().map(TokenLogprob::bytes).sum::<usize>(),
            Item::Reasoning { text, .. } => text.len(),
            Item::ToolCall { id, name, arguments, .. } => {
                id.as_ref().map_or(0, String::len) + name.as_ref().map_or(0, String::len) + arguments.len()
            }
            Item::Refusal { text, .. } | Item::StopSequence { text, .. } => text.len(),
            Item::Annotation { json, .. } => json.len(),
            Item::Thought { thought, .. } => thought.text().len(),
            Item::Embedding { vector, .. } => vector.len() * 4,
            Item::Finish { .. } | Item::Usage(_) | Item::UsageDetail { .. } => 0,
        }
    }
}

impl Thought {
    /// What is opaque of it.
    pub fn text(&self) -> &str {
        match self {
            Thought::Signature(text)
            | Thought::Redacted(text)
            | Thought::OfCall(_, text)
            | Thought::OfText(text)
            | Thought::Item(text) => text,
        }
    }
}

impl TokenLogprob {
    /// Bytes that it holds, numbers included.
    fn bytes(&self) -> usize {
        let one = |token: &str, bytes: &[u8]| token.len() + bytes.len() + 4;
        one(&self.token, &self.bytes) + self.top.iter().map(|(token, bytes, _)| one(token, bytes)).sum::<usize>()
    }
}
