//! Wire protocols: bytes to the neutral form and back. Pure.
//!
//! A dialect is a folder with one type that implements [`Protocol`]. Requests meet in the neutral request, which is OpenAI's chat
//! completion with the members that `docs/dialects.md` lists; answers meet in [`neutral::Item`]s, whole or streamed.

pub mod gemini;
mod loss;
pub mod multipart;
pub mod neutral;
pub mod openai;
pub mod passed;
mod protocol;

pub use loss::{Change, Loss, Lost};
pub use protocol::{Answer, Ask, Decode, Dialect, Encode, Fed, Form, Protocol, Reply, To};
