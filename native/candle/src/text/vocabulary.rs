//! The tokens of a model: their texts, what kind each is, and the bytes that each stands for.

use hashbrown::HashMap;

use super::bytes;
use crate::file::{shown, FileError, ModelFile};

/// A space as vocabularies of SentencePiece write it.
pub(super) const SPACE: char = '▁';

/// What kind of token one is: `llama_token_type` of llama.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    /// Steers the model, such as the end of a turn. Never made of a user's text.
    Control,
    /// Added by the model's authors; made of any text that holds it.
    UserDefined,
    Unused,
    /// One byte, where no other token fits.
    Byte,
}

impl Kind {
    fn of(number: i32) -> Kind {
        match number {
            1 => Kind::Normal,
            2 => Kind::Unknown,
            3 => Kind::Control,
            4 => Kind::UserDefined,
            6 => Kind::Byte,
            _ => Kind::Unused,
        }
    }

    /// Whether text has to be trusted before this token is made of it.
    pub fn is_guarded(self) -> bool {
        matches!(self, Kind::Control | Kind::Unknown)
    }
}

/// How a token's text is turned into the bytes it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// GPT-2's alphabet.
    Bytes,
    /// Spaces as `▁`, bytes as `<0x0A>`.
    Pieces,
    /// As it stands.
    Plain,
}

/// The tokens of a model.
pub(super) struct Vocabulary {
    texts: Vec<String>,
    kinds: Vec<Kind>,
    pieces: Vec<Box<[u8]>>,
    ids: HashMap<String, u32>,
    longest: usize,
}

impl Vocabulary {
    /// The tokens in the metadata of `file`.
    pub fn from_gguf(file: &ModelFile, writing: Writing) -> Result<Vocabulary, FileError> {
        let metadata = file.metadata();
        let texts = metadata.strings("tokenizer.ggml.tokens")?.to_vec();
        const KINDS: &str = "tokenizer.ggml.token_type";
        let kinds = if metadata.has(KINDS) { metadata.i32s(KINDS)? } else { vec![1; texts.len()] };
        if kinds.len() < texts.len() {
            let problem = format!("holds {} values, fewer than the {} tokens", kinds.len(), texts.len());
            return Err(FileError::entry(KINDS, problem));
        }
        let kinds = kinds.into_iter().take(texts.len()).map(Kind::of).collect();
        Vocabulary::new(texts, kinds, writing)
    }

    /// Tokens by number. Their texts have to differ, since they are looked up by them.
    pub fn new(texts: Vec<String>, mut kinds: Vec<Kind>, writing: Writing) -> Result<Vocabulary, FileError> {
        if texts.is_empty() || u32::try_from(texts.len()).is_err() {
            return Err(FileError::Vocabulary(format!("it has {} tokens", texts.len())));
        }
        let mut ids = HashMap::with_capacity(texts.len());
        for (id, text) in texts.iter().enumerate() {
            // Converters fill gaps with empty texts; they are never looked up.
            if text.is_empty() {
                continue;
            }
            if let Some(first) = ids.insert(text.clone(), id as u32) {
                let text = shown(text);
                return Err(FileError::Vocabulary(format!("the tokens {first} and {id} are both {text}")));
            }
            // Conversions exist that forgot the kind; llama.cpp corrects them too.
            if super::ends::is_control_text(text) {
                kinds[id] = Kind::Control;
            }
        }
        let pieces = texts.iter().zip(&kinds).map(|(text, &kind)| piece(text, kind, writing)).collect();
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        Ok(Vocabulary { texts, kinds, pieces, ids, longest })
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The token `text`, unless it is one that only trusted text is made of.
    pub fn plain_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|&token| !self.kind(token).is_guarded())
    }

    /// Whether `text` is a token that only trusted text is made of.
    pub fn is_guarded(&self, text: &str) -> bool {
        self.id(text).is_some_and(|token| self.kind(token).is_guarded())
    }

    pub fn text(&self, token: u32) -> &str {
        self.texts.get(token as usize).map_or("", String::as_str)
    }

    pub fn kind(&self, token: u32) -> Kind {
        self.kinds.get(token as usize).copied().unwrap_or(Kind::Unused)
    }

    pub fn piece(&self, token: u32) -> &[u8] {
        self.pieces.get(token as usize).map_or(&[], AsRef::as_ref)
    }

    /// All tokens with their texts.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> + '_ {
        self.texts.iter().enumerate().map(|(id, text)| (id as u32, text.as_str()))
    }

    /// Bytes of the longest text.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

fn piece(text: &str, kind: Kind, writing: Writing) -> Box<[u8]> {
    match kind {
        Kind::Control | Kind::Unknown | Kind::Unused => Box::default(),
        Kind::UserDefined => text.as_bytes().into(),
        Kind::Byte => bytes::from_hex(text).map_or_else(|| text.as_bytes().into(), |byte| [byte].into()),
        Kind::Normal => match writing {
            Writing::Bytes => bytes::decode(text).into(),
            Writing::Pieces => text.replace(SPACE, " ").into_bytes().into(),
            Writing::Plain => text.as_bytes().into(),
        },
    }
}
