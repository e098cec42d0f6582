//! Byte-pair encoding over GPT-2's alphabet: the letters of a word are merged pair by pair, the pair of the lowest rank
//! first and the leftmost of equals.
//!
//! A merge that makes the text of a control token is left out: llama.cpp would take it, and with it what a user wrote for that
//! token. No vocabulary in use has any.
//!
//! A heap holds the pairs that could be merged, so that a word of a million letters takes n log n steps, not n².

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::bytes;
use super::split::Splitter;
use super::vocabulary::Vocabulary;
use crate::file::FileError;

/// A text that merging may come upon, by number. Most are tokens; some only lead to tokens.
type Symbol = u32;

/// The number of a letter that takes part in no merge and is no token.
const NONE: Symbol = Symbol::MAX;

/// Where a list of symbols ends.
const END: usize = usize::MAX;

/// The merges of a vocabulary.
pub(super) struct Bpe {
    splitter: Splitter,
    whole_words: bool,
    letters: [Symbol; 256],
    /// What two symbols make, and how early it is made.
    merges: HashMap<(Symbol, Symbol), (u32, Symbol)>,
    /// What each symbol is put out as.
    tokens: Vec<Output>,
}

enum Output {
    Token(u32),
    /// No token has its text; those of its letters that are tokens come out.
    Letters(Box<[u32]>),
}

impl Bpe {
    /// `merges` are lines of two texts with a space between, the earliest merge first.
    pub fn new(
        vocabulary: &Vocabulary,
        merges: &[String],
        splitter: Splitter,
        whole_words: bool,
    ) -> Result<Bpe, FileError> {
        let mut symbols = Symbols::default();
        let mut table = HashMap::with_capacity(merges.len());
        for (rank, line) in merges.iter().enumerate() {
            // The space is looked for after the first byte, since a merge may begin with one.
            let Some(at) = line.bytes().skip(1).position(|byte| byte == b' ').map(|at| at + 1) else { continue };
            let (left, right) = (&line[..at], &line[at + 1..]);
            let whole = [left, right].concat();
            if vocabulary.is_guarded(&whole) {
                continue;
            }
            let whole = symbols.number(&whole)?;
            let pair = (symbols.number(left)?, symbols.number(right)?);
            table.entry(pair).or_insert((rank as u32, whole));
        }
        let mut letters = [NONE; 256];
        for (byte, letter) in letters.iter_mut().enumerate() {
            let text = bytes::to_char(byte as u8).to_string();
            if symbols.numbers.contains_key(&text) || vocabulary.id(&text).is_some() {
                *letter = symbols.number(&text)?;
            }
        }
        let tokens = symbols.texts.iter().map(|text| output(vocabulary, text)).collect();
        Ok(Bpe { splitter, whole_words, letters, merges: table, tokens })
    }

    /// Appends the tokens of `text`.
    pub fn encode(&self, vocabulary: &Vocabulary, text: &str, out: &mut Vec<u32>) {
        let mut word_of_symbols = Word::default();
        for word in self.splitter.words(text) {
            if self.whole_words {
                if let Some(token) = vocabulary.plain_id(&bytes::encode(word)) {
                    out.push(token);
                    continue;
                }
            }
            word_of_symbols.merge(self, word);
            for symbol in word_of_symbols.remaining() {
                match self.tokens.get(symbol as usize) {
                    Some(Output::Token(token)) => out.push(*token),
                    Some(Output::Letters(tokens)) => out.extend_from_slice(tokens),
                    None => {}
                }
            }
        }
    }
}

fn output(vocabulary: &Vocabulary, text: &str) -> Output {
    match vocabulary.id(text) {
        Some(token) => Output::Token(token),
        None => {
            let letter = |byte: u8| vocabulary.id(char::from(byte).encode_utf8(&mut [0; 4]));
            // llama.cpp looks up the bytes of the text, of which only ASCII can be tokens.
            Output::Letters(text.bytes().filter(u8::is_ascii).filter_map(letter).collect())
        }
    }
}

/// Numbers texts as they are met.
#[derive(Default)]
struct Symbols {
    texts: Vec<String>,
    numbers: HashMap<String, Symbol>,
}

impl Symbols {
    fn number(&mut self, text: &str) -> Result<Symbol, FileError> {
        if let Some(&number) = self.numbers.get(text) {
            return Ok(number);
        }
        let number = Symbol::try_from(self.texts.len()).ok().filter(|&number| number != NONE);
        let number = number.ok_or_else(|| FileError::Vocabulary("it has too many merges".into()))?;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Ok(number)
    }
}

/// The symbols of a word while they are merged: a list in place, where a merge takes its right one out.
#[derive(Default)]
struct Word {
    symbols: Vec<Item>,
    /// The lowest rank, and of equals the leftmost; what the pair was when it was put in, since one may have changed.
    queue: BinaryHeap<Reverse<(u32, usize, Symbol, Symbol)>>,
}

struct Item {
    symbol: Symbol,
    previous: usize,
    next: usize,
}

impl Word {
    fn merge(&mut self, bpe: &Bpe, word: &str) {
        self.symbols.clear();
        self.queue.clear();
        let length = word.len();
        self.symbols.extend(word.bytes().enumerate().map(|(at, byte)| Item {
            symbol: bpe.letters[usize::from(byte)],
            previous: at.checked_sub(1).unwrap_or(END),
            next: if at + 1 < length { at + 1 } else { END },
        }));
        for left in 0..length {
            self.consider(bpe, left);
        }
        while let Some(Reverse((_, left, first, second))) = self.queue.pop() {
            let right = self.symbols[left].next;
            // Either may have been merged with another meanwhile. One that was merged away has no symbol.
            if right == END || self.symbols[left].symbol != first || self.symbols[right].symbol != second {
                continue;
            }
            let Some(&(_, whole)) = bpe.merges.get(&(first, second)) else { continue };
            self.join(left, right, whole);
            let previous = self.symbols[left].previous;
            if previous != END {
                self.consider(bpe, previous);
            }
            self.consider(bpe, left);
        }
    }

    /// Puts the pair that begins at `left` in the queue, if it can be merged.
    fn consider(&mut self, bpe: &Bpe, left: usize) {
        let Item { symbol: first, next, .. } = self.symbols[left];
        if next == END {
            return;
        }
        let second = self.symbols[next].symbol;
        if let Some(&(rank, _)) = bpe.merges.get(&(first, second)) {
            self.queue.push(Reverse((rank, left, first, second)));
        }
    }

    fn join(&mut self, left: usize, right: usize, whole: Symbol) {
        let after = self.symbols[right].next;
        self.symbols[right].symbol = NONE;
        self.symbols[left].symbol = whole;
        self.symbols[left].next = after;
        if after != END {
            self.symbols[after].previous = left;
        }
    }

    /// The symbols that are left, in order.
    fn remaining(&self) -> impl Iterator<Item = Symbol> + '_ {
        let mut at = if self.symbols.is_empty() { END } else { 0 };
        std::iter::from_fn(move || {
            let item = self.symbols.get(at)?;
            at = item.next;
            Some(item.symbol)
        })
    }
}
