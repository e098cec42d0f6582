//! Vocabularies in `tokenizer.json`, by the library that defines the format.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::OnceLock;

use tokenizers::Tokenizer;

use super::bytes;
use super::vocabulary::{Kind, Vocabulary, Writing};
use crate::file::FileError;

/// A vocabulary of `tokenizer.json`.
pub(super) struct Json {
    tokenizer: Tokenizer,
    /// The same, which takes the texts of special tokens for text. Made when it is needed first: it takes as much memory.
    untrusting: OnceLock<Tokenizer>,
}

impl Json {
    /// Reads the file, and lists its tokens.
    pub fn new(json: &[u8]) -> Result<(Json, Vocabulary), FileError> {
        let tokenizer = parse(json)?;
        let vocabulary = vocabulary(&tokenizer, json.len())?;
        Ok((Json { tokenizer, untrusting: OnceLock::new() }, vocabulary))
    }

    /// The tokens of `text`. A text that the file's own rules cannot split gives none.
    pub fn encode(&self, text: &str, parse_special: bool) -> Vec<u32> {
        let tokenizer = if parse_special { &self.tokenizer } else { self.untrusting() };
        tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    /// The token that the file puts before a text.
    pub fn first_token(&self) -> Option<u32> {
        self.tokenizer.encode_fast("", true).ok()?.get_ids().first().copied()
    }

    fn untrusting(&self) -> &Tokenizer {
        self.untrusting.get_or_init(|| {
            let mut tokenizer = self.tokenizer.clone();
            tokenizer.set_encode_special_tokens(true);
            tokenizer
        })
    }
}

/// Reads the file. What it says of cutting and filling up is not taken over: that is for each request to say.
pub(super) fn parse(json: &[u8]) -> Result<Tokenizer, FileError> {
    // The library is meant for files that one trusts; a panic in it is the file's fault.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut tokenizer = Tokenizer::from_bytes(json)?;
        tokenizer.with_padding(None).with_truncation(None)?;
        Ok::<_, tokenizers::Error>(tokenizer)
    }));
    let wrong = |why: String| FileError::Vocabulary(format!("its tokenizer.json cannot be read: {why}"));
    match read {
        Ok(read) => read.map_err(|error| wrong(error.to_string())),
        Err(_) => Err(wrong("it contradicts itself".into())),
    }
}

fn vocabulary(tokenizer: &Tokenizer, file_bytes: usize) -> Result<Vocabulary, FileError> {
    let tokens = tokenizer.get_vocab(true);
    let count = tokens.values().max().map_or(0, |&last| last as usize + 1);
    // A token takes more than one byte of the file; numbers beyond claim a memory that the file does not account for.
    if count > file_bytes {
        return Err(FileError::Vocabulary(format!("it numbers a token {}, far beyond its size", count - 1)));
    }
    let writing = writing(tokenizer);
    let mut texts = vec![String::new(); count];
    let mut kinds = vec![Kind::Unused; count];
    for (text, id) in tokens {
        let is_byte = writing == Writing::Pieces && bytes::from_hex(&text).is_some();
        kinds[id as usize] = if is_byte { Kind::Byte } else { Kind::Normal };
        texts[id as usize] = text;
    }
    for (id, added) in tokenizer.get_added_tokens_decoder() {
        kinds[id as usize] = if added.special { Kind::Control } else { Kind::UserDefined };
        texts[id as usize] = added.content;
    }
    Vocabulary::new(texts, kinds, writing)
}

/// How the file's decoder turns tokens into text. The decoders are told apart by their names in the file's own form,
/// since the library keeps the members of a sequence to itself.
fn writing(tokenizer: &Tokenizer) -> Writing {
    let decoder = tokenizer.get_decoder().and_then(|decoder| serde_json::to_string(decoder).ok()).unwrap_or_default();
    if decoder.contains("\"ByteLevel\"") {
        Writing::Bytes
    } else if decoder.contains("\"Metaspace\"") || decoder.contains("\"ByteFallback\"") || decoder.contains('▁') {
        Writing::Pieces
    } else {
        Writing::Plain
    }
}
