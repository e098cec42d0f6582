//! What is wrong with a model file, and what helps.

use std::fmt;
use std::io;

/// Why a model file cannot be used.
#[derive(Debug)]
pub enum FileError {
    /// The system does not let it be read.
    Io {
        /// What was tried, with the path.
        doing: String,
        /// What the system said.
        error: io::Error,
    },
    /// It is something else than a model in GGUF: what it looks like, and what helps.
    NotGguf(String),
    /// It is GGUF of a kind that is not read here.
    Unsupported(String),
    /// It contradicts itself or ends early: at which byte, and why.
    Malformed {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// An entry of its metadata is missing or not what it has to be.
    Entry {
        /// The entry's name.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor is missing or not what it has to be.
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// One of the files of a model in a folder is missing or not what it has to be.
    Part {
        /// The file's name in the folder.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Its vocabulary or its `tokenizer.json` cannot be used.
    Vocabulary(String),
    /// Its chat template cannot be used.
    Template(String),
}

impl FileError {
    /// An entry `key` that is not what it has to be.
    pub(crate) fn entry(key: &str, problem: impl Into<String>) -> FileError {
        FileError::Entry { key: shown(key), problem: problem.into() }
    }

    /// A tensor `name` that is not what it has to be.
    pub(crate) fn tensor(name: &str, problem: impl Into<String>) -> FileError {
        FileError::Tensor { name: shown(name), problem: problem.into() }
    }

    /// A file `name` of a model's folder that is not what it has to be.
    pub(crate) fn part(name: &str, problem: impl Into<String>) -> FileError {
        FileError::Part { name: shown(name), problem: problem.into() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io { doing, error } => write!(out, "{doing}: {error}"),
            FileError::NotGguf(problem) | FileError::Unsupported(problem) => out.write_str(problem),
            FileError::Malformed { offset, problem } => write!(
                out,
                "the model file is damaged at byte {offset}: {problem}; if it was downloaded, download it again"
            ),
            FileError::Entry { key, problem } => write!(out, "the model file's entry {key} {problem}"),
            FileError::Tensor { name, problem } => write!(out, "the model file's tensor {name} {problem}"),
            FileError::Part { name, problem } => write!(out, "the model's {name} {problem}"),
            FileError::Vocabulary(problem) => write!(out, "the model's vocabulary cannot be used: {problem}"),
            FileError::Template(problem) => write!(out, "the model's chat template cannot be used: {problem}"),
        }
    }
}

impl std::error::Error for FileError {}

/// `name` as an error message shows it: hostile names are as long as the file, and hold control characters.
pub(crate) fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
