//! Which tokens end an answer. GGUF has no list of them, so they are found by their texts, as llama.cpp finds them
//! (`special_eog_ids` of llama-vocab.cpp); and by the numbers that the metadata names.

use std::collections::HashSet;

use super::vocabulary::Vocabulary;
use crate::file::{FileError, Metadata};

/// Texts that end an answer in the vocabularies that have them.
const ENDS: [&str; 23] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
    // Where a file of code ends.
    "<|file_sep|>",
];

/// Filling and naming files in the middle of code: an answer that gets there is over.
const FILLING: [&str; 10] = [
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
];

/// The entries of the metadata that name a token which ends an answer.
const KEYS: [&str; 6] = [
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Whether a token of this text is a control token, whatever the vocabulary says.
pub(super) fn is_control_text(text: &str) -> bool {
    ENDS.contains(&text) || FILLING.contains(&text)
}

/// The ends by text.
pub(super) fn by_text(vocabulary: &Vocabulary) -> HashSet<u32> {
    let mut ends: HashSet<u32> = ENDS.iter().chain(&FILLING).filter_map(|text| vocabulary.id(text)).collect();
    let mut not_one = |text: &str, beside: &[&str]| {
        let all = beside.iter().all(|other| vocabulary.id(other).is_some());
        if let (true, Some(id)) = (all, vocabulary.id(text)) {
            ends.remove(&id);
        }
    };
    // There it closes one message of several.
    not_one("<|end|>", &["<|return|>", "<|call|>"]);
    not_one("<|end|>", &["<|calls|>", "<|flush|>"]);
    // There it is a piece of HTML.
    not_one("</s>", &["<|tool_response>"]);
    ends
}

/// The ends that the metadata names. A number outside the vocabulary is passed over, as llama.cpp does.
pub(super) fn by_number(metadata: &Metadata, vocabulary: &Vocabulary) -> Result<HashSet<u32>, FileError> {
    let mut ends = HashSet::new();
    for key in KEYS {
        ends.extend(metadata.opt_u32(key)?.filter(|&id| (id as usize) < vocabulary.len()));
    }
    Ok(ends)
}
