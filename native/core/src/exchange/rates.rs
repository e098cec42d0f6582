//! Rates: requests and tokens a minute, of all callers together and of one key. A provider's own are an obstacle of its.
//!
//! Tokens are taken at the bound of what the request may use, as a budget would reserve it, and corrected when it is
//! known what was used ([`TokenCharge`]). Where neither the caller nor a limit names a cap, the output is guessed to be at
//! most `reserve_output`; no cap is sent for that.
//!
//! What comes before its turn waits for it, if that is not farther off than `rate_wait_secs` and the deadline: in the
//! key's line, then in the gateway's ([`Line`]).

use bytes::Bytes;
use smallvec::SmallVec;

use super::gates::{retry_at, Gate};
use super::target::Target;
use super::{Exchange, Move};
use crate::clock::{MILLISECOND, SECOND};
use crate::error::{Code, Failure};
use crate::http::Headers;
use crate::limit::{Ask, Line, Patience, Rate, Standing, TokenCharge};
use crate::metrics::Limit;
use crate::sync::Arc;

/// How taking of limits went.
enum Turn {
    Taken(Option<Arc<TokenCharge>>),
    /// Look again then.
    Wait(u64),
    /// Which of them refused, and from when on it would not.
    Refused(usize, u64),
}

/// The turns that an exchange waits for at its key's and the gateway's rates.
#[derive(Default)]
pub(super) struct Turns {
    line: Line,
    /// When waiting is given up, for both kinds of rates together. `None`: it has not begun.
    until_us: Option<u64>,
}

