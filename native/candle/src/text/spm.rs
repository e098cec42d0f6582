//! Byte-pair encoding as SentencePiece has it: neighbours that together are a token are joined, the token of the highest
//! score first and the leftmost of equals. What is no token at the end comes out as bytes.
//!
//! As llama.cpp's `llm_tokenizer_spm`, which differs from SentencePiece where scores tie; but letters that happen to be the
//! text of a control token are never joined to it, so that no text that is not trusted becomes one.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::vocabulary::{Vocabulary, SPACE};
use crate::file::FileError;

/// Where a list of symbols ends.
const END: usize = usize::MAX;

/// The scores of a vocabulary.
pub(super) struct Spm {
    scores: Vec<f32>,
    /// The token of each byte.
    bytes: [Option<u32>; 256],
    /// Whether a space belongs before a text that follows nothing or a special token.
    space_first: bool,
}

impl Spm {
    pub fn new(
        vocabulary: &Vocabulary,
        scores: Vec<f32>,
        space_first: bool,
        unknown: Option<u32>,
    ) -> Result<Spm, FileError> {
        if scores.len() < vocabulary.len() {
            let problem = format!("it has {} tokens and scores for {}", vocabulary.len(), scores.len());
            return Err(FileError::Vocabulary(problem));
        }
        let byte = |byte: usize| {
            let named = vocabulary.id(&format!("<0x{byte:02X}>"));
            let letter = || u8::try_from(byte).ok().filter(u8::is_ascii).map(char::from);
            named.or_else(|| vocabulary.id(letter()?.encode_utf8(&mut [0; 4]))).or(unknown)
        };
        Ok(Spm { scores, bytes: std::array::from_fn(byte), space_first })
    }

    /// Appends the tokens of `text`. `first`: it follows nothing, or a special token.
    pub fn encode(&self, vocabulary: &Vocabulary, text: &str, first: bool, out: &mut Vec<u32>) {
        let mut escaped = String::with_capacity(text.len() + SPACE.len_utf8());
        if first && self.space_first {
            escaped.push(SPACE);
        }
        escaped.extend(text.chars().map(|letter| if letter == ' ' { SPACE } else { letter }));
        Line::new(&escaped).merge(self, vocabulary, out);
    }
}

/// A text while its letters are joined: a list in place, where joining takes the right one out.
struct Line<'a> {
    text: &'a str,
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Candidate>,
}

/// A stretch of the text.
struct Symbol {
    start: usize,
    /// Zero: it was joined to the one before.
    length: usize,
    previous: usize,
    next: usize,
}

/// Two neighbours that could be joined.
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Line<'a> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        for (index, (start, letter)) in text.char_indices().enumerate() {
            let length = letter.len_utf8();
            let next = if start + length < text.len() { index + 1 } else { END };
            symbols.push(Symbol { start, length, previous: index.checked_sub(1).unwrap_or(END), next });
        }
        Line { text, symbols, queue: BinaryHeap::new() }
    }

    fn merge(mut self, spm: &Spm, vocabulary: &Vocabulary, out: &mut Vec<u32>) {
        for left in 0..self.symbols.len() {
            self.consider(spm, vocabulary, left);
        }
        while let Some(Candidate { left, right, length, .. }) = self.queue.pop() {
            let (first, second) = (self.symbols[left].length, self.symbols[right].length);
            if first == 0 || second == 0 || first + second != length {
                continue;
            }
            self.join(left, right);
            let previous = self.symbols[left].previous;
            if previous != END {
                self.consider(spm, vocabulary, previous);
            }
            self.consider(spm, vocabulary, left);
        }
        self.write(spm, vocabulary, out);
    }

    /// Puts the pair that begins at `left` in the queue, if together it is a token.
    fn consider(&mut self, spm: &Spm, vocabulary: &Vocabulary, left: usize) {
        let right = self.symbols[left].next;
        if right == END {
            return;
        }
        let start = self.symbols[left].start;
        let length = self.symbols[left].length + self.symbols[right].length;
        // Spares hashing what is too long for any token, so that the work for a letter is bounded by the vocabulary.
        if length > vocabulary.longest() {
            return;
        }
        if let Some(token) = vocabulary.plain_id(&self.text[start..start + length]) {
            self.queue.push(Candidate { score: spm.scores[token as usize], left, right, length });
        }
    }

    fn join(&mut self, left: usize, right: usize) {
        let Symbol { length, next, .. } = self.symbols[right];
        self.symbols[right].length = 0;
        self.symbols[left].length += length;
        self.symbols[left].next = next;
        if next != END {
            self.symbols[next].previous = left;
        }
    }

    fn write(&self, spm: &Spm, vocabulary: &Vocabulary, out: &mut Vec<u32>) {
        let mut at = if self.symbols.is_empty() { END } else { 0 };
        while let Some(symbol) = self.symbols.get(at) {
            let text = &self.text[symbol.start..symbol.start + symbol.length];
            match vocabulary.plain_id(text) {
                Some(token) => out.push(token),
                None => out.extend(text.bytes().filter_map(|byte| spm.bytes[usize::from(byte)])),
            }
            at = symbol.next;
        }
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        // As C++ compares them: the two zeros are equal. What is not a number was refused before.
        let by_score = self.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| Reverse(self.left).cmp(&Reverse(other.left)))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Candidate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
