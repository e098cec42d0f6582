//! Child exchanges: a request that is more than one upstream call. Here, embeddings of more inputs than a provider
//! takes at once: each slice is a child with the parent's identity, deadline and a carved part of its reservation, and
//! books its own row; the parent joins the answers.

use bytes::Bytes;

use super::call::{Call, Target};
use super::{Caller, ChildAnswer, Exchange, Move, Phase, Step};
use crate::budget::Reservation;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::answer;
use crate::error::{Code, Failure};
use crate::json::{self, Edits, Index, Kind};
use crate::ledger::Usage;
use crate::sync::Arc;

/// Children of one exchange that run at once.
const AT_ONCE: usize = 4;
/// Children of one exchange in all; a longer array is not an embeddings request any more.
const MOST: usize = 64;

/// Brackets of a slice, and the margin of its own input bound.
const AROUND_BYTES: usize = 16;

/// The slices of a request and what became of them.
#[derive(Default)]
pub(super) struct Children {
    /// Bodies not asked yet, the first last.
    waiting: Vec<Bytes>,
    answers: Vec<Option<Bytes>>,
    running: usize,
}

impl Exchange {
    /// Makes the slices, if this request needs them. Anything odd goes on as it is: its provider will say.
    pub(super) fn split(&mut self) -> bool {
        let most = self.snap.config.limits.max_inputs as usize;
        if self.endpoint() != Endpoint::Embeddings || self.is_child || !self.children.answers.is_empty() {
            return false;
        }
        let facts = self.facts();
        let Some(input) = facts.index.get(&facts.body, "input").filter(|input| input.kind() == Kind::Array) else {
            return false;
        };
        // An array of numbers is one input: tokens.
        let elements: Vec<_> = input.elements().map(|element| (element.kind(), element.raw())).collect();
        let numbers = elements.first().is_some_and(|(kind, _)| *kind == Kind::Number);
        if numbers || elements.len() <= most || elements.len().div_ceil(most) > MOST {
            return false;
        }
        let slice = |part: &[(Kind, &[u8])]| {
            let raws: Vec<&[u8]> = part.iter().map(|(_, raw)| *raw).collect();
            let mut edits = Edits::new();
            edits.set("input", [b"[", &raws.join(&b","[..])[..], b"]"].concat());
            Bytes::from(edits.apply(&facts.body, &facts.index))
        };
        let bodies: Vec<Bytes> = elements.chunks(most).map(slice).collect();
        self.children.answers = vec![None; bodies.len()];
        self.children.waiting = bodies.into_iter().rev().collect();
        true
    }

    /// Input tokens that slices may cost beyond those of the whole: each repeats what stands around `input`.
    pub(super) fn split_overhead(&self) -> u64 {
        let most = self.snap.config.limits.max_inputs as usize;
        let facts = self.facts();
        if self.endpoint() != Endpoint::Embeddings || self.is_child {
            return 0;
        }
        let Some(input) = facts.index.get(&facts.body, "input").filter(|input| input.kind() == Kind::Array) else {
            return 0;
        };
        let slices = input.elements().count().div_ceil(most);
        let around = facts.body.len().saturating_sub(input.raw().len()) + AROUND_BYTES;
        (slices * around) as u64
    }

    pub(super) fn raise_children(&mut self) -> Move {
        if self.children.running >= AT_ONCE {
            return Move::Wait(None);
        }
        let c = self.children.answers.len() - self.children.waiting.len();
        let Some(body) = self.children.waiting.pop() else {
            return if self.children.running == 0 { self.join_answers() } else { Move::Wait(None) };
        };
        self.children.running += 1;
        let exchange = Box::new(self.child_of(c as u32, body));
        self.steps.push_back(Step::Child { c: c as u32, exchange });
        Move::Again
    }

    fn child_of(&mut self, c: u32, body: Bytes) -> Exchange {
        // What is left is shared out by length, so that the last child gets all of the rest.
        let left: usize = body.len() + self.children.waiting.iter().map(Bytes::len).sum::<usize>();
        let carved: Option<Reservation> = self.holds.reservation.as_mut().and_then(|whole| {
            let share = u128::from(whole.tokens()) * body.len() as u128 / left.max(1) as u128;
            whole.carve(share as u64)
        });
        let seed = self.rng.next_u64();
        let mut child = Exchange::new(self.gateway.clone(), self.snap.clone(), self.waker.clone(), self.lane, seed);
        self.gateway.exchange_begun();
        let call = self.call();
        child.call = Some(Call {
            caller: Caller::Neutral,
            request_id: Arc::from(format!("{}.{c}", call.request_id)),
            target: Some(Target::Inference(Endpoint::Embeddings)),
            holder: call.holder.clone(),
            budget: None,
            no_cache: true,
            expects_continue: false,
            content_length: None,
            allow: None,
            refusal: None,
        });
        child.is_child = true;
        child.started_us = Some(self.begun.mono_us);
        child.holds.pool = carved.as_ref().map(|reservation| reservation.pool().clone());
        child.holds.reservation = carved;
        child.hold(body.len());
        child.intake.given(body);
        child
    }

    pub(super) fn take_child(&mut self, c: u32, answer: ChildAnswer) {
        if self.phase != Phase::Children {
            return;
        }
        let Some(place) = self.children.answers.get_mut(c as usize).filter(|place| place.is_none()) else { return };
        self.children.running = self.children.running.saturating_sub(1);
        let length = answer.body.len();
        *place = Some(answer.body.clone());
        self.hold(length);
        if answer.status != 200 {
            // The first failure speaks for all; it is in the caller's shape already.
            let words = "A part of the inputs could not be embedded.";
            let mut failure = Failure::new(Code::UpstreamError, words);
            failure.status = Some(answer.status);
            if answer::is_error_shape(&answer.body) {
                self.out.upstream_words = Some(answer.body);
            }
            self.fail(failure);
        }
    }

    fn join_answers(&mut self) -> Move {
        let answers: Vec<Bytes> = std::mem::take(&mut self.children.answers).into_iter().flatten().collect();
        match join(&answers) {
            Some(body) => {
                self.account.clean = true;
                self.reply_whole(Bytes::from(body));
            }
            None => {
                let words = "The provider's answers to the parts do not fit together.";
                self.fail(Failure::new(Code::UpstreamMalformed, words));
            }
        }
        Move::Again
    }
}

/// One list of all, numbered through, with usage added up. Everything else is the first answer's.
fn join(answers: &[Bytes]) -> Option<Vec<u8>> {
    let mut data = vec![b'['];
    let mut usage = Usage::default();
    let mut number = 0usize;
    for body in answers {
        let index = Index::scan(body, json::Limits::default()).ok()?;
        if let Some(part) = index.get(body, "usage").and_then(answer::read_usage) {
            usage.input_tokens += part.input_tokens;
            usage.output_tokens += part.output_tokens;
        }
        for element in index.get(body, "data")?.elements() {
            let own = Index::scan(element.raw(), json::Limits::default()).ok()?;
            let mut edits = Edits::new();
            edits.set("index", Bytes::from(number.to_string()));
            if number > 0 {
                data.push(b',');
            }
            data.extend_from_slice(&edits.apply(element.raw(), &own));
            number += 1;
        }
    }
    data.push(b']');
    let first = answers.first()?;
    let index = Index::scan(first, json::Limits::default()).ok()?;
    let mut written = Vec::new();
    crate::dialects::openai::encode::write_usage(&mut written, Endpoint::Embeddings, &usage);
    let mut edits = Edits::new();
    edits.set("data", data);
    edits.set("usage", written);
    Some(edits.apply(first, &index))
}
