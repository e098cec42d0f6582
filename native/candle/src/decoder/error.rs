//! Why a model cannot be run.

use std::fmt;

use crate::file::FileError;
use crate::sample::Broken;

/// What is wrong with a model, or went wrong while it ran.
#[derive(Debug)]
pub enum DecoderError {
    /// The file cannot be read, or lacks something.
    File(FileError),
    /// A kind of model that is not known here.
    Architecture(String),
    /// A kind of model that is known, with a part that is not.
    Unsupported(String),
    /// A number of its metadata that no model can have.
    Metadata(String),
    /// A tensor that is not as the metadata promise.
    Shape {
        /// The tensor.
        name: String,
        /// What the metadata promise.
        expected: Vec<usize>,
        /// What the file holds.
        found: Vec<usize>,
    },
    /// More tokens than a sequence has room for.
    Full {
        /// Tokens that were to be held.
        needed: usize,
        /// Tokens that there is room for.
        room: usize,
    },
    /// Its weights or its arithmetic are broken: what it computed is no number.
    NotANumber,
    /// An answer cannot go on in the form that it is held to.
    Form(String),
    /// Candle refused an operation.
    Tensor(candle_core::Error),
}

impl fmt::Display for DecoderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecoderError::File(error) => write!(f, "{error}"),
            DecoderError::Architecture(name) => {
                let known = super::Architecture::NAMES.join(", ");
                write!(f, "the model's architecture `{name}` is not known; known are {known}")
            }
            DecoderError::Unsupported(what) => write!(f, "the model needs what is not supported: {what}"),
            DecoderError::Metadata(what) => write!(f, "the model's metadata are wrong: {what}"),
            DecoderError::Shape { name, expected, found } => {
                write!(f, "tensor `{name}` should have the shape {expected:?} by the metadata, but has {found:?}")
            }
            DecoderError::Full { needed, room } => write!(f, "{needed} tokens do not fit into room for {room}"),
            DecoderError::NotANumber => write!(f, "the model computed what is not a number: its weights are broken"),
            DecoderError::Form(why) => write!(f, "the answer cannot be held to its form any further: {why}"),
            DecoderError::Tensor(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for DecoderError {}

impl From<FileError> for DecoderError {
    fn from(error: FileError) -> Self {
        DecoderError::File(error)
    }
}

impl From<Broken> for DecoderError {
    fn from(Broken(why): Broken) -> Self {
        DecoderError::Form(why)
    }
}

impl From<candle_core::Error> for DecoderError {
    fn from(error: candle_core::Error) -> Self {
        DecoderError::Tensor(error)
    }
}
