//! An answer that comes as a stream: passed on event by event, and ended where it ends.

use bytes::Bytes;

use super::account::Owed;
use super::attempt::{Attempt, Follow};
use super::verdict::Fall;
use super::Exchange;
use crate::dialects::openai::pieces::Pieces;
use crate::dialects::openai::relay::{Ended, Fed};

impl Exchange {
    pub(super) fn take_stream(&mut self, bytes: Bytes) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Stream(relay) = &mut attempt.follow else { return };
        let mut pieces = Pieces::default();
        let fed = relay.feed(bytes, &mut pieces);
        let event = relay.take_event();
        attempt.hear(event, now_us);
        self.say(pieces);
        match fed {
            Fed::Open => {}
            Fed::Done => self.finish_stream(),
            Fed::Error(words) => self.fall(Fall::error("The provider broke off with an error", &words)),
            Fed::Malformed => self.fall(Fall::malformed("The provider sent an event that is not of its protocol.")),
        }
    }

    /// No more of the answer will come, and `fall` is why. A stream whose every choice is finished lacks nothing but
    /// its mark; everything else is given up.
    pub(super) fn break_off(&mut self, fall: Fall) {
        if matches!(&self.attempt, Some(Attempt { follow: Follow::Spoken(spoken), .. }) if spoken.listener.is_some()) {
            return self.break_off_spoken(fall);
        }
        let mut pieces = Pieces::default();
        let ended = match &mut self.attempt {
            Some(Attempt { follow: Follow::Stream(relay), .. }) => relay.finish(&mut pieces),
            _ => Ended::Truncated,
        };
        if ended == Ended::Truncated {
            return self.fall(fall);
        }
        self.say(pieces);
        self.account.terminator_added = true;
        self.finish_stream();
    }

    /// A stream is complete. After a mark of its own its last bytes are still read, so that the connection can serve
    /// again.
    fn finish_stream(&mut self) {
        let marked = !self.account.terminator_added;
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Stream(mut relay) = std::mem::replace(&mut attempt.follow, Follow::Tail) else { return };
        attempt.since_us = now_us;
        self.account.usage_said = relay.usage_said();
        self.succeed(relay.usage(), relay.is_clean() && marked, relay.take_words());
        if !marked {
            if let Some(attempt) = self.attempt.take() {
                self.close(&attempt);
            }
        }
        match relay.take_owed() {
            Some(chunk) => self.owe(Owed::Chunk(chunk)),
            None => self.finish(),
        }
    }
}
