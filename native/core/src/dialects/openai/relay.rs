//! Follows a chat or completions stream from upstream to caller. Pure: bytes in, bytes out, at any split.
//!
//! Events pass as the very bytes that came, unless policy must change them: a usage chunk that the caller did not ask
//! for is hidden, usage inside other chunks is taken out, a second `id` becomes the first. Neighbouring events that
//! pass are handed on as one slice of the chunk they came in.

use bytes::Bytes;

use super::chunk::{self, Chunk, Event};
use super::pieces::{framed, whole_lines, Pieces, Run, DONE};
use crate::dialects::neutral::Endpoint;
use crate::json::{Edits, Index};
use crate::ledger::Usage;
use crate::sse::{Frame, Framer, Limits};

/// Words of an answer kept for counting, at most. What lies beyond is counted by its length.
const MAX_TEXT: usize = 4 << 20;

/// How a stream went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// More may come.
    Open,
    /// The end mark came; whatever follows is nobody's.
    Done,
    /// The upstream's error event, with its words.
    Error(String),
    /// An event that is no chunk, or too large to be one.
    Malformed,
}

/// How a stream ended that has no end mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A finish reason was seen, so nothing is missing; the mark was added.
    Completed,
    /// Nobody said that the answer is complete.
    Truncated,
}

/// The follower of one stream.
#[derive(Debug)]
pub struct Relay {
    framer: Framer,
    neutral: bool,
    show_usage: bool,
    endpoint: Endpoint,
    id: Option<Bytes>,
    finished: bool,
    clean: bool,
    content: bool,
    usage: Option<Usage>,
    /// The usage chunk as it will be shown: the last one wins.
    usage_piece: Option<Bytes>,
    /// The first chunk, after which a usage chunk is made that the upstream leaves out. Kept only if it is to be shown.
    first: Option<Bytes>,
    /// The frame before ended in CR, whose LF may come yet; and whether it passed as it was.
    after_cr: bool,
    passed: bool,
    text: Vec<u8>,
    text_beyond: u64,
}

enum Verdict {
    Pass,
    Replace(Bytes),
    Hide,
    End(Fed),
}

impl Relay {
    /// `neutral`: pieces are events' JSON without framing. `show_usage`: the caller asked for the usage chunk.
    pub fn new(endpoint: Endpoint, neutral: bool, show_usage: bool) -> Relay {
        Relay {
            framer: Framer::new(Limits::default()),
            neutral,
            show_usage,
            endpoint,
            id: None,
            finished: false,
            clean: true,
            content: false,
            usage: None,
            usage_piece: None,
            first: None,
            after_cr: false,
            passed: false,
            text: Vec::new(),
            text_beyond: 0,
        }
    }

