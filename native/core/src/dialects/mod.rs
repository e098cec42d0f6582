//! Wire protocols: bytes to the neutral form and back. Pure.
//!
//! A dialect is a folder with one type that implements [`Protocol`]. Requests meet in the neutral request, which is OpenAI's chat
//! completion with the members that `docs/dialects.md` lists; answers meet in [`neutral::Item`]s, whole or streamed. The shortest folder to
//! read is `ollama`; `CONTRIBUTING.md` says all that another dialect needs beside its folder.
//!
//! | What all share | |
//! | --- | --- |
//! | `list` | [`Dialect`]: each of them, once |
//! | `protocol` | what a dialect can do: [`Protocol`], [`Decode`], [`Encode`] |
//! | `door` | its paths, keys, headers and media types: [`Door`] |
//! | `questions` | what clients ask beside answers, where a dialect has that |
//! | `neutral` | what is said, without a dialect |
//! | `loss` | what became of a field that could not go as it was |
//! | `own` | what every body between equals has changed: the model, and `pool` |
//! | `lines`, `listener` | an upstream's bytes as events or lines, and these through a [`Decode`] as items |
//! | `customs` | calls of custom tools over upstreams that have only functions |
//! | `wrapped` | thoughts of one dialect on their way through a caller of another |
//! | `passed`, `multipart` | what is no chat and goes as it is: rerank, images, audio, files |

pub mod anthropic;
pub mod customs;
mod door;
pub mod gemini;
mod lines;
mod list;
mod listener;
mod loss;
pub mod multipart;
pub mod neutral;
pub mod ollama;
pub mod openai;
pub(crate) mod own;
pub mod passed;
mod protocol;
pub mod questions;
pub mod responses;
mod wrapped;

pub(crate) use door::bare;
pub use door::{Door, Framing, Listing, Version};
pub use lines::Lines;
pub use list::Dialect;
pub use listener::Listener;
pub use loss::{Change, Loss, Lost, Places};
pub use protocol::{Answer, Ask, Asked, Decode, Encode, Fed, Form, Model, Protocol, Reply, To};
pub use questions::Questions;
