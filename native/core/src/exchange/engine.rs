//! An answer that an engine of this process speaks: written as its caller reads it.

use bytes::Bytes;

use super::account::Owed;
use super::attempt::{Follow, Reached};
use super::inbox::AnswerHead;
use super::verdict::Fall;
use super::whole::Whole;
use super::Exchange;
use crate::clock::SECOND;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::openai::collected::Collected;
use crate::dialects::openai::encode::{Stamp, VectorForm};
use crate::dialects::openai::pieces::{framed, Pieces};
use crate::error::{Code, Failure};
use crate::ledger::Usage;
use crate::retry::retry_after;

/// What an engine said so far.
#[derive(Debug)]
pub(super) struct Engine {
    stamp: Stamp,
    pub collected: Collected,
    /// What it says that it used; the last word counts.
    pub usage: Option<Usage>,
    /// What `collected` keeps.
    pub bytes: usize,
}

impl Engine {
    pub fn new(stamp: Stamp) -> Engine {
        Engine { stamp, collected: Collected::default(), usage: None, bytes: 0 }
    }

    /// The whole answer, which cost `usage`.
    pub fn whole(&self, endpoint: Endpoint, usage: &Usage) -> Bytes {
        Bytes::from(self.stamp.whole(endpoint, &self.collected, usage))
    }
}

impl Exchange {
    /// It has no request to write: once it stands, it works.
    pub(super) fn begin_engine(&mut self) {
        let now_us = self.now.mono_us;
        // Other forms are passed to providers over HTTP, some of which know more.
        let vectors = match self.endpoint() {
            Endpoint::Embeddings => VectorForm::of(self.facts()),
            Endpoint::Chat | Endpoint::Completions => Some(VectorForm::default()),
        };
        let Some(vectors) = vectors else {
            let words = "'encoding_format' must be float or base64 for this model.";
            return self.fall(Fall::invalid(Failure::new(Code::InvalidValue, words).param("encoding_format")));
        };
        let engine = Engine::new(self.stamp(vectors));
        let Some(attempt) = &mut self.attempt else { return };
        attempt.reach(Reached::Body, now_us);
        attempt.follow = Follow::Engine(Box::new(engine));
    }

    /// It refuses, in HTTP's words: judged as the answer of an upstream is. Whoever has said something cannot refuse any
    /// more, and none says 200.
    pub(super) fn take_engine_head(&mut self, head: &AnswerHead) {
        let now = self.now;
        let Some(attempt) = &mut self.attempt else { return };
        if !matches!(attempt.follow, Follow::Head | Follow::Engine(_)) {
            return;
        }
        if head.status < 400 || attempt.first_byte_us.is_some() {
            let words = "The engine gave a status where only a refusal before its answer has one.";
            return self.fall(Fall::malformed(words));
        }
        attempt.reach(Reached::Body, now.mono_us);
        attempt.first_byte_us = Some(now.mono_us - attempt.opened_us);
        attempt.follow = Follow::Whole(Whole::new(head.status, retry_after(head, now)));
    }

    pub(super) fn take_delta(&mut self, mut item: Item) {
        let (endpoint, neutral, streams) = (self.endpoint(), self.is_neutral(), self.facts().stream);
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Engine(engine) = &mut attempt.follow else { return };
        attempt.since_us = now_us;
        attempt.credit = attempt.credit.saturating_sub(item.weight());
        attempt.first_byte_us.get_or_insert(now_us - attempt.opened_us);
        if let Item::Usage(usage) = item {
            engine.usage = Some(usage);
            return;
        }
        let content = is_content(&item);
        let mut chunk = None;
        if streams {
            chunk = engine.stamp.chunk(endpoint, &item, engine.collected.said(&item));
            if let Item::Text { logprobs, .. } = &mut item {
                // They are told; only words are needed later.
                logprobs.clear();
            }
        }
        let bytes = item.bytes();
        if !engine.collected.add(item) {
            self.fall(Fall::malformed("The engine said something that makes no sense."));
            return;
        }
        engine.bytes += bytes;
        if let Some(chunk) = chunk {
            let mut pieces = Pieces { content, ..Pieces::default() };
            pieces.push(framed(chunk, neutral));
            self.say(pieces);
        }
    }

    pub(super) fn end_engine(&mut self) {
        let (endpoint, streams, inputs) = (self.endpoint(), self.facts().stream, self.facts().answers);
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Engine(engine) = &attempt.follow else { return };
        if !engine.collected.is_complete(endpoint, inputs) {
            self.fall(Fall::truncated("The engine ended before its answer was complete."));
            return;
        }
        let Follow::Engine(mut engine) = std::mem::replace(&mut attempt.follow, Follow::Tail) else { return };
        engine.collected.sort();
        self.succeed(engine.usage, engine.collected.is_clean(), engine.collected.words());
        self.attempt = None;
        match engine.usage {
            _ if streams => self.finish_engine_stream(&engine),
            Some(usage) => self.reply_whole(engine.whole(endpoint, &usage)),
            None => self.owe(Owed::Answer(engine)),
        }
    }

    fn finish_engine_stream(&mut self, engine: &Engine) {
        let (endpoint, neutral, wanted) = (self.endpoint(), self.is_neutral(), self.facts().include_usage);
        let Engine { stamp, usage, .. } = engine;
        if usage.is_none() && wanted {
            let model = stamp.usage_chunk(endpoint, &Usage::default());
            return self.owe(Owed::Chunk(Bytes::from(model)));
        }
        let mut pieces = Pieces::default();
        if let Some(usage) = usage.filter(|_| wanted) {
            pieces.push(framed(stamp.usage_chunk(endpoint, &usage), neutral));
        }
        pieces.push_mark(neutral);
        self.say(pieces);
        self.finish();
    }

    /// What all that is said in this exchange's name carries.
    fn stamp(&self, vectors: VectorForm) -> Stamp {
        let prefix = if self.endpoint() == Endpoint::Completions { "cmpl" } else { "chatcmpl" };
        Stamp {
            id: format!("{prefix}-{}", self.request_id()),
            created: self.begun.wall_us / SECOND as i64,
            model: self.facts.as_ref().map_or_else(String::new, |facts| facts.model.clone()),
            vectors,
        }
    }
}

/// Whether a caller would act on it.
fn is_content(item: &Item) -> bool {
    match item {
        Item::Text { text, .. } | Item::Reasoning { text, .. } | Item::Refusal { text, .. } => !text.is_empty(),
        Item::ToolCall { .. } | Item::Thought { .. } => true,
        Item::Finish { .. } | Item::StopSequence { .. } | Item::Annotation { .. } => false,
        Item::Embedding { .. } | Item::Usage(_) | Item::UsageDetail { .. } => false,
    }
}
