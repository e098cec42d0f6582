//! An engine of this process: it has no request to write, and says items at once.

use super::attempt::{Follow, Reached};
use super::inbox::AnswerHead;
use super::verdict::Fall;
use super::whole::Whole;
use super::Exchange;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::openai::encode::VectorForm;
use crate::dialects::openai::pieces::Pieces;
use crate::error::{Code, Failure};
use crate::retry::retry_after;

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
        let spoken = self.spoken(None, vectors);
        let Some(attempt) = &mut self.attempt else { return };
        attempt.reach(Reached::Body, now_us);
        attempt.follow = Follow::Spoken(Box::new(spoken));
    }

    /// It refuses, in HTTP's words: judged as the answer of an upstream is. Whoever has said something cannot refuse any
    /// more, and none says 200.
    pub(super) fn take_engine_head(&mut self, head: &AnswerHead) {
        let now = self.now;
        let Some(attempt) = &mut self.attempt else { return };
        if !matches!(attempt.follow, Follow::Head | Follow::Spoken(_)) {
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

    pub(super) fn take_delta(&mut self, item: Item) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        if !matches!(attempt.follow, Follow::Spoken(_)) {
            return;
        }
        attempt.since_us = now_us;
        attempt.credit = attempt.credit.saturating_sub(item.weight());
        attempt.first_byte_us.get_or_insert(now_us - attempt.opened_us);
        let mut pieces = Pieces::default();
        if !self.hear(item, &mut pieces) {
            self.fall(Fall::malformed("The engine said something that makes no sense."));
            return;
        }
        if !pieces.list.is_empty() {
            self.say(pieces);
        }
    }
}
