//! What an upstream's failure means: whose fault it is, whether another attempt may do better, what the caller is told.

use bytes::Bytes;

use super::attempt::{Follow, Stage};
use super::{step, Exchange};
use crate::dialects::openai::answer;
use crate::error::{Code, Failure};
use crate::health::Blame;
use crate::metrics::Outcome;
use crate::retry::Verdict;

/// Why an attempt is given up.
pub(super) struct Fall {
    pub failure: Failure,
    pub blame: Blame,
    pub outcome: Outcome,
    pub retry: bool,
    pub stale: bool,
    pub retry_after_us: Option<u64>,
    /// The upstream may have worked and may bill for it.
    pub billed: bool,
}

impl Fall {
    pub(super) fn upstream(code: Code, outcome: Outcome, words: impl Into<String>) -> Fall {
        Fall {
            failure: Failure::new(code, words),
            blame: Blame::Upstream,
            outcome,
            retry: true,
            stale: false,
            retry_after_us: None,
            billed: true,
        }
    }
}

impl Exchange {
    pub(super) fn judge_status(&mut self, status: u16, body: &Bytes, after: Option<u64>) {
        let upstream = |code, outcome, words: &str| Fall { billed: false, ..Fall::upstream(code, outcome, words) };
        let mut fall = match status {
            401 | 403 => Fall {
                blame: Blame::Credential,
                retry: false,
                ..upstream(
                    Code::UpstreamCredential,
                    Outcome::Credential,
                    "The provider did not accept the gateway's credential. Its operator must check api_key.",
                )
            },
            429 => Fall {
                blame: Blame::Throttled { until_us: after.map(|wait| self.now.mono_us.saturating_add(wait)) },
                retry_after_us: after,
                ..upstream(Code::UpstreamRateLimited, Outcome::Throttled, "The provider's own rate limit is reached.")
            },
            300..=399 => Fall {
                retry: false,
                ..upstream(
                    Code::UpstreamError,
                    Outcome::Error,
                    "The provider answered with a redirect, which is not followed. Its base_url must be corrected.",
                )
            },
            408 | 500..=599 => Fall {
                retry_after_us: after,
                ..upstream(Code::UpstreamError, Outcome::Error, &format!("The provider failed with status {status}."))
            },
            _ => Fall {
                blame: Blame::Nobody,
                ..upstream(
                    Code::UpstreamRefused,
                    Outcome::Refused,
                    &format!("The provider refused the request with status {status}."),
                )
            },
        };
        fall.retry &= Verdict::of_status(status) == Verdict::Retry;
        fall.failure.retry_after_secs = after.map(|us| us.div_ceil(crate::clock::SECOND));
        if fall.failure.code == Code::UpstreamRefused {
            fall.failure.status = Some(if (400..500).contains(&status) { status } else { 502 });
            if answer::is_error_shape(body) {
                self.out.upstream_words = Some(body.clone());
            }
        }
        self.fall(fall, false);
    }

    pub(super) fn take_failed(&mut self, stage: step::Stage, reused: bool) {
        let Some(attempt) = &self.attempt else { return };
        if matches!(attempt.follow, Follow::Tail) {
            self.attempt = None;
            return;
        }
        let begun = attempt.stage == Stage::Body;
        let sent = attempt.was_sent();
        let mut fall = match stage {
            step::Stage::Connect | step::Stage::Tls => {
                let words = "The provider could not be reached.";
                Fall::upstream(Code::UpstreamUnreachable, Outcome::Unreachable, words)
            }
            step::Stage::Protocol => {
                Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, "The provider broke HTTP.")
            }
            _ if begun => {
                let words = "The provider broke off in the middle of its answer.";
                Fall::upstream(Code::UpstreamTruncated, Outcome::Truncated, words)
            }
            _ => Fall::upstream(Code::UpstreamError, Outcome::Error, "The provider closed the connection."),
        };
        fall.billed = sent;
        if reused && !begun {
            // A pooled connection that its peer had closed meanwhile: nothing was worked on, and nobody is to blame.
            fall.stale = true;
            fall.billed = false;
            fall.blame = Blame::Nobody;
        }
        self.fall(fall, false);
    }
}
