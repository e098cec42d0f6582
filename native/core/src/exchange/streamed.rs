//! An answer that comes as a stream: passed on event by event.

use super::attempt::{Attempt, Follow};
use super::follow::or_none;
use super::verdict::Fall;
use super::Exchange;
use crate::dialects::openai::pieces::Pieces;
use crate::dialects::openai::relay::Fed;
use crate::error::Code;
use crate::metrics::Outcome;

impl Exchange {
    /// Hands on what a stream said, and ends it where it ended.
    pub(super) fn pass_on(&mut self, pieces: Pieces, fed: Fed) {
        let Some(Attempt { follow: Follow::Stream(relay), .. }) = &self.attempt else { return };
        let content = relay.has_content();
        match fed {
            Fed::Open => self.say(pieces, content),
            Fed::Done => {
                self.say(pieces, true);
                self.finish_stream(false, false);
            }
            Fed::Error(words) => {
                self.say(pieces, content);
                let words = format!("The provider broke off with an error: {}", or_none(&words));
                self.fall(Fall::upstream(Code::UpstreamError, Outcome::Error, words), true);
            }
            Fed::Malformed => {
                self.say(pieces, content);
                let words = "The provider sent an event that is not of its protocol.";
                self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), true);
            }
        }
    }

    /// A stream is complete. `closed`: its upstream ended too; otherwise its last bytes are still read, so that the
    /// connection can serve again.
    pub(super) fn finish_stream(&mut self, closed: bool, terminator_added: bool) {
        self.account.terminator_added = terminator_added;
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Stream(relay) = &mut attempt.follow else { return };
        let (usage, clean, text) = (relay.usage(), relay.is_clean(), relay.take_text());
        let owed = relay.take_owed();
        attempt.follow = Follow::Tail;
        attempt.since_us = self.now.mono_us;
        self.succeed(usage, clean && !terminator_added, text);
        if closed {
            self.attempt = None;
        }
        match owed {
            Some(chunk) => self.count_owed(chunk),
            None => self.finish(),
        }
    }
}
