//! What an attempt's failure means: whose fault it is, whether another may do better, what the caller is told, whether
//! the upstream may bill. Pure: a table for each way to fail.

use super::attempt::Reached;
use super::step::Stage;
use crate::clock::SECOND;
use crate::error::{Code, Failure};
use crate::health::Blame;
use crate::metrics::Outcome;
use crate::retry::Verdict;

/// A pooled connection that its peer had closed shows it at once. An upstream that is silent for longer after the
/// request was written has read it, and may have worked.
const STALE_US: u64 = SECOND;

/// Why an attempt is given up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fall {
    pub failure: Failure,
    /// `None`: it says nothing about the upstream, good or bad.
    pub blame: Option<Blame>,
    pub outcome: Outcome,
    pub again: Again,
    /// The upstream may have worked, if the request was sent, and may bill for it.
    pub billed: bool,
}

/// Whether the request may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// Of another upstream, or of this one not before so many microseconds, if it said so.
    After(Option<u64>),
    /// Of another credential or upstream. With this credential not before so many microseconds, if it said so; never
    /// again, if they are [`u64::MAX`].
    OtherCredential(Option<u64>),
    /// Of this upstream too, at once: it never saw the request.
    AtOnce,
}

impl Fall {
    pub fn upstream(code: Code, outcome: Outcome, words: impl Into<String>) -> Fall {
        Fall {
            failure: Failure::new(code, words),
            blame: Some(Blame::Upstream),
            outcome,
            again: Again::After(None),
            billed: true,
        }
    }

    pub fn malformed(words: &str) -> Fall {
        Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words)
    }

    pub fn truncated(words: &str) -> Fall {
        Fall::upstream(Code::UpstreamTruncated, Outcome::Truncated, words)
    }

    /// The upstream's own error, in place of an answer or in the middle of one.
    pub fn error(what: &str, words: &str) -> Fall {
        let words = if words.is_empty() { "(no words)" } else { words };
        Fall::upstream(Code::UpstreamError, Outcome::Error, format!("{what}: {words}"))
    }

    /// The request asks for what this upstream does not have: nobody's fault but the caller's, and nothing was done.
    pub fn invalid(failure: Failure) -> Fall {
        let (blame, again, outcome) = (Some(Blame::Nobody), Again::Never, Outcome::Refused);
        Fall { failure, blame, outcome, again, billed: false }
    }

    /// The whole exchange took too long: another attempt has no time left.
    pub fn overdue(words: &str) -> Fall {
        Fall { again: Again::Never, ..Fall::upstream(Code::UpstreamTimeout, Outcome::Timeout, words) }
    }
}

/// An answer with a status other than 2xx. `after_us`: what its `Retry-After` asks for. `spent`: its body says that the
/// credential may spend no more.
pub(super) fn of_status(status: u16, after_us: Option<u64>, spent: bool, now_us: u64) -> Fall {
    use Code::*;
    let until_us = after_us.map(|wait| now_us.saturating_add(wait));
    let bench = Blame::Throttled { until_us };
    let (code, outcome, blame, words) = match status {
        402 | 429 if spent || status == 402 => (
            UpstreamQuota,
            Outcome::Throttled,
            Blame::Quota { until_us },
            "What the gateway may spend at the provider is spent. Its operator must raise that limit.".into(),
        ),
        401 | 403 => (
            UpstreamCredential,
            Outcome::Credential,
            Blame::Credential,
            "The provider did not accept the gateway's credential. Its operator must check api_key.".into(),
        ),
        429 => (UpstreamRateLimited, Outcome::Throttled, bench, "The provider's own rate limit is reached.".into()),
        300..=399 => (
            UpstreamError,
            Outcome::Error,
            Blame::Upstream,
            "The provider answered with a redirect, which is not followed. Its base_url must be corrected.".into(),
        ),
        408 | 500..=599 => {
            (UpstreamError, Outcome::Error, Blame::Upstream, format!("The provider failed with status {status}."))
        }
        _ => (
            UpstreamRefused,
            Outcome::Refused,
            Blame::Nobody,
            format!("The provider refused the request with status {status}."),
        ),
    };
    let mut failure = Failure::new(code, words);
    if let Some(wait_us) = after_us {
        failure = failure.retry_after_us(wait_us);
    }
    if code == UpstreamRefused {
        failure.status = Some(if (400..500).contains(&status) { status } else { 502 });
    }
    let again = match (blame, Verdict::of_status(status)) {
        // Another credential has another quota, or is accepted. Nothing was billed.
        (Blame::Credential | Blame::Quota { .. }, _) => Again::OtherCredential(Some(u64::MAX)),
        (Blame::Throttled { .. }, _) => Again::OtherCredential(after_us),
        (_, Verdict::Retry) => Again::After(after_us),
        (_, Verdict::GiveUp) => Again::Never,
    };
    Fall { failure, blame: Some(blame), outcome, again, billed: false }
}

/// The driver says that it failed at `stage`, `waited_us` after it was last heard of. `reused`: on a connection that had
/// served before.
pub(super) fn of_failure(stage: Stage, reached: Reached, reused: bool, waited_us: u64) -> Fall {
    let stale = match stage {
        Stage::Send => reused,
        Stage::Head => reused && waited_us <= STALE_US,
        _ => false,
    };
    if stale && reached < Reached::Body {
        let words = "The provider had closed the connection.";
        let fall = Fall::upstream(Code::UpstreamError, Outcome::Error, words);
        return Fall { blame: None, again: Again::AtOnce, billed: false, ..fall };
    }
    match stage {
        Stage::Connect | Stage::Tls => {
            Fall::upstream(Code::UpstreamUnreachable, Outcome::Unreachable, "The provider could not be reached.")
        }
        Stage::Protocol => Fall::malformed("The provider broke HTTP."),
        Stage::Hook => {
            let words = "A hook of the provider failed. The gateway's log says how.";
            Fall::upstream(Code::UpstreamError, Outcome::Error, words)
        }
        _ if reached == Reached::Body => Fall::truncated("The provider broke off in the middle of its answer."),
        _ => Fall::upstream(Code::UpstreamError, Outcome::Error, "The provider closed the connection."),
    }
}

