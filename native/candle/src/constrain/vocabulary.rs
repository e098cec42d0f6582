//! A model's vocabulary as llguidance walks it: a tree of the bytes of all tokens.

use std::sync::Arc;

use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie, INVALID_TOKEN};

use crate::text::Tokenizer;

/// Bytes of the longest token that is offered. The longest about are 128 spaces; the tree takes 1,024.
const LONGEST: usize = 512;

/// Bytes of all tokens, and therefore nodes, that the tree takes. The largest vocabularies about, of 262,144 tokens, have two
/// million.
const MOST: usize = 4_000_000;

/// Texts that are looked at once and not at each step: where a lexeme goes on with any of them, as a string does, their
/// tokens are allowed without a walk. (Of llguidance's own list those that cost the least memory for their worth.)
pub(super) fn slices() -> Vec<String> {
    [r#"[^"\\\x00-\x1F\x7F]{1,10}"#, r#"[^"\\\x00-\x1F\x7F]+"#].map(str::to_owned).to_vec()
}

/// The tokens of `tokenizer`; `None` if there are more than the tree takes.
///
/// Nothing is forced: a text that the grammar leaves no choice about is spelled in the tokens that the model likes best.
pub(super) fn environment(tokenizer: &Tokenizer) -> Option<TokEnv> {
    let words: Vec<Vec<u8>> = (0..tokenizer.len() as u32).map(|token| word(tokenizer, token)).collect();
    if words.iter().map(Vec::len).sum::<usize>() > MOST || words.len() > MOST {
        return None;
    }
    let ends: Vec<u32> = (0..words.len() as u32).filter(|token| tokenizer.is_end(*token)).collect();
    let first = ends.first().copied().unwrap_or(INVALID_TOKEN);
    let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, first), &words);
    let trie = if ends.is_empty() { trie } else { trie.with_eos_tokens(&ends) };
    Some(Arc::new(ApproximateTokEnv::new(trie)))
}

/// The bytes of a token; none for one that is never a part of a text.
fn word(tokenizer: &Tokenizer, token: u32) -> Vec<u8> {
    let piece = tokenizer.piece(token);
    // 0xff is in no UTF-8, and llguidance marks special tokens with it.
    let is_text = piece.len() <= LONGEST && !piece.contains(&TokTrie::SPECIAL_TOKEN_MARKER);
    // One that ends answers would end them in the middle.
    match is_text && !tokenizer.is_end(token) {
        true => piece.to_vec(),
        false => Vec::new(),
    }
}
