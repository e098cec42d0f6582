//! Language models computed in this process: GGUF files and folders of safetensors mapped and checked, their vocabularies and
//! chat templates, and an [engine](Candle) that runs them with Candle.
//!
//! Everything that a model file says is taken for hostile until it is checked: sizes, offsets, counts, and the chat
//! template, which is code that came with the weights.

pub mod constrain;
pub mod decoder;
pub mod device;
pub mod encoder;
pub mod file;
pub mod folder;
pub mod request;
pub mod sample;
pub mod slots;
pub mod stop;
pub mod template;
pub mod text;
pub mod threads;
pub mod tools;

mod engine;
mod load;

pub use engine::Candle;
pub use load::{look, ModelSource, Settings, Source};
