//! Child exchanges: a request that is more than one upstream call. Here, embeddings of more inputs than a provider
//! takes at once: each slice is a child with the parent's identity, deadline and a carved part of its reservation, and
//! books its own row; the parent joins the answers.

use bytes::Bytes;

use super::call::Call;
use super::slices::{join, Slices};
use super::target::Target;
use super::work::INLINE_BYTES;
use super::{Exchange, Move, Phase, Step};
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Answer, Dialect, Reply};
use crate::error::{Code, Failure};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, OnceLock};

/// What a child exchange answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildAnswer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// Children of one exchange that run at once.
const AT_ONCE: usize = 4;

/// The slices of a request and what became of them.
#[derive(Default)]
pub(super) struct Children {
    pub slices: Slices,
    born: Vec<Child>,
    running: usize,
    /// Of the answers, kept until they are joined.
    bytes: usize,
    /// Upstreams were asked, as far as is known, and in vain.
    pub spent: bool,
}

struct Child {
    report: Arc<Report>,
    answer: Option<Bytes>,
}

/// How a child tells its parent why it failed, beside the status and body that its driver brings. Filled before the
/// child replies.
#[derive(Debug, Default)]
pub(super) struct Report {
    refusal: OnceLock<Refusal>,
    answered_by: OnceLock<Bytes>,
    /// The parent was refused: what the child is at is of no use to anybody.
    unwanted: AtomicBool,
}

/// Why a child failed.
#[derive(Debug)]
pub(super) struct Refusal {
    failure: Failure,
    /// The upstream's own error body, fit to be passed on.
    words: Option<Bytes>,
    /// Upstreams were asked.
    spent: bool,
}

/// A list of OpenAI's in another dialect.
fn retell(list: &[u8], dialect: Dialect, reply: &Reply) -> Option<Vec<u8>> {
    let mut items = Vec::new();
    let read = Dialect::NEUTRAL.protocol().read_answer(Endpoint::Embeddings, list, &mut items);
    let used = items.iter().rev().find_map(|item| if let Item::Usage(used) = item { Some(*used) } else { None });
    (read == Answer::Whole).then(|| dialect.protocol().write_answer(reply, &items, &used.unwrap_or_default()))
}

impl Children {
    /// Bytes of answers that are kept.
    pub fn held(&self) -> usize {
        self.bytes
    }
}

impl Exchange {
    pub(super) fn is_child(&self) -> bool {
        self.report.is_some()
    }

    /// Whether this is a child whose answer nobody waits for any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.unwanted.load(Ordering::Relaxed))
    }

    /// Has the children that are still at it stop: they look again, as a child is woken with its parent.
    pub(super) fn dismiss_children(&self) {
        if self.children.running == 0 {
            return;
        }
        for child in self.children.born.iter().filter(|child| child.answer.is_none()) {
            child.report.unwanted.store(true, Ordering::Relaxed);
        }
        self.waker.wake();
    }

    pub(super) fn raise_children(&mut self) -> Move {
        let c = self.children.born.len();
        if self.children.running >= AT_ONCE || (c == self.children.slices.len() && self.children.running > 0) {
            return Move::Wait(None);
        }
        let Some(body) = self.children.slices.body(c, self.facts()) else {
            self.join_answers();
            return Move::Again;
        };
        let exchange = Box::new(self.child_of(c, body));
        self.children.running += 1;
        self.steps.push_back(Step::Child { c: c as u32, exchange });
        Move::Again
    }

    fn child_of(&mut self, c: usize, body: Bytes) -> Exchange {
        // What is left is shared out by length, so that the last child gets all of the rest.
        let left = body.len() + self.children.slices.bytes_from(c + 1);
        let carved = self.holds.reservation.as_mut().and_then(|whole| {
            let share = u128::from(whole.tokens()) * body.len() as u128 / left.max(1) as u128;
            whole.carve(share as u64)
        });
        let seed = self.rng.next_u64();
        let mut child = Exchange::new(self.gateway.clone(), self.snap.clone(), self.waker.clone(), self.lane, seed);
        self.gateway.exchange_begun();
        let report = Arc::new(Report::default());
        let call = self.call();
        child.call = Some(Call::part(call, c, Target::Inference(Dialect::NEUTRAL, Endpoint::Embeddings)));
        child.report = Some(report.clone());
        child.started_us = Some(self.begun.mono_us);
        child.holds.pool = carved.as_ref().map(|reservation| reservation.pool().clone());
        child.holds.reservation = carved;
        child.holds.tokens.clone_from(&self.holds.tokens);
        child.intake.given(body);
        child.tell_held();
        self.children.born.push(Child { report, answer: None });
        child
    }

    /// Leaves word for the parent, if there is one: it reads it when its driver brings the reply.
    pub(super) fn tell_parent(&self, failure: Failure, words: Option<Bytes>, spent: bool) {
        if let Some(report) = &self.report {
            // The only writer, and it replies once.
            let _ = report.refusal.set(Refusal { failure, words, spent });
        }
    }

    /// The same of who answered.
    pub(super) fn tell_parent_who(&self) {
        if let (Some(report), Some(by)) = (&self.report, &self.account.answered_by) {
            let _ = report.answered_by.set(by.clone());
        }
    }

    pub(super) fn take_child(&mut self, c: u32, answer: ChildAnswer) {
        if self.phase != Phase::Children {
            return;
        }
        let Some(child) = self.children.born.get_mut(c as usize).filter(|child| child.answer.is_none()) else { return };
        self.children.running = self.children.running.saturating_sub(1);
        if answer.status != 200 {
            let report = child.report.clone();
            return self.take_child_refusal(answer.status, report.refusal.get());
        }
        self.children.bytes += answer.body.len();
        child.answer = Some(answer.body);
        if let Some(by) = child.report.clone().answered_by.get() {
            self.answered_too(by);
        }
    }

    /// The first failure speaks for all.
    fn take_child_refusal(&mut self, status: u16, refusal: Option<&Refusal>) {
        let Some(Refusal { failure, words, spent }) = refusal else {
            // The child never answered: its driver lost it.
            self.children.spent = true;
            let mut failure = Failure::new(Code::UpstreamError, "A part of the inputs could not be embedded.");
            failure.status = Some(status);
            return self.fail(failure);
        };
        self.out.passed_error.clone_from(words);
        self.children.spent = *spent;
        self.fail(failure.clone());
    }

    fn join_answers(&mut self) {
        let answers: Vec<Bytes> = self.children.born.iter_mut().filter_map(|child| child.answer.take()).collect();
        let inputs = self.children.slices.inputs();
        let bytes = std::mem::take(&mut self.children.bytes);
        let (dialect, reply) = (self.dialect(), self.reply_of());
        let join = move || {
            let joined = join(&inputs, &answers)?;
            if dialect == Dialect::NEUTRAL {
                Some(joined)
            } else {
                retell(&joined, dialect, &reply)
            }
        };
        if bytes <= INLINE_BYTES {
            return self.take_joined(join());
        }
        self.work(Phase::Joining, bytes, join);
    }

    pub(super) fn take_joined(&mut self, joined: Option<Vec<u8>>) {
        match joined {
            Some(body) => {
                self.account.clean = true;
                if let Some(source) = &self.facts().source {
                    self.account.loss = source.loss.clone();
                }
                self.reply_whole(Bytes::from(body));
            }
            None => {
                let words = "The provider's answers to the parts do not fit together.";
                self.fail(Failure::new(Code::UpstreamMalformed, words));
            }
        }
    }
}
