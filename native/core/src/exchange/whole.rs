//! An answer that comes whole: collected, then judged.

use bytes::Bytes;

use super::follow::or_none;
use super::verdict::Fall;
use super::Exchange;
use crate::dialects::openai::answer::{self, Answer};
use crate::error::Code;
use crate::metrics::Outcome;

/// The largest answer that is collected whole, bytes. An embedding of 2,048 inputs takes about 70 MB as text.
pub(super) const MAX_ANSWER: usize = 128 << 20;
/// Of an error's body, no more is read.
pub(super) const MAX_ERROR_BODY: usize = 256 << 10;

impl Exchange {
    pub(super) fn judge_whole(&mut self, body: Bytes) {
        let mut text = Vec::new();
        match answer::read(&body, self.endpoint(), &mut text) {
            Answer::Whole { usage, clean } => {
                self.succeed(usage, clean, (text, 0));
                self.reply_whole(body);
            }
            Answer::Error(words) => {
                let words = format!("The provider answered with an error: {}", or_none(&words));
                self.fall(Fall::upstream(Code::UpstreamError, Outcome::Error, words), false);
            }
            Answer::Malformed => {
                let words = "The provider answered something that is not its protocol.";
                self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), false);
            }
        }
    }
}
