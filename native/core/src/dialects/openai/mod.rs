//! The OpenAI dialect: chat completions, completions, embeddings, models.
//!
//! Source of the shapes: the OpenAI API reference and openapi document, and what `openai` 3.x sends and reads. The neutral
//! request is this dialect's, with the members that `docs/dialects.md` lists.
//!
//! | Way | Files |
//! | --- | --- |
//! | all of it, as a [`Protocol`](crate::dialects::Protocol) | `protocol.rs` |
//! | paths, keys, headers | `door.rs` |
//! | a caller's request | `request.rs` (what policy reads of it), `fields.rs`, `messages.rs`; `read_request.rs`, `read_messages.rs`, `request_fields.rs` (as the neutral one) |
//! | to an upstream | `write_request.rs`, `write_messages.rs` (with `attachments.rs`), `write_tools.rs`, `strict.rs`, `effort.rs`, `limits.rs`; `splice.rs` where the caller speaks it too; `manners.rs` (how servers differ), `quirks.rs` (the same by names) |
//! | an upstream's answer as items | `read_answer.rs` (whole), `decode.rs` (streamed); both by `reading.rs`, `parts.rs`, `calls.rs`, `details.rs`, `finish.rs`, `logprobs.rs` |
//! | an upstream's answer that passes as it is | `answer.rs` (whole), `relay.rs` (streamed), `chunk.rs`, `choices.rs`, `pieces.rs`, `usage.rs`, `words.rs` |
//! | items as an answer | `collected.rs` (whole), `streamed.rs`; both by `encode.rs`, `spent.rs`, `thoughts.rs`, `vectors.rs` |
//! | a kept answer in the other form | `join.rs`, `retell.rs`, `members.rs` |
//! | errors | `errors.rs`, and `crate::error` |
//! | counting | `count.rs` |
//! | other endpoints | `models.rs`, `passed.rs` |

pub mod answer;
mod attachments;
mod calls;
pub mod choices;
pub mod chunk;
pub mod collected;
pub mod count;
mod decode;
mod details;
mod door;
pub mod effort;
pub mod encode;
mod errors;
pub(crate) mod fields;
mod finish;
pub mod join;
mod limits;
mod logprobs;
pub mod manners;
mod members;
mod messages;
pub mod models;
mod parts;
pub mod passed;
pub mod pieces;
mod protocol;
pub mod quirks;
mod read_answer;
mod read_messages;
mod read_request;
mod reading;
pub mod relay;
pub mod request;
mod request_fields;
pub mod retell;
mod spent;
pub(crate) mod splice;
mod streamed;
pub(crate) mod strict;
#[cfg(test)]
mod tests;
mod thoughts;
pub mod usage;
mod vectors;
pub mod words;
mod write_messages;
mod write_request;
mod write_tools;

pub use decode::Decoder;
pub use protocol::OpenAiChat;
pub use request_fields::{MESSAGE_FIELDS, REQUEST_FIELDS};
pub use streamed::Encoder;
