//! Rates: requests and tokens a minute, of all callers together and of one key. A provider's own are an obstacle of its.
//!
//! Tokens are taken at the bound of what the request may use, as a budget would reserve it, and corrected when it is
//! known what was used ([`TokenCharge`]). Where neither the caller nor a limit names a cap, the output is guessed to be at
//! most `reserve_output`; no cap is sent for that.

use bytes::Bytes;

use super::gates::{retry_at, Gate};
use super::target::Target;
use super::{Exchange, Move};
use crate::clock::{MILLISECOND, SECOND};
use crate::error::{Code, Failure};
use crate::http::Headers;
use crate::limit::{Standing, TokenCharge};
use crate::metrics::Limit;

impl Exchange {
    pub(super) fn pass_rate(&mut self) -> Move {
        let now_us = self.now.mono_us;
        if let Some(Err(at_us)) = self.snap.rate.as_ref().map(|rate| rate.take(now_us)) {
            return self.refuse_rate(Limit::GatewayRate, at_us);
        }
        let holder = &self.call().holder;
        let Some(Err(at_us)) = holder.rated.then(|| holder.live.rate.take(now_us)) else { return self.go(Gate::Cache) };
        self.snap.rate.iter().for_each(|rate| rate.refund());
        self.refuse_rate(Limit::KeyRate, at_us)
    }

    pub(super) fn pass_tokens(&mut self) -> Move {
        let holder = &self.call().holder;
        let own = holder.token_rated.then_some(&holder.live.tokens);
        if own.is_none() && self.snap.tokens.is_none() {
            return self.go(Gate::Place);
        }
        let (_, wanted) = self.tokens_wanted();
        let (key, now_us) = (Limit::KeyTokens, self.now.mono_us);
        let limits =
            self.snap.tokens.iter().map(|rate| (rate, Limit::GatewayTokens)).chain(own.map(|rate| (rate, key)));
        match TokenCharge::take(limits.clone().map(|(rate, _)| rate), wanted, now_us) {
            Ok(charge) => {
                self.holds.tokens = Some(charge);
                self.go(Gate::Place)
            }
            Err((at, at_us)) => {
                let limit = limits.map(|(_, limit)| limit).nth(at).unwrap_or(key);
                self.refuse_tokens(limit, at_us)
            }
        }
    }

    fn refuse_tokens(&mut self, limit: Limit, at_us: u64) -> Move {
        let whose = if limit == Limit::KeyTokens { "this key" } else { "the gateway" };
        if at_us == u64::MAX {
            // The bound by bytes is four times the truth or so.
            if let Some(moved) = self.count_input(Gate::CountForRate) {
                return moved;
            }
            return self.refuse_too_large(limit, whose);
        }
        self.refuse_rate(limit, at_us)
    }

    /// No waiting helps: a whole minute's tokens are not enough.
    pub(super) fn refuse_too_large(&mut self, limit: Limit, whose: &str) -> Move {
        self.account.limited = Some(limit);
        let failure = self.too_large_failure(whose);
        self.refuse(failure)
    }

    pub(super) fn too_large_failure(&self, whose: &str) -> Failure {
        let (_, wanted) = self.tokens_wanted();
        let words = format!("The request may use {wanted} tokens, more than {whose} may in a whole minute (rate_limit_tpm). Shorten it, or name a smaller max_tokens.");
        Failure::new(Code::OverRateLimit, words)
    }

    fn refuse_rate(&mut self, limit: Limit, at_us: u64) -> Move {
        self.account.limited = Some(limit);
        let failure = self.rate_failure(limit, at_us);
        self.refuse(failure)
    }

    /// What a caller is told who comes before its turn, at `at_us`.
    pub(super) fn rate_failure(&self, limit: Limit, at_us: u64) -> Failure {
        let words = match limit {
            Limit::KeyTokens => "This key has used its tokens for the minute. Slow down, or raise its rate_limit_tpm.",
            Limit::GatewayTokens => {
                "The gateway has had its tokens for the minute. Slow down, or raise [limits] rate_limit_tpm."
            }
            Limit::GatewayRate => {
                "The gateway has had its requests for the minute. Slow down, or raise [limits] rate_limit_rpm."
            }
            _ => "This key has used its requests for the minute. Slow down, or raise its rate_limit_rpm.",
        };
        retry_at(Failure::new(Code::RateLimited, words), at_us, self.now.mono_us)
    }

    /// How the key's own limits stand, in OpenAI's words. Nothing for a key without any.
    pub(super) fn add_standings(&self, headers: &mut Headers) {
        let Some(call) = self.call.as_ref().filter(|call| matches!(call.target, Some(Target::Inference(_)))) else {
            return;
        };
        let holder = &call.holder;
        if holder.rated {
            add_standing(headers, &REQUESTS, holder.live.rate.standing(self.now.mono_us));
        }
        if holder.token_rated {
            add_standing(headers, &TOKENS, holder.live.tokens.standing(self.now.mono_us));
        }
    }
}

/// Limit, what remains of it, and when all of it does again.
const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

fn add_standing(headers: &mut Headers, names: &[&'static str; 3], standing: Standing) {
    let values = [standing.limit.to_string(), standing.remaining.to_string(), span(standing.reset_us)];
    let named = names.iter().map(|name| Bytes::from_static(name.as_bytes()));
    headers.extend(named.zip(values.map(Bytes::from)));
}

/// A span of time as OpenAI writes it: `17ms`, `8.64s`, `6m0s`. Rounded up to a millisecond.
fn span(us: u64) -> String {
    if us < SECOND {
        return format!("{}ms", us.div_ceil(MILLISECOND));
    }
    let ms = us.div_ceil(MILLISECOND);
    let (minutes, ms) = (ms / 60_000, ms % 60_000);
    let seconds = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match minutes {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_openai_writes_them() {
        let table = [
            (0, "0ms"),
            (1, "1ms"),
            (17_000, "17ms"),
            (999_999, "1000ms"),
            (SECOND, "1s"),
            (8_640_000, "8.64s"),
            (59_999_001, "1m0s"),
            (360 * SECOND, "6m0s"),
            (432_500_000, "7m12.5s"),
        ];
        for (us, words) in table {
            assert_eq!(span(us), words, "{us}");
        }
    }
}
