//! Counts the events of a stream, however it is cut into pieces.

use std::time::Instant;

use memchr::memmem;

/// Longest line that is looked into for content; longer ones are counted all the same.
const LINE: usize = 4096;

/// Every line `data: …` is an event, as OpenAI's streams have one line in each.
#[derive(Default)]
pub struct Events {
    pub count: u64,
    /// When the first content came.
    pub first: Option<Instant>,
    /// Whether `data: [DONE]` came.
    pub done: bool,
    line: Vec<u8>,
}

impl Events {
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if self.line.is_empty() {
                self.line_of(line);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                append(&mut whole, line);
                self.line_of(&whole);
                whole.clear();
                self.line = whole;
            }
            rest = &after[1..];
        }
        append(&mut self.line, rest);
    }

    fn line_of(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return;
        }
        self.count += 1;
        if self.first.is_none() && has_content(data) {
            self.first = Some(Instant::now());
        }
    }
}

fn append(line: &mut Vec<u8>, piece: &[u8]) {
    line.extend_from_slice(&piece[..piece.len().min(LINE - line.len().min(LINE))]);
}

/// Whether a chunk says anything: its content is there and not empty.
fn has_content(data: &[u8]) -> bool {
    memmem::find(data, b"\"content\":").is_some_and(|at| {
        let value = data[at + b"\"content\":".len()..].trim_ascii_start();
        value.starts_with(b"\"") && !value.starts_with(b"\"\"")
    })
}
