//! The OpenAI dialect: chat completions, completions, embeddings, models.
//!
//! Source of the shapes: the OpenAI API reference and openapi document, and what `openai` 3.x sends and reads.

pub mod answer;
pub mod choices;
pub mod chunk;
pub mod collected;
pub mod count;
pub mod encode;
pub(crate) mod fields;
pub mod join;
mod logprobs;
mod members;
mod messages;
pub mod models;
pub mod passed;
pub mod pieces;
pub mod relay;
pub mod request;
pub mod retell;
pub mod usage;
pub mod words;
