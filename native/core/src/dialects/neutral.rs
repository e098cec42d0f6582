//! The neutral form: what an engine of this process is asked, and what it says, without any wire framing.

use bytes::Bytes;

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
}

/// One thing that an engine says.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// More text of a choice.
    Text {
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
        /// JSON text, to be joined.
        arguments: String,
    },
    /// A choice is complete. Reasons are OpenAI's: `stop`, `length`, `tool_calls`, `content_filter`.
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
    /// Tokens used; the last one counts.
    Usage(Usage),
}
