//! `/v1/tokens/*`: callers that spend tokens elsewhere reserve them here first, and report what they used.
//!
//! A reservation is held by the gateway, not by the exchange that asked for it, and only the key that made it may settle
//! it. A report books a ledger row, so that the rows go on adding up to the budgets.

use bytes::Bytes;

use super::form::{required, Form};
use super::target::{PoolAsk, Target};
use super::{Exchange, Move, Phase};
use crate::budget::{Answer, Pool, PoolState, Reservation, Reserve};
use crate::clock::SECOND;
use crate::error::{Code, Failure};
use crate::gateway::{Claim, MAX_OPEN};
use crate::json::write_string;
use crate::ledger::{Usage, UsageSource};
use crate::metrics::Limit;
use crate::sync::atomic::Ordering;
use crate::sync::Arc;

/// More tokens than this in one call are a mistake; sums of them fit every integer used.
const MOST_TOKENS: u64 = 1_000_000_000_000;
/// The most that one report may say it used. The longest reservation is a day, and this is more than a million tokens in
/// each of its seconds; what is more is a mistake, and would take a budget away for good. Below it all is booked,
/// however little was reserved: it was spent.
const MOST_REPORTED: u64 = 100_000_000_000;
const DEFAULT_TTL_SECS: u64 = 300;
const MOST_TTL_SECS: u64 = 86_400;
/// Of a budget's, model's or provider's name, and of an owner's.
const MOST_NAME: usize = 256;

/// What `reserve` asks for, while it waits for the store.
#[derive(Debug)]
pub(super) struct Wanted {
    tokens: u64,
    ttl_secs: u64,
    owner: Option<Arc<str>>,
}

/// Whom a caller says that it asked.
#[derive(Debug)]
pub(super) struct Reported {
    pub model: Option<Arc<str>>,
    pub provider: Option<Arc<str>>,
}

impl Exchange {
    /// Takes a body of `/v1/tokens/*`.
    pub(super) fn read_ask(&mut self, body: Bytes) {
        let done = match self.call().target {
            Some(Target::Tokens(PoolAsk::Check)) => self.check_tokens(body),
            Some(Target::Tokens(PoolAsk::Reserve)) => self.reserve_tokens(body),
            Some(Target::Tokens(PoolAsk::Report)) => self.report_tokens(body),
            _ => Err(Failure::new(Code::Internal, "A body came to a path that takes none.")),
        };
        if let Err(failure) = done {
            self.fail(failure);
        }
    }

    fn check_tokens(&mut self, body: Bytes) -> Result<(), Failure> {
        let form = Form::read(body, &["pool", "tokens"])?;
        let tokens = required("tokens", form.integer("tokens", 1, MOST_TOKENS)?)?;
        let pool = self.pool_for(form.text("pool", MOST_NAME)?.as_deref())?;
        let available = pool.state().available();
        let mut out = b"{\"pool\":".to_vec();
        write_string(&mut out, pool.name());
        let tail = format!(",\"allowed\":{},\"available\":{available}}}", tokens <= available);
        out.extend_from_slice(tail.as_bytes());
        self.holds.pool = Some(pool);
        self.reply_json(200, out);
        Ok(())
    }

    fn reserve_tokens(&mut self, body: Bytes) -> Result<(), Failure> {
        let form = Form::read(body, &["pool", "tokens", "ttl_secs", "owner"])?;
        let tokens = required("tokens", form.integer("tokens", 1, MOST_TOKENS)?)?;
        let ttl_secs = form.integer("ttl_secs", 1, MOST_TTL_SECS)?.unwrap_or(DEFAULT_TTL_SECS);
        let owner = form.text("owner", MOST_NAME)?.map(Arc::from);
        let pool = self.pool_for(form.text("pool", MOST_NAME)?.as_deref())?;
        self.holds.pool = Some(pool.clone());
        if !self.gateway.reservations.has_place(&self.call().holder) {
            return Err(too_many());
        }
        self.holds.wanted = Some(Box::new(Wanted { tokens, ttl_secs, owner }));
        match pool.reserve(tokens, tokens, &self.waker) {
            Reserve::Granted(reservation) => self.keep_reservation(reservation),
            Reserve::Waiting(ticket) => {
                self.holds.ticket = Some(ticket);
                self.phase = Phase::Tokens;
                Ok(())
            }
            Reserve::Refused { available } => Err(self.exceeded(tokens, available)),
        }
    }

