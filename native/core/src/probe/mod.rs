//! What servers of models say of them beyond OpenAI's list, each in its own words: what to ask whom, and what of the answers
//! to believe.
//!
//! An answer is hostile until it is read: what is missing, of another type or beyond what can be is not known, and nothing
//! that is not known keeps a request away. So a server that fails or lies is asked as if it had never been probed.

mod facts;
mod listed;
mod llamacpp;
mod ollama;

pub use facts::Facts;
pub(crate) use listed::MAX_LISTED;
pub use listed::{read_list, Listed};

use bytes::Bytes;

use crate::config::catalogue;
use crate::json::{self, Value};

/// A longer answer says nothing: `/api/show` brings licences and templates, tens of kilobytes of them.
const MOST_BYTES: usize = 2 << 20;
/// What a context may be. The longest of today is ten million tokens, the shortest 256 (`all-minilm`).
const CONTEXTS: std::ops::RangeInclusive<u64> = 64..=100_000_000;
/// Most bytes of a model.
const MOST_MEMORY: u64 = 1 << 50;

/// A server whose words are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Tells of one model at a time: `POST /api/show`.
    Ollama,
    /// Serves one model and tells of that: `GET /props`. With more of them it is a router, whose properties are no model's.
    LlamaCpp,
    /// Says all that it says in its list.
    Vllm,
}

impl Server {
    /// Who answers for a provider of this type: of some it is known, and of others their list says it (`owned_by`). A
    /// remote service is what its type says, whatever it lists.
    pub fn of(type_name: &str, listed: &Listed) -> Option<Server> {
        match type_name {
            "ollama" => Some(Server::Ollama),
            "llamacpp" => Some(Server::LlamaCpp),
            "vllm" => Some(Server::Vllm),
            other => {
                // Mostly nothing was said, and this is asked whenever the loop looks.
                let server = listed.server?;
                let known = catalogue::find(other)?;
                (known.local || known.origin.is_none()).then_some(server)
            }
        }
    }

    /// As lists name it in `owned_by`. Ollama names the namespace of a model there, which for its own library is this.
    fn of_owner(owner: Value<'_>) -> Option<Server> {
        let all = [("library", Server::Ollama), ("llamacpp", Server::LlamaCpp), ("vllm", Server::Vllm)];
        all.into_iter().find(|(name, _)| owner.str_eq(name)).map(|(_, server)| server)
    }

    /// Whether its list tells something even where all of its models are named.
    pub fn is_type(type_name: &str) -> bool {
        Server::of(type_name, &Listed::default()).is_some()
    }

    /// Method, path below the server's root and body of what to ask it of `model`, if there is anything to ask.
    pub fn question(self, model: &str) -> Option<(&'static str, &'static str, Bytes)> {
        match self {
            Server::Ollama => {
                let mut body = br#"{"model":"#.to_vec();
                json::write_string(&mut body, model);
                body.push(b'}');
                Some(("POST", "/api/show", body.into()))
            }
            Server::LlamaCpp => Some(("GET", "/props", Bytes::new())),
            Server::Vllm => None,
        }
    }

    /// What its answer says.
    pub fn read(self, body: &[u8]) -> Facts {
        if body.len() > MOST_BYTES {
            return Facts::default();
        }
        let Ok(said) = json::validate(body, json::Limits::default()) else { return Facts::default() };
        match self {
            Server::Ollama => ollama::show(said),
            Server::LlamaCpp => llamacpp::props(said),
            Server::Vllm => Facts::default(),
        }
    }
}

/// A number of tokens that a model can hold.
fn context(said: Option<Value<'_>>) -> Option<u64> {
    said?.as_u64().filter(|tokens| CONTEXTS.contains(tokens))
}
