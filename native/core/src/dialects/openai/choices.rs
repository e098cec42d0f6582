//! Which choices of a stream were seen, which are finished, and how: what "complete" and "clean" hang on.

use smallvec::SmallVec;

use crate::json::Value;

/// Choices that are told apart: `n` goes to 128 for each of many prompts. A stream with a higher index is never known
/// to be complete.
const MOST: u64 = 1 << 16;

/// Reasons of an answer that ended by itself and as it was meant to. OpenAI's others are `length` and `content_filter`;
/// what providers add (`error`, `abort`, …) is not known to be one.
const CLEAN: [&str; 3] = ["stop", "tool_calls", "function_call"];

/// Whether an answer that finished so may be given again.
pub fn is_clean(reason: &str) -> bool {
    CLEAN.contains(&reason)
}

/// The same of a `finish_reason` as it was sent.
pub(super) fn is_clean_value(reason: Value<'_>) -> bool {
    CLEAN.iter().any(|clean| reason.str_eq(clean))
}

/// The choices of one stream. Bits are indices.
#[derive(Debug, Default)]
pub struct Choices {
    /// How many were asked for.
    wanted: u64,
    seen: SmallVec<[u64; 2]>,
    finished: SmallVec<[u64; 2]>,
    unclean: bool,
    beyond: bool,
    /// Whose part came last.
    last: u64,
}

impl Choices {
    /// Of an answer of which `wanted` choices were asked for.
    pub fn of(wanted: u64) -> Choices {
        Choices { wanted: wanted.min(MOST), ..Choices::default() }
    }

    /// Whether a part of choice `index` goes on from another choice's.
    #[inline]
    pub(super) fn turns_to(&mut self, index: u64) -> bool {
        std::mem::replace(&mut self.last, index) != index
    }

    /// An event had a part of choice `index`; with a `reason`, its last.
    #[inline]
    pub(super) fn add(&mut self, index: u64, reason: Option<Value<'_>>) {
        if index >= MOST {
            self.beyond = true;
            return;
        }
        let (word, bit) = ((index / 64) as usize, 1 << (index % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
            self.finished.resize(word + 1, 0);
        }
        self.seen[word] |= bit;
        if let Some(reason) = reason {
            self.finished[word] |= bit;
            self.unclean |= !is_clean_value(reason);
        }
    }

    /// A choice finished.
    pub fn is_any_finished(&self) -> bool {
        self.finished.iter().any(|word| *word != 0)
    }

    /// Every choice that was asked for, or seen, finished.
    pub fn are_complete(&self) -> bool {
        !self.beyond && self.is_any_finished() && self.seen == self.finished && self.has_finished_all_wanted()
    }

    fn has_finished_all_wanted(&self) -> bool {
        let (words, rest) = ((self.wanted / 64) as usize, self.wanted % 64);
        let bits = |word: usize| self.finished.get(word).copied().unwrap_or(0);
        (0..words).all(|word| bits(word) == u64::MAX) && bits(words).trailing_ones() as u64 >= rest
    }

    /// … and each as an answer should that is given again.
    pub fn are_clean(&self) -> bool {
        self.are_complete() && !self.unclean
    }
}