    /// The store is asked for more of the budget.
    pub(super) fn await_tokens(&mut self) -> Move {
        let answer = self.holds.ticket.as_mut().map_or(Answer::Unavailable, |ticket| ticket.poll());
        if matches!(answer, Answer::Waiting) {
            return Move::Wait(None);
        }
        self.holds.ticket = None;
        let tokens = self.holds.wanted.as_ref().map_or(0, |wanted| wanted.tokens);
        let done = match answer {
            Answer::Granted(reservation) => self.keep_reservation(reservation),
            Answer::Refused { available } => Err(self.exceeded(tokens, available)),
            Answer::Waiting | Answer::Unavailable => {
                let words = "The store that holds the budget does not answer. Ask again.";
                Err(Failure::new(Code::BudgetUnavailable, words).retry_after(1))
            }
        };
        if let Err(failure) = done {
            self.fail(failure);
        }
        Move::Again
    }

    fn keep_reservation(&mut self, reservation: Reservation) -> Result<(), Failure> {
        let holder = self.call().holder.clone();
        if holder.live.revoked.load(Ordering::Relaxed) {
            return Err(Failure::new(Code::InvalidKey, "This key was taken back while the request waited."));
        }
        let Some(Wanted { tokens, ttl_secs, owner }) = self.holds.wanted.take().map(|wanted| *wanted) else {
            return Err(Failure::new(Code::Internal, "A reservation lost its request."));
        };
        let pool = reservation.pool().clone();
        let expires_us = self.now.mono_us.saturating_add(ttl_secs * SECOND);
        let Ok(id) = self.gateway.hold_reservation(&holder, reservation, expires_us, owner.clone()) else {
            return Err(too_many());
        };
        let expires_at = self.now.wall_us.div_euclid(SECOND as i64).saturating_add(ttl_secs as i64);
        let mut out = b"{\"reserved\":true,\"id\":".to_vec();
        write_string(&mut out, &id);
        out.extend_from_slice(b",\"pool\":");
        write_string(&mut out, pool.name());
        if let Some(owner) = owner {
            out.extend_from_slice(b",\"owner\":");
            write_string(&mut out, &owner);
        }
        let available = pool.state().available();
        let tail = format!(",\"tokens\":{tokens},\"expires_at\":{expires_at},\"available\":{available}}}");
        out.extend_from_slice(tail.as_bytes());
        self.reply_json(200, out);
        Ok(())
    }

    fn report_tokens(&mut self, body: Bytes) -> Result<(), Failure> {
        let fields = [
            "id",
            "actual",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "cache_written_tokens",
            "model",
            "provider",
        ];
        let form = Form::read(body, &fields)?;
        let id = required("id", form.text("id", MOST_NAME)?)?;
        let usage = usage_of(&form)?;
        let (model, provider) = (form.text("model", MOST_NAME)?, form.text("provider", MOST_NAME)?);
        // This exchange is open: from here on the run does not end before its row is stored.
        if self.gateway.run_is_ending() {
            let words =
                "The run of this gateway is over, and nothing more is booked in it. What was reserved stays taken.";
            return Err(Failure::new(Code::Draining, words));
        }
        // Nothing can fail from here on: what was claimed is booked.
        let (pool, overrun) = match self.gateway.reservations.claim(&self.call().holder, &id, self.now) {
            Claim::Open(reservation) => {
                let pool = reservation.pool().clone();
                (pool, reservation.settle(usage.total()).overrun > 0)
            }
            Claim::Late(pool) => {
                pool.book_late(usage.total());
                (pool, usage.total() > 0)
            }
            Claim::Settled => {
                let words = "This reservation was reported before; what was said then counts.";
                return Err(Failure::new(Code::ReservationSettled, words).param("id"));
            }
            Claim::Unknown => {
                let words = "There is no such reservation of this key, or it expired minutes ago. POST /v1/tokens/reserve makes one.";
                return Err(Failure::new(Code::UnknownReservation, words).param("id"));
            }
        };
        self.account.add(usage);
        self.account.settled = usage.total();
        self.account.overrun = overrun;
        self.account.reported =
            Some(Box::new(Reported { model: model.map(Arc::from), provider: provider.map(Arc::from) }));
        let mut out = b"{\"id\":".to_vec();
        write_string(&mut out, &id);
        let (used, available) = (usage.total(), pool.state().available());
        let tail = format!(",\"used\":{used},\"overrun\":{overrun},\"available\":{available}}}");
        out.extend_from_slice(tail.as_bytes());
        self.holds.pool = Some(pool);
        self.reply_json(200, out);
        Ok(())
    }

