//! Wire protocols: bytes to the neutral form and back. Pure.
//!
//! A dialect is a folder with one type that implements [`Protocol`]. Requests meet in the neutral request, which is OpenAI's chat
//! completion with the members that `docs/dialects.md` lists; answers meet in [`neutral::Item`]s, whole or streamed.

pub mod anthropic;
pub mod customs;
pub mod gemini;
mod lines;
mod listener;
mod loss;
pub mod multipart;
pub mod neutral;
pub mod ollama;
pub mod openai;
pub(crate) mod own;
pub mod passed;
mod protocol;
pub mod responses;
mod wrapped;

pub use lines::Lines;
pub use listener::Listener;
pub use loss::{Change, Loss, Lost};
pub(crate) use protocol::bare;
pub use protocol::{Answer, Ask, Decode, Dialect, Encode, Fed, Form, Model, Protocol, Reply, To, VERSION};

impl Dialect {
    /// What it can do. Of an upstream ask [`crate::gateway`]'s, which knows its manners.
    pub fn protocol(self) -> &'static dyn Protocol {
        match self {
            Dialect::OpenAiChat => &openai::OpenAiChat::USUAL,
            Dialect::OpenAiResponses => &responses::OpenAiResponses,
            Dialect::Anthropic => &anthropic::Anthropic,
            Dialect::Gemini => &gemini::Gemini,
            Dialect::Ollama => &ollama::Ollama,
        }
    }
}