    /// Whether something was seen that a caller would act on. Until then the attempt may be given up unseen.
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// Every choice seen ended by itself: not cut by a cap, not filtered.
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// What the upstream said it used; the last word counts.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The answer's words so far, and bytes beyond what is kept.
    pub fn take_text(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.text), self.text_beyond)
    }

    /// Length of the answer's words so far, bytes.
    pub fn text_bytes(&self) -> u64 {
        self.text.len() as u64 + self.text_beyond
    }

    /// Bytes held back: an event that is not complete yet.
    pub fn held(&self) -> usize {
        self.framer.rest()
    }

    /// Takes the next bytes and hands on what may go to the caller.
    pub fn feed(&mut self, chunk: Bytes, pieces: &mut Pieces) -> Fed {
        let mut run = Run { base: chunk.clone(), range: 0..0 };
        self.framer.push(chunk);
        loop {
            let mut frame = match self.framer.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => {
                    run.flush(pieces);
                    return Fed::Malformed;
                }
            };
            self.join_line_end(&mut frame, &mut run, pieces);
            let verdict = self.judge(&frame);
            self.passed = matches!(verdict, Verdict::Pass);
            match verdict {
                Verdict::Pass if self.neutral => {
                    if frame.dispatches {
                        pieces.push(frame.data);
                    }
                }
                Verdict::Pass => run.add(frame.raw, pieces),
                Verdict::Replace(bytes) => {
                    run.flush(pieces);
                    pieces.push(bytes);
                }
                Verdict::Hide => run.flush(pieces),
                Verdict::End(Fed::Done) => {
                    run.flush(pieces);
                    self.close(pieces, Some(whole_lines(frame.raw)));
                    return Fed::Done;
                }
                Verdict::End(end) => {
                    run.flush(pieces);
                    return end;
                }
            }
        }
        run.flush(pieces);
        Fed::Open
    }

    /// The LF of a CRLF that two chunks shared begins the second one's frame: it goes where the frame before went.
    fn join_line_end(&mut self, frame: &mut Frame, run: &mut Run, pieces: &mut Pieces) {
        if self.after_cr && frame.raw.first() == Some(&b'\n') {
            let line_end = frame.raw.split_to(1);
            if self.passed && !self.neutral {
                run.add(line_end, pieces);
            }
        }
        self.after_cr = frame.raw.last() == Some(&b'\r');
    }

    /// The upstream ended without a mark.
    pub fn finish(&mut self, pieces: &mut Pieces) -> Ended {
        if !self.finished {
            return Ended::Truncated;
        }
        if self.after_cr && self.passed && !self.neutral && self.framer.finish().starts_with(b"\n") {
            pieces.push(Bytes::from_static(b"\n"));
        }
        self.close(pieces, None);
        Ended::Completed
    }

    /// What is owed to a caller who asked for usage of an upstream that named none: a chunk to be made by [`owed_usage`],
    /// and the end mark behind it.
    pub fn take_owed(&mut self) -> Option<Bytes> {
        if self.usage.is_none() {
            self.first.take()
        } else {
            None
        }
    }

    fn close(&mut self, pieces: &mut Pieces, mark: Option<Bytes>) {
        if self.show_usage {
            if self.usage.is_none() && self.first.is_some() {
                return;
            }
            pieces.extend(self.usage_piece.take());
        }
        if !self.neutral {
            pieces.push(mark.unwrap_or(Bytes::from_static(DONE)));
        }
    }

    fn judge(&mut self, frame: &Frame) -> Verdict {
        if !frame.dispatches {
            return Verdict::Pass;
        }
        if &frame.data[..] == b"[DONE]" {
            return Verdict::End(Fed::Done);
        }
        let before = self.text.len();
        let (event, index) = chunk::read(&frame.data, &mut self.text);
        if self.text.len() > MAX_TEXT {
            self.text_beyond += (self.text.len() - before) as u64;
            self.text.truncate(before);
        }
        match (event, index) {
            (Event::Chunk(chunk), Some(index)) => self.judge_chunk(frame, &chunk, &index),
            (Event::Error(words), _) => Verdict::End(Fed::Error(words)),
            _ => Verdict::End(Fed::Malformed),
        }
    }

    fn judge_chunk(&mut self, frame: &Frame, chunk: &Chunk, index: &Index) -> Verdict {
        self.content |= chunk.content;
        self.finished |= chunk.finished;
        self.clean &= !(chunk.finished_by_length || chunk.filtered);
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage);
        }
        if self.show_usage && self.first.is_none() {
            self.first = Some(frame.data.clone());
        }
        let mut edits = Edits::new();
        if let Some((start, end)) = chunk.id {
            let id = frame.data.slice(start..end);
            match &self.id {
                None => self.id = Some(id),
                Some(first) if *first != id => edits.set("id", first.clone()),
                Some(_) => {}
            }
        }
        if chunk.has_usage {
            self.hold_usage(frame, chunk, index, &edits);
            if chunk.no_choices {
                return Verdict::Hide;
            }
            edits.remove("usage");
        }
        if edits.is_empty() {
            return Verdict::Pass;
        }
        Verdict::Replace(self.framed(&edits.apply(&frame.data, index)))
    }

    /// Keeps the usage chunk to be shown at the end: as it came if it is one, else made of the chunk that carried it.
    fn hold_usage(&mut self, frame: &Frame, chunk: &Chunk, index: &Index, edits: &Edits) {
        if !self.show_usage {
            return;
        }
        self.usage_piece = Some(if chunk.no_choices && edits.is_empty() {
            if self.neutral {
                frame.data.clone()
            } else {
                whole_lines(frame.raw.clone())
            }
        } else {
            let mut edits = edits.clone();
            edits.set("choices", Bytes::from_static(b"[]"));
            self.framed(&edits.apply(&frame.data, index))
        });
    }

    fn framed(&self, json: &[u8]) -> Bytes {
        framed(json, self.neutral)
    }

    /// What kind of answer this is.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}
