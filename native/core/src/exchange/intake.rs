//! The caller's body: asked for against credit, bounded in size and time, then read once.

use bytes::Bytes;

use super::gates::Gate;
use super::gather::Gather;
use super::mounted;
use super::once::digest;
use super::responses::Earlier;
use super::slices::Slices;
use super::target::{PoolAsk, Target};
use super::translated;
use super::translated::Heard;
use super::whole::Judged;
use super::work::{JobResult, INLINE_BYTES};
use super::{Caller, Exchange, Move, Phase, Step};
use crate::clock::SECOND;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::passed;
use crate::dialects::openai::request::{self, Facts};
use crate::dialects::questions::Question;
use crate::dialects::Dialect;
use crate::error::{Code, Failure};
use crate::ledger::Usage;
use crate::metrics::Limit;

/// Bytes that a caller may send ahead.
const WINDOW: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Intake {
    body: Gather,
    /// Bytes, so far.
    pub received: u64,
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
        if call.is_preflight() {
            return self.answer_preflight();
        }
        match call.target.clone() {
            Some(Target::Inference(..)) => {
                // A child is part of a request that was counted.
                if !is_child {
                    self.snap.retries.deposit(self.now.mono_us);
                }
                if call.expects_continue && call.caller == Caller::Http {
                    self.steps.push_back(Step::Continue);
                }
                self.phase = Phase::Body;
            }
            Some(
                Target::Tokens(PoolAsk::Check | PoolAsk::Reserve | PoolAsk::Report)
                | Target::Count(_)
                | Target::Question(_, Question::Show, _)
                | Target::Explain,
            ) => {
                if call.expects_continue && call.caller == Caller::Http {
                    self.steps.push_back(Step::Continue);
                }
                self.phase = Phase::Body;
            }
            Some(Target::Passed(..)) => {
                self.snap.retries.deposit(self.now.mono_us);
                self.begin_passing();
            }
            // Whoever drives it has not asked for the passage: it has nobody who would answer.
            Some(Target::Mounted(_)) => self.fail(mounted::unavailable()),
            Some(target) => self.answer_locally(&target),
            None => self.fail(Failure::new(Code::Internal, "A request without a target was let in.")),
        }
    }

    pub(super) fn wait_for_body(&mut self) -> Move {
        if self.is_upload() {
            return self.wait_for_model();
        }
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
        if self.is_upload() {
            return self.take_upload(bytes);
        }
        if self.phase != Phase::Body || bytes.is_empty() {
            return;
        }
        self.intake.add(bytes);
        let size = self.call().size(&self.snap.config.server);
        if let Err(failure) = size.check(self.intake.received) {
            self.fail(failure);
        }
    }

    fn read_body(&mut self) {
        self.out.spoke_us = self.now.mono_us;
        let body = self.intake.body.take();
        if matches!(self.call().target, Some(Target::Tokens(_))) {
            return self.read_ask(body);
        }
        if let Some(passed) = self.ask().map(|ask| ask.passed) {
            let bytes = body.len();
            let provider = self.ask().and_then(|ask| ask.provider.clone());
            let once = self.call().once.is_some();
            let read = move || {
                let mut facts = passed::read(body, passed)?;
                facts.digest = once.then(|| digest(&facts.body, provider.as_deref()));
                Ok((facts, Slices::default()))
            };
            return if bytes <= INLINE_BYTES {
                self.take_facts(read())
            } else {
                self.work(Phase::Reading, bytes, read)
            };
        }
        if self.call().target == Some(Target::Explain) {
            return self.answer_explain(body);
        }
        if let Some(Target::Question(dialect, Question::Show, _)) = self.call().target {
            return self.answer_show(dialect, &body);
        }
        if let Some((questions, load)) = self.asked_load(&body) {
            return self.answer_load(questions, load, &body);
        }
        match self.earlier(&body) {
            Earlier::Unknown(id) => self.find_before(id, body),
            earlier => self.read_inference(body, earlier),
        }
    }

    /// Reads a body that asks a model, with what it goes on from.
    pub(super) fn read_inference(&mut self, body: Bytes, earlier: Earlier) {
        let endpoint = self.endpoint();
        // A count is never kept.
        let kept = self.snap.cache.is_some() && !self.is_count();
        let tenant = kept.then(|| self.tenant());
        let once = self.call().once.is_some();
        let (bytes, most_inputs) = (body.len(), self.snap.config.limits.max_inputs as usize);
        let (dialect, asked) = (self.dialect(), self.call().asked.clone());
        let read = move || {
            if dialect != Dialect::NEUTRAL {
                let mut facts = translated::read(body, dialect, &asked, earlier, tenant.as_deref())?;
                facts.digest = once.then(|| translated::digest_of(&facts, &asked));
                let slices = Slices::of(&facts, endpoint, most_inputs);
                return Ok((facts, slices));
            }
            let mut facts = request::read(body, endpoint, tenant.as_deref())?;
            facts.digest = once.then(|| digest(&facts.body, None));
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
                self.phase = if self.is_count() { Phase::Counting } else { Phase::Gates(Gate::Scope) };
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
            Phase::Judging if self.passing.is_some() => match result.open::<super::passed_on::Read>() {
                Some(read) => self.take_read(read),
                None => self.fail(lost_result()),
            },
            Phase::Judging if self.is_translating() => match result.open::<Heard>() {
                Some(heard) => self.take_heard(heard),
                None => self.fail(lost_result()),
            },
            Phase::Judging => match result.open::<Judged>() {
                Some(judged) => self.take_judged(judged),
                None => self.fail(lost_result()),
            },
            Phase::Counted => self.take_counted(result.open::<u64>()),
            Phase::Joining => self.take_joined(result.open::<Option<Vec<u8>>>().flatten()),
            Phase::Reforming => self.take_reformed(result.open::<Option<Bytes>>().flatten()),
            Phase::Owing => self.take_owed_count(result.open::<Usage>()),
            Phase::Booking => self.take_booked_count(result.open::<Usage>()),
            Phase::Gates(Gate::Measure) => self.take_measure(result.open::<u64>()),
            Phase::Gates(gate @ (Gate::Count | Gate::CountForRate)) => {
                let input = result.open::<u64>();
                self.take_exact_input(gate, input);
            }
            _ => {}
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        match self.call.as_ref().and_then(|call| call.target.as_ref()) {
            Some(Target::Inference(_, endpoint)) => *endpoint,
            // What passes is counted as it is: by its text.
            Some(Target::Passed(..)) => Endpoint::Embeddings,
            _ => Endpoint::Chat,
        }
    }
}

fn lost_result() -> Failure {
    Failure::new(Code::Internal, "A job came back without its result.")
}
