//! Text to tokens and back, with the vocabulary that a model brings along: the same tokens as llama.cpp gives.
//!
//! Known limits: llama.cpp's tables of Unicode and those here may be a version apart, so that letters which were added to
//! Unicode last can be split differently; text is not normalised, as llama.cpp does not.

mod bpe;
mod bytes;
mod ends;
pub mod framed;
mod json;
mod specials;
mod split;
mod spm;
mod vocabulary;

use std::collections::HashSet;

use crate::file::{shown, FileError, ModelFile};
use bpe::Bpe;
use specials::{Fragment, Specials};
use spm::Spm;
use vocabulary::{Vocabulary, Writing};

/// A piece of a prompt, with what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written by the model's chat template: the texts of control tokens in it are those tokens.
    Trusted(String),
    /// Written by anybody: the texts of control tokens in it are only text.
    Text(String),
}

/// A model's vocabulary, and how text is split into it.
pub struct Tokenizer {
    vocabulary: Vocabulary,
    specials: Specials,
    model: Model,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    ends: HashSet<u32>,
    note: Option<String>,
}

enum Model {
    Bpe(Box<Bpe>),
    Spm(Box<Spm>),
    Json(Box<json::Json>),
}

impl Tokenizer {
    /// The vocabulary in the metadata of a GGUF file: byte-level BPE (`gpt2`) or SentencePiece's (`llama`).
    pub fn from_gguf(file: &ModelFile) -> Result<Tokenizer, FileError> {
        const MODEL: &str = "tokenizer.ggml.model";
        match file.metadata().str(MODEL)? {
            "gpt2" => Tokenizer::bpe(file),
            "llama" => Tokenizer::spm(file),
            other => Err(FileError::entry(
                MODEL,
                format!("is {}, and the vocabularies read here are gpt2 and llama", shown(other)),
            )),
        }
    }

    /// The vocabulary in a `tokenizer.json`, as models in safetensors have it.
    ///
    /// The file does not say which token ends an answer: ends are found by their texts, and [`Tokenizer::set_ends`] adds
    /// those that the model's config.json names.
    pub fn from_json(bytes: &[u8]) -> Result<Tokenizer, FileError> {
        let (json, vocabulary) = json::Json::new(bytes)?;
        let specials = Specials::new(&vocabulary, |_| false)?;
        let ends = ends::by_text(&vocabulary);
        let bos = json.first_token();
        let add_bos = bos.is_some();
        Ok(Tokenizer {
            vocabulary,
            specials,
            model: Model::Json(Box::new(json)),
            bos,
            eos: None,
            add_bos,
            ends,
            note: None,
        })
    }

    fn bpe(file: &ModelFile) -> Result<Tokenizer, FileError> {
        let metadata = file.metadata();
        let habits = split::habits(metadata.opt_str("tokenizer.ggml.pre")?)?;
        let vocabulary = Vocabulary::from_gguf(file, Writing::Bytes)?;
        let merges = metadata.strings("tokenizer.ggml.merges")?;
        let bpe = Bpe::new(&vocabulary, merges, habits.splitter, habits.whole_words)?;
        // Where the metadata is silent, 11 is what llama.cpp takes for GPT-2's vocabulary.
        let ends = Some(11);
        Tokenizer::with_metadata(file, vocabulary, Model::Bpe(Box::new(bpe)), (ends, ends), habits.begins, habits.note)
    }

    fn spm(file: &ModelFile) -> Result<Tokenizer, FileError> {
        let metadata = file.metadata();
        let vocabulary = Vocabulary::from_gguf(file, Writing::Pieces)?;
        const SCORES: &str = "tokenizer.ggml.scores";
        let scores = if metadata.has(SCORES) { metadata.f32s(SCORES)? } else { vec![0.0; vocabulary.len()] };
        if scores.iter().any(|score| score.is_nan()) {
            return Err(FileError::entry(SCORES, "holds a value that is not a number"));
        }
        let space_first = metadata.bool_or("tokenizer.ggml.add_space_prefix", true)?;
        let unknown = token(file, &vocabulary, "tokenizer.ggml.unknown_token_id", Some(0))?;
        let spm = Spm::new(&vocabulary, scores, space_first, unknown)?;
        Tokenizer::with_metadata(file, vocabulary, Model::Spm(Box::new(spm)), (Some(1), Some(2)), true, None)
    }

    /// `default` are the tokens before and after a text, and `begins` whether the first is put there, where the metadata
    /// says nothing.
    fn with_metadata(
        file: &ModelFile,
        vocabulary: Vocabulary,
        model: Model,
        default: (Option<u32>, Option<u32>),
        begins: bool,
        note: Option<String>,
    ) -> Result<Tokenizer, FileError> {
        let metadata = file.metadata();
        let bos = token(file, &vocabulary, "tokenizer.ggml.bos_token_id", default.0)?;
        let eos = token(file, &vocabulary, "tokenizer.ggml.eos_token_id", default.1)?;
        let add_bos = metadata.bool_or("tokenizer.ggml.add_bos_token", begins)? && bos.is_some();
        let mut ends = ends::by_text(&vocabulary);
        ends.extend(ends::by_number(metadata, &vocabulary)?);
        ends.extend(eos);
        let swallows = metadata.opt_str("general.name")?.is_some_and(is_phi3);
        let specials = Specials::new(&vocabulary, |text| swallows && !PHI3_KEEPS.contains(&text))?;
        Ok(Tokenizer { vocabulary, specials, model, bos, eos, add_bos, ends, note })
    }

