//! Signs of life to a caller whose answer takes its time: a proxy in front ends what is silent for too long.
//!
//! A stream that began and says nothing gets comments, which every reader of event streams drops (the WHATWG's HTML, section
//! 9.2.6). Where `early_start_secs` says so, it begins before there is anything to say; nothing of an attempt has been
//! given then, so that another may still answer. Whole answers and callers in process get no such signs: the one has no place
//! for them, the other no proxy.

use bytes::Bytes;

use super::{Exchange, Move, Phase, Step};
use crate::clock::SECOND;

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

impl Exchange {
    /// When the next sign is due; `None`: as things are, never.
    pub(super) fn sign_due_us(&self) -> Option<u64> {
        let streams = self.facts.as_ref().is_some_and(|facts| facts.stream);
        if !streams || self.out.is_ended() || self.is_neutral() || !self.dialect().door().takes_comments {
            return None;
        }
        // What passes has its status and its type from the provider, and only events have a place for a sign.
        if self.ask().is_some() && (!self.out.is_started() || self.is_raw()) {
            return None;
        }
        let server = &self.snap.config.server;
        let (since_us, seconds) = if self.out.is_started() {
            (self.out.spoke_us, server.keep_alive_secs)
        } else {
            // Its body is read: before, the caller is busy itself.
            (self.out.spoke_us.max(self.begun.mono_us), server.early_start_secs)
        };
        // One that a caller has not taken is enough.
        let wanted = seconds > 0 && self.out.behind() == 0;
        let waits = matches!(self.phase, Phase::Gates(_) | Phase::Choose | Phase::Attempt | Phase::Owing);
        (wanted && waits).then(|| since_us.saturating_add(seconds.saturating_mul(SECOND)))
    }

    pub(super) fn give_sign(&mut self) -> Move {
        if !self.out.is_started() {
            self.start();
        }
        // Past `emit`: it is no part of the answer, and not kept with it.
        self.out.add(KEEP_ALIVE.len(), self.now.mono_us);
        self.steps.push_back(Step::Emit { bytes: Bytes::from_static(KEEP_ALIVE) });
        Move::Again
    }
}