    /// `GET /v1/tokens/pools`: the budgets that this key may charge.
    pub(super) fn pools_json(&self) -> Vec<u8> {
        let bound = self.call().holder.key.as_ref().and_then(|key| key.budget.as_deref());
        let pools = self.snap.budgets.iter().filter(|pool| bound.is_none_or(|bound| **pool.name() == *bound));
        let mut out = b"{\"pools\":[".to_vec();
        for (at, pool) in pools.enumerate() {
            out.extend_from_slice(if at == 0 { b"{\"name\":" } else { b",{\"name\":" });
            write_string(&mut out, pool.name());
            let state = pool.state();
            let PoolState { capacity, used, reserved, lost, .. } = state;
            let available = state.available();
            let tail = format!(
                ",\"capacity\":{capacity},\"used\":{used},\"reserved\":{reserved},\"lost\":{lost},\"available\":{available}}}"
            );
            out.extend_from_slice(tail.as_bytes());
        }
        out.extend_from_slice(b"]}");
        out
    }

    fn pool_for(&self, named: Option<&str>) -> Result<Arc<Pool>, Failure> {
        self.budget_named(named)?.ok_or_else(|| {
            let words = "No budget is named, and there is none called 'default'. Name one of GET /v1/tokens/pools.";
            Failure::new(Code::UnknownBudget, words).param("pool")
        })
    }

    fn exceeded(&mut self, tokens: u64, available: u64) -> Failure {
        self.account.limited = Some(Limit::Budget);
        let words = format!(
            "The budget has {available} tokens left, and {tokens} are asked for. Ask for less, or raise its capacity."
        );
        Failure::new(Code::BudgetExceeded, words)
    }
}

/// `actual`, which does not tell input from output, or both of these.
fn usage_of(form: &Form) -> Result<Usage, Failure> {
    let count = |name: &str| form.integer(name, 0, MOST_REPORTED);
    let (actual, input, output) = (count("actual")?, count("input_tokens")?, count("output_tokens")?);
    if actual.is_some() && (input.is_some() || output.is_some()) {
        let words = "Send 'actual', or 'input_tokens' and 'output_tokens', not both.";
        return Err(Failure::new(Code::InvalidValue, words).param("actual"));
    }
    let input_tokens = actual.or(input).or_else(|| output.map(|_| 0));
    let input_tokens = required("actual", input_tokens)?;
    if input_tokens + output.unwrap_or(0) > MOST_REPORTED {
        let words = format!("One report may say {MOST_REPORTED} tokens at most, input and output together.");
        return Err(Failure::new(Code::InvalidValue, words).param("output_tokens"));
    }
    let cached_tokens = count("cached_tokens")?.unwrap_or(0);
    if cached_tokens > input_tokens {
        let words = "'cached_tokens' are a part of the input, and cannot be more.";
        return Err(Failure::new(Code::InvalidValue, words).param("cached_tokens"));
    }
    let cache_written_tokens = count("cache_written_tokens")?.unwrap_or(0);
    if cache_written_tokens > input_tokens - cached_tokens {
        let words = "'cache_written_tokens' are a part of the input beside 'cached_tokens', and cannot be more.";
        return Err(Failure::new(Code::InvalidValue, words).param("cache_written_tokens"));
    }
    let output_tokens = output.unwrap_or(0);
    let source = UsageSource::Reported;
    Ok(Usage { input_tokens, output_tokens, cached_tokens, cache_written_tokens, source, ..Usage::default() })
}

fn too_many() -> Failure {
    let words = format!("This key holds {MAX_OPEN} reservations. Report some, or let them expire.");
    Failure::new(Code::ConcurrencyLimited, words)
}