/// An engine of this process failed. Its own words are for its operator, and the driver has them.
pub(super) fn of_engine(stage: Stage) -> Fall {
    if stage == Stage::Connect {
        let words = "The provider is an engine of this process, and none is registered by its name.";
        return Fall::upstream(Code::UpstreamUnreachable, Outcome::Unreachable, words);
    }
    Fall::upstream(Code::UpstreamError, Outcome::Error, "The engine failed before its answer was complete.")
}

/// A callable declined: whoever else were asked, it is not to be done. What the provider did before may be billed.
pub(super) fn of_hook(why: Failure) -> Fall {
    let fall = Fall::upstream(why.code, Outcome::Refused, "");
    Fall { failure: why, blame: Some(Blame::Nobody), again: Again::Never, ..fall }
}

/// Nothing was heard of it for as long as one may wait. `hooked`: its callables come first, and may be the slow ones.
pub(super) fn of_silence(reached: Reached, hooked: bool) -> Fall {
    let words = match reached {
        Reached::Nothing if hooked => {
            "The provider's hooks, or the way to it, took longer than [deadlines] connect_secs."
        }
        Reached::Nothing => "The provider could not be reached in time.",
        Reached::Body => "The provider went silent in the middle of its answer.",
        Reached::Connected | Reached::Sent => "The provider did not begin to answer in time.",
    };
    Fall::upstream(Code::UpstreamTimeout, Outcome::Timeout, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(fall: &Fall) -> (Code, Option<Blame>, Again, bool) {
        (fall.failure.code, fall.blame, fall.again, fall.billed)
    }

    #[test]
    fn a_status_is_never_billed() {
        use Again::{After, Never, OtherCredential};
        use Blame::{Credential, Nobody, Upstream};
        let other = OtherCredential(Some(u64::MAX));
        let table = [
            (302, Code::UpstreamError, Upstream, Never),
            (400, Code::UpstreamRefused, Nobody, Never),
            (401, Code::UpstreamCredential, Credential, other),
            (402, Code::UpstreamQuota, Blame::Quota { until_us: Some(12) }, other),
            (403, Code::UpstreamCredential, Credential, other),
            (404, Code::UpstreamRefused, Nobody, Never),
            (408, Code::UpstreamError, Upstream, After(Some(5))),
            (429, Code::UpstreamRateLimited, Blame::Throttled { until_us: Some(12) }, OtherCredential(Some(5))),
            (500, Code::UpstreamError, Upstream, After(Some(5))),
            (599, Code::UpstreamError, Upstream, After(Some(5))),
            (600, Code::UpstreamRefused, Nobody, Never),
        ];
        for (status, code, blame, again) in table {
            let fall = of_status(status, Some(5), false, 7);
            assert_eq!(short(&fall), (code, Some(blame), again, false), "{status}");
            assert_eq!(fall.failure.retry_after_secs, Some(1), "{status}");
        }
        let spent = of_status(429, None, true, 0);
        let quota = Blame::Quota { until_us: None };
        assert_eq!(short(&spent), (Code::UpstreamQuota, Some(quota), other, false));
        assert_eq!(of_status(422, None, true, 0).failure.status(), 422);
        assert_eq!(of_status(600, None, false, 0).failure.status(), 502, "no status of ours to pass on");
    }

    #[test]
    fn a_failure_is_stale_only_where_nothing_can_have_been_worked_on() {
        use Stage::*;
        let table = [
            (Connect, Reached::Nothing, true, 0, Code::UpstreamUnreachable, Again::After(None)),
            (Tls, Reached::Nothing, false, 0, Code::UpstreamUnreachable, Again::After(None)),
            (Send, Reached::Connected, false, 0, Code::UpstreamError, Again::After(None)),
            (Send, Reached::Connected, true, 9 * SECOND, Code::UpstreamError, Again::AtOnce),
            (Head, Reached::Sent, false, 0, Code::UpstreamError, Again::After(None)),
            (Head, Reached::Sent, true, SECOND, Code::UpstreamError, Again::AtOnce),
            (Head, Reached::Sent, true, SECOND + 1, Code::UpstreamError, Again::After(None)),
            (Head, Reached::Body, true, 0, Code::UpstreamTruncated, Again::After(None)),
            (Body, Reached::Body, true, 0, Code::UpstreamTruncated, Again::After(None)),
            (Protocol, Reached::Sent, true, 0, Code::UpstreamMalformed, Again::After(None)),
            (Hook, Reached::Body, true, 0, Code::UpstreamError, Again::After(None)),
        ];
        for (stage, reached, reused, waited_us, code, again) in table {
            let stale = again == Again::AtOnce;
            let blame = (!stale).then_some(Blame::Upstream);
            let fall = of_failure(stage, reached, reused, waited_us);
            assert_eq!(short(&fall), (code, blame, again, !stale), "{stage:?} {reached:?} {reused} {waited_us}");
        }
    }

    #[test]
    fn silence_is_the_upstreams_fault_at_any_point() {
        for reached in [Reached::Nothing, Reached::Connected, Reached::Sent, Reached::Body] {
            let wanted = (Code::UpstreamTimeout, Some(Blame::Upstream), Again::After(None), true);
            assert_eq!(short(&of_silence(reached, false)), wanted);
        }
    }
}
