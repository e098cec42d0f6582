//! Texts as encoders take them: each between the tokens that belong around it.

use std::panic::{catch_unwind, AssertUnwindSafe};

use tokenizers::Tokenizer;

use super::json;
use crate::file::FileError;

/// The vocabulary of an encoder, which puts tokens around each text (BERT's `[CLS]` and `[SEP]`).
pub struct FramedTokenizer {
    tokenizer: Tokenizer,
    /// Tokens before a text.
    before: usize,
    /// Tokens after it.
    after: usize,
}

impl FramedTokenizer {
    /// Reads a `tokenizer.json`.
    pub fn from_json(bytes: &[u8]) -> Result<FramedTokenizer, FileError> {
        let mut framed = FramedTokenizer { tokenizer: json::parse(bytes)?, before: 0, after: 0 };
        let (tokens, around) = framed.split("a").map_err(FileError::Vocabulary)?;
        framed.before = around.iter().take_while(|around| **around).count();
        framed.after = around[framed.before..].iter().rev().take_while(|around| **around).count();
        debug_assert!(framed.before + framed.after <= tokens.len());
        Ok(framed)
    }

    /// The tokens of `text`, with those around it; or why it cannot be split.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.split(text).map(|(tokens, _)| tokens)
    }

    /// `tokens` without the end of the text, so that `most` are left with those around it. It is the end that the libraries
    /// of such models leave out too.
    pub fn cut(&self, mut tokens: Vec<u32>, most: usize) -> Vec<u32> {
        if tokens.len() <= most {
            return tokens;
        }
        let after = tokens.split_off(tokens.len() - self.after.min(tokens.len()));
        tokens.truncate(most.saturating_sub(after.len()));
        tokens.extend(after);
        tokens.truncate(most);
        tokens
    }

    /// The fewest tokens that a text can be cut to.
    pub fn least(&self) -> usize {
        self.before + self.after + 1
    }

    /// The token with the highest number.
    pub fn highest(&self) -> u32 {
        self.tokenizer.get_vocab(true).values().copied().max().unwrap_or(0)
    }

    /// Tokens, and whether each is one of those around the text.
    fn split(&self, text: &str) -> Result<(Vec<u32>, Vec<bool>), String> {
        // A file that contradicts itself can make the library panic with any text.
        let encoded = catch_unwind(AssertUnwindSafe(|| self.tokenizer.encode_fast(text, true)));
        let encoded = encoded.map_err(|_| "its tokenizer.json contradicts itself".to_owned())?;
        let encoded = encoded.map_err(|error| error.to_string())?;
        let around = encoded.get_special_tokens_mask().iter().map(|mask| *mask == 1).collect();
        Ok((encoded.get_ids().to_vec(), around))
    }
}
