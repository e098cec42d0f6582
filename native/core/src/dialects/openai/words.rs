//! The words of an answer, kept for counting where nobody says what they cost.

/// Words kept, at most. What lies beyond is counted by its length.
const MOST: usize = 4 << 20;

/// Between the words of two choices, which are counted apart. No UTF-8 text holds it.
pub(super) const BETWEEN: u8 = 0xff;

/// Has `read` add words that do not go on from those before.
pub(super) fn apart<T>(text: &mut Vec<u8>, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let before = text.len();
    let found = read(text);
    if before > 0 && text.len() > before {
        text.insert(before, BETWEEN);
    }
    found
}

/// Words, as far as they are kept.
#[derive(Debug, Default, PartialEq)]
pub struct Words {
    /// Those that are kept, one after the other.
    pub text: Vec<u8>,
    /// Bytes of the rest.
    pub beyond: u64,
}

impl Words {
    /// Adds the words that `read` finds.
    #[inline]
    pub fn add<T>(&mut self, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let before = self.text.len();
        let found = read(&mut self.text);
        if self.text.len() > MOST {
            self.beyond += (self.text.len() - before) as u64;
            self.text.truncate(before);
        }
        found
    }

    /// Length of all of them, bytes: at least as many as their tokens.
    pub fn len(&self) -> u64 {
        self.text.len() as u64 + self.beyond
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
