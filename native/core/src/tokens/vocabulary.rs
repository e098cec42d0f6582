//! A tokenizer and a shortcut for pieces of text that are one token whole: in chat, most of them.

use bpe_openai::byte_pair_encoding::BytePairEncoding;
use bpe_openai::Tokenizer;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::Encoding;
use crate::sync::OnceLock;

pub(super) struct Vocabulary {
    tokenizer: &'static Tokenizer,
    /// Every token id, found by the token's bytes.
    whole: HashTable<u32>,
    hasher: FixedState,
}

impl Vocabulary {
    /// The vocabulary of an encoding, unpacked on first use.
    pub fn of(encoding: Encoding) -> &'static Vocabulary {
        static CL100K: OnceLock<Vocabulary> = OnceLock::new();
        static O200K: OnceLock<Vocabulary> = OnceLock::new();
        match encoding {
            Encoding::Cl100kBase => CL100K.get_or_init(|| Vocabulary::new(bpe_openai::cl100k_base())),
            Encoding::O200kBase => O200K.get_or_init(|| Vocabulary::new(bpe_openai::o200k_base())),
        }
    }

    fn new(tokenizer: &'static Tokenizer) -> Self {
        let hasher = FixedState::with_seed(0);
        let tokens = tokenizer.bpe.num_tokens();
        let hash = |id: &u32| hasher.hash_one(tokenizer.bpe.token_bytes(*id));
        let mut whole = HashTable::with_capacity(tokens);
        for id in 0..tokens as u32 {
            whole.insert_unique(hash(&id), id, hash);
        }
        Vocabulary { tokenizer, whole, hasher }
    }

    /// The token that `piece` is, if it is one. The merges of such a piece always end in that token.
    #[inline]
    fn whole(&self, piece: &[u8]) -> Option<u32> {
        let bpe = &self.tokenizer.bpe;
        self.whole.find(self.hasher.hash_one(piece), |id| bpe.token_bytes(*id) == piece).copied()
    }

    pub fn count(&self, text: &str) -> usize {
        let piece = |piece: &str| match self.whole(piece.as_bytes()) {
            Some(_) => 1,
            None => self.bpe().count(piece.as_bytes()),
        };
        self.tokenizer.split(text).map(piece).sum()
    }

    pub fn encode(&self, text: &str) -> Vec<u32> {
        // English has about four bytes a token.
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        for piece in self.tokenizer.split(text) {
            match self.whole(piece.as_bytes()) {
                Some(id) => ids.push(id),
                None => ids.extend(self.bpe().encode_via_backtracking(piece.as_bytes())),
            }
        }
        ids
    }

    pub fn bpe(&self) -> &'static BytePairEncoding {
        &self.tokenizer.bpe
    }
}