    /// Adds tokens that end an answer, and takes the first for the end of a text: `eos_token_id` of a config.json.
    pub fn set_ends(&mut self, ends: &[u32]) {
        let known: Vec<u32> = ends.iter().copied().filter(|&token| (token as usize) < self.len()).collect();
        self.eos = known.first().copied().or(self.eos);
        self.ends.extend(known);
    }

    /// The tokens of `text`, without the one that belongs before it. Where special texts are not parsed, those of control
    /// tokens are only text; the ones of tokens that the model's authors defined are always taken, as llama.cpp does.
    pub fn encode(&self, text: &str, parse_special: bool) -> Vec<u32> {
        if let Model::Json(json) = &self.model {
            return json.encode(text, parse_special);
        }
        self.encode_fragments(&self.specials.split(text, parse_special))
    }

    /// The tokens of a prompt. Where no part that is only text holds the text of a control token, they are those of the
    /// whole: a part is not a border for merges, only a control token is.
    pub fn encode_parts(&self, parts: &[Part]) -> Vec<u32> {
        let joined = join(parts);
        if let Model::Json(json) = &self.model {
            return self.encode_parts_by(json, &joined);
        }
        let mut fragments: Vec<Fragment<'_>> = Vec::new();
        for part in &joined {
            let (text, trusted) = part.content();
            let next = self.specials.split_after(fragments.last(), text, trusted);
            fragments.extend(next);
        }
        self.encode_fragments(&fragments)
    }

    /// The same, with the token before it where the model wants one and the template has not written it.
    pub fn encode_prompt(&self, parts: &[Part]) -> Vec<u32> {
        let tokens = self.encode_parts(parts);
        match self.bos {
            Some(bos) if self.add_bos && tokens.first() != Some(&bos) => [&[bos], tokens.as_slice()].concat(),
            _ => tokens,
        }
    }

    fn encode_parts_by(&self, json: &json::Json, parts: &[Part]) -> Vec<u32> {
        let forges = |part: &Part| match part {
            Part::Text(text) => self.specials.split(text, true).iter().any(|fragment| self.is_guarded(fragment)),
            Part::Trusted(_) => false,
        };
        if !parts.iter().any(forges) {
            let whole: String = parts.iter().map(|part| part.content().0).collect();
            return json.encode(&whole, true);
        }
        parts.iter().flat_map(|part| json.encode(part.content().0, part.content().1)).collect()
    }

    fn encode_fragments(&self, fragments: &[Fragment<'_>]) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut first = true;
        for fragment in fragments {
            match (fragment, &self.model) {
                (Fragment::Token(token), _) => tokens.push(*token),
                (Fragment::Text(text), Model::Bpe(bpe)) => bpe.encode(&self.vocabulary, text, &mut tokens),
                (Fragment::Text(text), Model::Spm(spm)) => spm.encode(&self.vocabulary, text, first, &mut tokens),
                (Fragment::Text(text), Model::Json(json)) => tokens.extend(json.encode(text, false)),
            }
            first = matches!(fragment, Fragment::Token(_));
        }
        tokens
    }

    fn is_guarded(&self, fragment: &Fragment<'_>) -> bool {
        matches!(fragment, Fragment::Token(token) if self.vocabulary.kind(*token).is_guarded())
    }

    /// The texts of control tokens: what a user's text must not forge. A text of one letter would be in every message, and
    /// one of a page is no token that a template writes; such are never made of a prompt's text.
    pub(crate) fn guarded(&self) -> impl Iterator<Item = &str> + '_ {
        const LONGEST: usize = 256;
        self.specials.guarded().filter(|text| text.len() <= LONGEST && text.chars().nth(1).is_some())
    }

    /// The bytes that `token` stands for: none for control tokens, and perhaps only a part of a character.
    pub fn piece(&self, token: u32) -> &[u8] {
        self.vocabulary.piece(token)
    }

    /// The special token whose text is `text`.
    pub fn special(&self, text: &str) -> Option<u32> {
        self.specials.id(text)
    }

    /// Whether `token` ends an answer.
    pub fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The token that belongs before a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Whether the model wants it there.
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// The token that belongs after a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// How many tokens there are.
    #[allow(clippy::len_without_is_empty)] // A vocabulary without tokens is refused.
    pub fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// The text of `token` as the vocabulary has it.
    pub fn token_text(&self, token: u32) -> &str {
        self.vocabulary.text(token)
    }

    /// What the operator should know: that the model's way of splitting is unknown and another stands in.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl Part {
    /// The text, and whether it is trusted.
    fn content(&self) -> (&str, bool) {
        match self {
            Part::Trusted(text) => (text, true),
            Part::Text(text) => (text, false),
        }
    }
}

/// `parts` with neighbours of the same trust joined.
fn join(parts: &[Part]) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Trusted(before)), Part::Trusted(text)) | (Some(Part::Text(before)), Part::Text(text)) => {
                before.push_str(text)
            }
            _ => joined.push(part.clone()),
        }
    }
    joined
}

/// The token that the entry `key` names. One outside the vocabulary counts as none, as with llama.cpp.
fn token(file: &ModelFile, vocabulary: &Vocabulary, key: &str, default: Option<u32>) -> Result<Option<u32>, FileError> {
    let known = |token: &u32| (*token as usize) < vocabulary.len();
    let named = file.metadata().opt_u32(key)?.filter(known);
    Ok(named.or(default.filter(known)))
}

/// Phi-3's special tokens swallow the white space after them. GGUF has no place for that, so llama.cpp goes by the name.
fn is_phi3(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("phi-3") || name.contains("phi3")
}

/// Those of Phi-3's special tokens that do not.
const PHI3_KEEPS: [&str; 3] = ["<unk>", "<s>", "<|endoftext|>"];
