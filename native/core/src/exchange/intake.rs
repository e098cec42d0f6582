//! The caller's body: asked for against credit, bounded in size and time, then read once.

use bytes::Bytes;

use super::call::too_large;
use super::gates::Gate;
use super::gather::Gather;
use super::slices::Slices;
use super::target::Target;
use super::whole::Judged;
use super::work::{JobResult, INLINE_BYTES};
use super::{Caller, Exchange, Move, Phase, Step};
use crate::clock::SECOND;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::{self, Facts};
use crate::error::{Code, Failure};
use crate::ledger::Usage;
use crate::metrics::Limit;

/// Bytes that a caller may send ahead.
const WINDOW: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Intake {
    body: Gather,
    received: u64,
    credit: usize,
    ended: bool,
}

impl Intake {
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The body of a child: whole, from its parent.
    pub fn given(&mut self, body: Bytes) {
        self.received = body.len() as u64;
        self.body.add(body);
        self.ended = true;
    }

    fn add(&mut self, bytes: Bytes) {
        self.received += bytes.len() as u64;
        self.credit = self.credit.saturating_sub(bytes.len());
        self.body.add(bytes);
    }

    /// Bytes that are kept until they are read.
    pub fn held(&self) -> usize {
        self.body.len()
    }
}

impl Exchange {
    /// The exchange's time begins, and its body is wanted, unless the head is refused or has its answer already.
    pub(super) fn read_head(&mut self) {
        self.begun = self.now;
        if let Some(started_us) = self.started_us {
            self.begun.mono_us = started_us;
        }
        let is_child = self.is_child();
        let Some(call) = &mut self.call else { return };
        if let Some(refusal) = call.refusal.take() {
            self.account.limited = (refusal.code == Code::Overloaded).then_some(Limit::Buffers);
            self.fail(refusal);
            return;
        }
        match call.target.clone() {
            Some(Target::Inference(_)) => {
                // A child is part of a request that was counted.
                if !is_child {
                    self.snap.retries.deposit(self.now.mono_us);
                }
                if call.expects_continue && call.caller == Caller::Http {
                    self.steps.push_back(Step::Continue);
                }
                self.phase = Phase::Body;
            }
            Some(Target::Explain) => {
                if call.expects_continue && call.caller == Caller::Http {
                    self.steps.push_back(Step::Continue);
                }
                self.phase = Phase::Body;
            }
            Some(target) => self.answer_locally(&target),
            None => self.fail(Failure::new(Code::Internal, "A request without a target was let in.")),
        }
    }

    pub(super) fn wait_for_body(&mut self) -> Move {
        if self.intake.ended {
            self.read_body();
            return Move::Again;
        }
        let deadline = self.begun.mono_us.saturating_add(self.snap.config.deadlines.body_secs.saturating_mul(SECOND));
        if self.now.mono_us >= deadline {
            let words = "The body did not arrive in time. Send it faster, or raise [deadlines] body_secs.";
            self.fail(Failure::new(Code::BodyTimeout, words));
            return Move::Again;
        }
        if self.intake.credit <= WINDOW / 2 {
            let credit = WINDOW - self.intake.credit;
            self.intake.credit = WINDOW;
            self.steps.push_back(Step::ReadCaller { credit });
            return Move::Again;
        }
        Move::Wait(Some(deadline))
    }

    pub(super) fn take_body(&mut self, bytes: Bytes) {
        if self.phase != Phase::Body || bytes.is_empty() {
            return;
        }
        self.intake.add(bytes);
        let target = self.call.as_ref().and_then(|call| call.target.as_ref());
        let most = self.snap.config.server.max_body_bytes;
        let limit = target.map_or(most, |target| target.body_limit(most));
        if self.intake.received > limit {
            self.fail(too_large(limit));
        }
    }

    fn read_body(&mut self) {
        let body = self.intake.body.take();
        if self.call().target == Some(Target::Explain) {
            return self.answer_explain(body);
        }
        let endpoint = self.endpoint();
        let tenant = self.snap.cache.is_some().then(|| self.call().holder.tenant.clone());
        let (bytes, most_inputs) = (body.len(), self.snap.config.limits.max_inputs as usize);
        let read = move || {
            let facts = request::read(body, endpoint, tenant.as_deref())?;
            let slices = Slices::of(&facts, endpoint, most_inputs);
            Ok((facts, slices))
        };
        if bytes <= INLINE_BYTES {
            self.take_facts(read());
        } else {
            self.work(Phase::Reading, bytes, read);
        }
    }

    fn take_facts(&mut self, read: Result<(Facts, Slices), Failure>) {
        match read {
            Ok((facts, slices)) => {
                self.facts = Some(facts);
                self.children.slices = slices;
                self.phase = Phase::Gates(Gate::Scope);
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// A job's result. One that comes after its exchange went elsewhere is nobody's.
    pub(super) fn take_result(&mut self, result: JobResult) {
        self.lent = 0;
        match self.phase {
            Phase::Reading => match result.open::<Result<(Facts, Slices), Failure>>() {
                Some(read) => self.take_facts(read),
                None => self.fail(lost_result()),
            },
            Phase::Judging => match result.open::<Judged>() {
                Some(judged) => self.take_judged(judged),
                None => self.fail(lost_result()),
            },
            Phase::Joining => self.take_joined(result.open::<Option<Vec<u8>>>().flatten()),
            Phase::Owing => self.take_owed_count(result.open::<Usage>()),
            Phase::Booking => self.take_booked_count(result.open::<Usage>()),
            Phase::Gates(Gate::Count) => {
                let input = result.open::<u64>();
                self.take_exact_input(input);
            }
            _ => {}
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        match self.call.as_ref().and_then(|call| call.target.as_ref()) {
            Some(Target::Inference(endpoint)) => *endpoint,
            _ => Endpoint::Chat,
        }
    }
}

fn lost_result() -> Failure {
    Failure::new(Code::Internal, "A job came back without its result.")
}
