//! Gives an attempt up.

use super::attempt::Follow;
use super::verdict::Fall;
use super::{step, Exchange, Move, Phase, Step};
use crate::error::{Code, Failure};
use crate::metrics::Outcome;

impl Exchange {
    /// The attempt failed: blame, book, and try again or tell the caller. `open`: its upstream still runs.
    pub(super) fn fall(&mut self, fall: Fall, open: bool) {
        let now_us = self.now.mono_us;
        let Some(mut attempt) = self.attempt.take() else { return };
        if open {
            self.abort(attempt.u);
        }
        if let Some(health) = attempt.health.take() {
            health.failure(now_us, fall.blame);
        }
        self.account.end_attempt(attempt.upstream.slot, fall.outcome);
        self.free_collected(&attempt.follow);
        if self.out.has_content() {
            if let Follow::Stream(relay) = &mut attempt.follow {
                let (usage, text) = (relay.usage(), relay.take_text());
                self.account.reported(usage, text);
            } else if let Follow::Engine(collected) = &attempt.follow {
                self.account.reported(self.account.engine_usage, (collected.text().into_bytes(), 0));
            }
            drop(attempt);
            self.fail(fall.failure);
            return;
        }
        self.out.forget_preroll();
        if fall.billed && attempt.was_sent() {
            let bound = self.input_bound();
            self.account.charge_bound(bound);
            self.settle_attempt();
        }
        drop(attempt);
        self.retry_or_fail(fall.failure, fall.retry, fall.stale, fall.retry_after_us);
    }

    pub(super) fn free_collected(&mut self, follow: &Follow) {
        match follow {
            Follow::Whole { body, single, .. } => {
                self.free(body.len() + single.as_ref().map_or(0, |bytes| bytes.len()));
            }
            Follow::Engine(_) => {
                let bytes = std::mem::take(&mut self.account.engine_bytes);
                self.free(bytes);
            }
            _ => {}
        }
    }

    /// Drops an upstream; steps that would still use it are taken back.
    pub(super) fn abort(&mut self, u: step::UpstreamId) {
        let before = self.steps.len();
        self.steps
            .retain(|step| !matches!(step, Step::Send { u: other, .. } | Step::Call { u: other, .. } if *other == u));
        let never_asked = self.steps.len() < before;
        self.steps.retain(|step| !matches!(step, Step::Read { u: other, .. } if *other == u));
        if !never_asked {
            self.steps.push_back(Step::Abort { u });
        }
    }

    /// The whole exchange took too long.
    pub(super) fn overdue(&mut self, _at: u64) -> Move {
        let words = "The request took longer than [deadlines] total_secs allows.";
        if self.phase == Phase::Attempt {
            let fall = Fall { retry: false, ..Fall::upstream(Code::UpstreamTimeout, Outcome::Timeout, words) };
            self.fall(fall, true);
        } else {
            let last = self.choice.last();
            self.fail(last.unwrap_or_else(|| Failure::new(Code::UpstreamTimeout, words)));
        }
        Move::Again
    }
}
