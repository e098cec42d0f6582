//! Token counting for OpenAI encodings, offline.
//!
//! Exact on text: the same ids as `tiktoken`, from the vocabularies that the `bpe-openai` crate embeds. Look-alikes of
//! special tokens (`<|endoftext|>`) are plain text, because that is what an API makes of a caller's text. Time is linear
//! in the text, whatever it is.
//!
//! ```
//! use hoosh_core::tokens::{count, encoding_for_model};
//!
//! let encoding = encoding_for_model("openai/gpt-4o-mini").unwrap();
//! assert_eq!((encoding.as_str(), count("Hello, world!", encoding)), ("o200k_base", 4));
//! ```

mod messages;
mod models;
mod tools;
mod vocabulary;

use vocabulary::Vocabulary;

pub use messages::{count_messages, input_bound, ImageDetail, MessageCount, MessageText, ToolCallText};
pub use models::encoding_for_model;
pub use tools::{count_tools, PropertyText, ToolText};

/// A way to divide text into tokens. Its vocabulary is unpacked on first use, which takes tens of milliseconds and
/// stays for the life of the process; [`Encoding::load`] does it at a better time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GPT-4, GPT-3.5 and the embedding models.
    Cl100kBase,
    /// GPT-4o and everything after it.
    O200kBase,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: &'static [Encoding] = &[Encoding::Cl100kBase, Encoding::O200kBase];

    /// The name that `tiktoken` gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Encoding::Cl100kBase => "cl100k_base",
            Encoding::O200kBase => "o200k_base",
        }
    }

    /// Unpacks the vocabulary now, unless that was done.
    pub fn load(self) {
        Vocabulary::of(self);
    }
}

/// A name that no encoding has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEncoding(String);

impl std::fmt::Display for UnknownEncoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known: Vec<_> = Encoding::ALL.iter().map(|encoding| encoding.as_str()).collect();
        write!(f, "unknown encoding {:?}; known are {}", self.0, known.join(" and "))
    }
}

impl std::error::Error for UnknownEncoding {}

impl std::str::FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        let found = Encoding::ALL.iter().find(|encoding| encoding.as_str() == name);
        found.copied().ok_or_else(|| UnknownEncoding(name.to_owned()))
    }
}

/// How many tokens `text` has.
pub fn count(text: &str, encoding: Encoding) -> usize {
    Vocabulary::of(encoding).count(text)
}

/// The token ids of `text`.
pub fn encode(text: &str, encoding: Encoding) -> Vec<u32> {
    Vocabulary::of(encoding).encode(text)
}

/// The bytes that the ids stand for; they may begin or end inside a character. `None` if an id is not in the vocabulary,
/// as is the case for special tokens.
pub fn decode_bytes(ids: &[u32], encoding: Encoding) -> Option<Vec<u8>> {
    let bpe = Vocabulary::of(encoding).bpe();
    let known = |id: &u32| (*id as usize) < bpe.num_tokens();
    ids.iter().all(known).then(|| bpe.decode_tokens(ids))
}

/// The text that the ids stand for. `None` if an id is not in the vocabulary or the bytes are not UTF-8.
pub fn decode(ids: &[u32], encoding: Encoding) -> Option<String> {
    String::from_utf8(decode_bytes(ids, encoding)?).ok()
}
