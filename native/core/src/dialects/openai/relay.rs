//! Follows a chat or completions stream from upstream to caller. Pure: bytes in, bytes out, at any split.
//!
//! Events pass as the very bytes that came, unless policy must change them: a usage chunk that the caller did not ask
//! for is hidden, usage inside other chunks is taken out, a second `id` becomes the first. Neighbouring events that
//! pass are handed on as one slice of the chunk they came in.

use bytes::Bytes;

use super::choices::Choices;
use super::chunk::{self, Chunk, Event};
use super::pieces::{framed, Pieces, Run};
use super::usage::{Due, Reports};
use super::words::Words;
use crate::dialects::neutral::Endpoint;
use crate::json::{mended, Edits, Index};
use crate::ledger::Usage;
use crate::sse::{Frame, Limits, WholeFramer};

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
    /// Every choice seen has its finish reason, so nothing is missing; the mark was added.
    Completed,
    /// Nobody said that the answer is complete.
    Truncated,
}

/// The follower of one stream.
#[derive(Debug)]
pub struct Relay {
    framer: WholeFramer,
    neutral: bool,
    id: Option<Bytes>,
    choices: Choices,
    /// Something came that a caller would act on.
    said: bool,
    reports: Reports,
    /// The chunk after which a usage chunk is owed, once the stream is complete.
    owed: Option<Bytes>,
    words: Words,
    /// An event came since it was asked last.
    event: bool,
}

enum Verdict {
    Pass,
    Replace(Bytes),
    Hide,
    End(Fed),
}

impl Relay {
    /// `neutral`: pieces are events' JSON without framing. `show_usage`: the caller asked for the usage chunk.
    /// `choices`: how many it asked for.
    pub fn new(endpoint: Endpoint, neutral: bool, show_usage: bool, choices: u64) -> Relay {
        Relay {
            framer: WholeFramer::new(Limits::default()),
            neutral,
            id: None,
            choices: Choices::of(choices),
            said: false,
            reports: Reports::new(endpoint, neutral, show_usage),
            owed: None,
            words: Words::default(),
            event: false,
        }
    }

    /// Whether an event, and not only comments, came since this was asked last.
    pub fn take_event(&mut self) -> bool {
        std::mem::take(&mut self.event)
    }

    /// Every choice ended by itself and as it was meant to, so that the answer may be given again.
    pub fn is_clean(&self) -> bool {
        self.choices.are_clean()
    }

    /// What the upstream said it used: the largest of each count.
    pub fn usage(&self) -> Option<Usage> {
        // Words cannot have cost nothing.
        self.reports.used().filter(|used| used.is_likely() || self.words.is_empty())
    }

    /// The same as the upstream wrote it, where one chunk says all of it.
    pub fn usage_said(&self) -> Option<Bytes> {
        self.reports.said().filter(|_| self.usage().is_some())
    }

    /// Takes the answer's words.
    pub fn take_words(&mut self) -> Words {
        std::mem::take(&mut self.words)
    }

    /// What is owed to a caller who asked for usage of an upstream that named none, once the stream is complete: a chunk
    /// to be made by [`super::usage::owed_usage`] after this one, and the end mark behind it.
    pub fn take_owed(&mut self) -> Option<Bytes> {
        self.owed.take()
    }

    /// Bytes kept: an event that is not complete yet, and the words.
    pub fn held(&self) -> usize {
        self.framer.rest() + self.words.text.len()
    }

    /// Takes the next bytes and hands on what may go to the caller.
    pub fn feed(&mut self, chunk: Bytes, pieces: &mut Pieces) -> Fed {
        let mut run = Run::of(chunk.clone());
        self.framer.push(chunk);
        loop {
            let frame = match self.framer.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => {
                    run.flush(pieces);
                    return Fed::Malformed;
                }
            };
            match self.judge(&frame, pieces) {
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
                Verdict::End(end) => {
                    run.flush(pieces);
                    if end == Fed::Done {
                        self.close(pieces, Some(frame));
                    }
                    return end;
                }
            }
        }
        run.flush(pieces);
        Fed::Open
    }

    /// The upstream ended without a mark.
    pub fn finish(&mut self, pieces: &mut Pieces) -> Ended {
        if !self.choices.are_complete() {
            return Ended::Truncated;
        }
        self.close(pieces, None);
        Ended::Completed
    }

    /// Nothing more of the answer will come. `mark`: the upstream's own, passed on if it is written as it should be.
    fn close(&mut self, pieces: &mut Pieces, mark: Option<Frame>) {
        pieces.content = true;
        match self.reports.close(self.usage()) {
            Due::Nothing => {}
            Due::Shown(piece) => pieces.push(piece),
            Due::Owed(model) => {
                self.owed = Some(model);
                return;
            }
        }
        match mark.filter(|mark| !self.neutral && *mark.data == *MARK) {
            Some(mark) => pieces.push(mark.raw),
            None => pieces.push_mark(self.neutral),
        }
    }

    fn judge(&mut self, frame: &Frame, pieces: &mut Pieces) -> Verdict {
        if !frame.dispatches {
            return Verdict::Pass;
        }
        self.event = true;
        if is_mark(&frame.data) {
            // A stream of nothing is no answer, whatever ends it.
            let answered = self.said || self.choices.is_any_finished();
            return Verdict::End(if answered { Fed::Done } else { Fed::Malformed });
        }
        let choices = &mut self.choices;
        let mut index = Index::default();
        match self.words.add(|text| chunk::read(&frame.data, &mut index, text, choices)) {
            Event::Chunk(chunk) => {
                self.said |= chunk.content;
                pieces.content |= chunk.content;
                self.judge_chunk(frame, &chunk, &index)
            }
            Event::Error(words) => Verdict::End(Fed::Error(words)),
            Event::Malformed => self.judge_mended(frame, pieces),
        }
    }

    /// An event that could not be read, where that is for bytes that are no UTF-8.
    #[cold]
    fn judge_mended(&mut self, frame: &Frame, pieces: &mut Pieces) -> Verdict {
        let Some(data) = mended(&frame.data) else { return Verdict::End(Fed::Malformed) };
        match self.judge(&Frame { data: data.clone(), ..frame.clone() }, pieces) {
            Verdict::Pass => Verdict::Replace(framed(data.to_vec(), self.neutral)),
            other => other,
        }
    }

    fn judge_chunk(&mut self, frame: &Frame, chunk: &Chunk, index: &Index) -> Verdict {
        self.reports.see(frame, chunk);
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
            self.reports.take(frame, chunk, index, &edits);
            if chunk.no_choices {
                return Verdict::Hide;
            }
            edits.remove("usage");
        }
        if edits.is_empty() {
            return Verdict::Pass;
        }
        Verdict::Replace(framed(edits.apply(&frame.data, index), self.neutral))
    }
}

const MARK: &[u8] = b"[DONE]";

/// The end mark, with or without space around it.
fn is_mark(data: &[u8]) -> bool {
    matches!(data.first(), Some(b'[' | b' ')) && data.trim_ascii() == MARK
}
