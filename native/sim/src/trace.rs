//! What happened, as a hash always and as words when somebody wants to read it.

/// The trace of one world.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: Option<Vec<Line>>,
}

/// One happening.
#[derive(Debug)]
pub struct Line {
    /// Monotonic microseconds.
    pub at_us: u64,
    /// Exchange concerned; `None`: the gateway's loop, or all.
    pub x: Option<usize>,
    /// What happened.
    pub words: String,
}

impl Trace {
    /// `words`: keep the words too.
    pub fn new(words: bool) -> Self {
        Trace { hash: 0xcbf2_9ce4_8422_2325, lines: words.then(Vec::new) }
    }

    /// Whether words are kept.
    pub fn is_recording(&self) -> bool {
        self.lines.is_some()
    }

    /// Mixes a number into the hash.
    pub fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// Mixes bytes into the hash.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// Keeps a line, if lines are kept.
    pub fn line(&mut self, at_us: u64, x: Option<usize>, words: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(Line { at_us, x, words: words() });
        }
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The kept lines.
    pub fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }
}