impl Exchange {
    pub(super) fn pass_rate(&mut self) -> Move {
        if self.snap.rate.is_none() && !self.call().holder.rated {
            self.holds.turns.line.leave();
            return self.go(Gate::Cache);
        }
        let (snap, holder) = (self.snap.clone(), self.call().holder.clone());
        let own = holder.rated.then_some((Limit::KeyRate, &holder.live.rate));
        let limits = narrowest_first(own, snap.rate.as_ref().map(|rate| (Limit::GatewayRate, rate)));
        let asks: SmallVec<[Ask<'_>; 2]> = limits.iter().map(|(_, rate)| Ask::one(rate)).collect();
        match self.take_turn(&asks) {
            Turn::Taken(_) => self.go(Gate::Cache),
            Turn::Wait(at_us) => self.wait_for_turn(at_us),
            Turn::Refused(at, at_us) => self.refuse_rate(limits[at].0, at_us),
        }
    }

    pub(super) fn pass_tokens(&mut self) -> Move {
        if self.snap.tokens.is_none() && !self.call().holder.token_rated {
            self.holds.turns.line.leave();
            return self.go(Gate::Place);
        }
        let (snap, holder) = (self.snap.clone(), self.call().holder.clone());
        let own = holder.token_rated.then_some((Limit::KeyTokens, &holder.live.tokens));
        let limits = narrowest_first(own, snap.tokens.as_ref().map(|rate| (Limit::GatewayTokens, rate)));
        let (_, wanted) = self.tokens_wanted();
        let asks: SmallVec<[Ask<'_>; 2]> = limits.iter().map(|(_, rate)| Ask::tokens(rate, wanted)).collect();
        match self.take_turn(&asks) {
            Turn::Taken(charge) => {
                self.holds.tokens = charge;
                self.go(Gate::Place)
            }
            Turn::Wait(at_us) => self.wait_for_turn(at_us),
            Turn::Refused(at, at_us) => self.refuse_tokens(limits[at].0, at_us),
        }
    }

    fn take_turn(&mut self, asks: &[Ask<'_>]) -> Turn {
        let (owner, now_us) = (self.call().holder.owner, self.now.mono_us);
        let turns = &mut self.holds.turns;
        if let Some(rest_us) = turns.line.rest_us(now_us) {
            return Turn::Wait(rest_us);
        }
        let (at, at_us) = match turns.line.take(asks, owner, now_us) {
            Ok(charge) => return Turn::Taken(charge),
            Err(refused) => refused,
        };
        let Some(patience) = self.turn_patience(self.holds.turns.until_us) else { return Turn::Refused(at, at_us) };
        let turns = &mut self.holds.turns;
        turns.until_us = Some(patience.until_us);
        match turns.line.wait(asks, owner, &self.waker, patience, now_us) {
            Ok(at_us) => Turn::Wait(at_us),
            Err((at, at_us)) => Turn::Refused(at, at_us),
        }
    }

    pub(super) fn wait_for_turn(&self, at_us: u64) -> Move {
        if at_us <= self.now.mono_us {
            return Move::Again;
        }
        Move::Wait(Some(at_us))
    }

    /// How far waiting goes that began with the limit `begun_us`, or begins now; `None` where nobody waits.
    pub(super) fn turn_patience(&self, begun_us: Option<u64>) -> Option<Patience> {
        let limits = &self.snap.config.limits;
        if limits.rate_wait_secs == 0 {
            return None;
        }
        let longest_us = limits.rate_wait_secs.saturating_mul(SECOND);
        let until_us = begun_us.unwrap_or(self.now.mono_us.saturating_add(longest_us));
        // At the deadline it is too late.
        let deadline_us = self.total_deadline_us().map_or(u64::MAX, |at_us| at_us.saturating_sub(1));
        Some(Patience { until_us: until_us.min(deadline_us), max_waiting: limits.max_waiting })
    }

    /// Until when a request that comes now would wait for its turn at `asks`; else which of them refuses it, and until when.
    pub(super) fn look_at(&self, asks: &[Ask<'_>]) -> Result<u64, (usize, u64)> {
        let patience = self.turn_patience(None).unwrap_or(Patience::NONE);
        Line::look(asks, self.call().holder.owner, patience, self.now.mono_us)
    }

    fn refuse_tokens(&mut self, limit: Limit, at_us: u64) -> Move {
        // No waiting helps, but the bound by bytes is four times the truth or so.
        let counted = (at_us == u64::MAX).then(|| self.count_input(Gate::CountForRate));
        counted.flatten().unwrap_or_else(|| self.refuse_rate(limit, at_us))
    }

    /// No waiting helps: a whole minute's tokens are not enough.
    pub(super) fn refuse_too_large(&mut self, limit: Limit, whose: &str) -> Move {
        self.account.limited = Some(limit);
        let failure = self.too_large_failure(whose);
        self.refuse(failure)
    }

    fn too_large_failure(&self, whose: &str) -> Failure {
        let (_, wanted) = self.tokens_wanted();
        let words = format!("The request may use {wanted} tokens, more than {whose} may in a whole minute (rate_limit_tpm). Shorten it, or name a smaller max_tokens.");
        Failure::new(Code::OverRateLimit, words)
    }

    fn refuse_rate(&mut self, limit: Limit, at_us: u64) -> Move {
        self.account.limited = Some(limit);
        let failure = self.turn_failure(limit, at_us);
        self.refuse(failure)
    }

    /// What a caller is told who comes before its turn, at `at_us`.
    pub(super) fn turn_failure(&self, limit: Limit, at_us: u64) -> Failure {
        let words = match limit {
            Limit::KeyTokens if at_us == u64::MAX => return self.too_large_failure("this key"),
            Limit::GatewayTokens if at_us == u64::MAX => return self.too_large_failure("the gateway"),
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
        let Some(call) = self.call.as_ref().filter(|call| matches!(call.target, Some(Target::Inference(..)))) else {
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

pub(super) fn narrowest_first<'a>(
    own: Option<(Limit, &'a Arc<Rate>)>,
    gateway: Option<(Limit, &'a Arc<Rate>)>,
) -> SmallVec<[(Limit, &'a Arc<Rate>); 2]> {
    own.into_iter().chain(gateway).collect()
}

/// Limit, what remains of it, and when all of it does again.
const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

fn add_standing(headers: &mut Headers, names: &[&'static str; 3], standing: Standing) {
    let number = |number: u32| Bytes::copy_from_slice(itoa::Buffer::new().format(number).as_bytes());
    let values = [number(standing.limit), number(standing.remaining), Bytes::from(span(standing.reset_us))];
    let named = names.iter().map(|name| Bytes::from_static(name.as_bytes()));
    headers.extend(named.zip(values));
}

/// A span of time as OpenAI writes it: `17ms`, `8.64s`, `6m0s`. Rounded up to a millisecond.
fn span(us: u64) -> String {
    if us < SECOND {
        let mut span = String::with_capacity(8);
        span.push_str(itoa::Buffer::new().format(us.div_ceil(MILLISECOND)));
        span.push_str("ms");
        return span;
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
