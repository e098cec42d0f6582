//! Language models computed in this process: GGUF files mapped and checked, their vocabularies and chat templates.
//!
//! Everything that a model file says is taken for hostile until it is checked: sizes, offsets, counts, and the chat
//! template, which is code that came with the weights.

pub mod file;
pub mod template;
pub mod text;
