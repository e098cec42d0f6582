//! One caller request, from its head to its last byte. What h11 is for HTTP/1.1, [`Exchange`] is for an LLM call.
//!
//! Strategy: doors only put down what happened ([`inbox`]); [`Exchange::next`] takes it up, moves through the phases
//! below (`phase`), and puts steps into a queue that it empties first. So a driver may use any door at any time, time
//! enters at one place, and each phase reads as one function.
//!
//! ```text
//! New ─ begin ─▶ Body ─▶ Recalling, (Reading) ─▶ Gates ─▶ Choose ─▶ Attempt ─▶ (Judging, Owing, Booking) ─▶ Draining ─▶ Over
//!                                limits, cache, │ ▲       │                                         ▲
//!                                budget, flight │ └ retry ┘                                         │
//!                                               └─▶ Children ─▶ (Joining) ──────────────────────────┘
//! ```
//!
//! In brackets: jobs, which are skipped where there is little to do.
//!
//! `call` reads the head, `origin` where it comes from; `intake` the body, `recall` what only the store knows of an earlier response; `gates`, with `once`, `rates`, `places` and `spend`,
//! admits; `choose` finds an upstream past every `obstacle`, or waits for its `turn`, and `again` another after a failure; `request` writes to it, or
//! `children` ask it in `slices`. `follow` reads the answer: as a `whole`, `streamed`, or from an `engine`; a `verdict` says what
//! a failure means, and `fall` gives the attempt up. `answer` writes to the caller, whose side is `out`, `alive` keeps it
//! company, and who may `leave`; `reloaded` is what a reload means for who waits; `mounted` is an application of the operator that answers instead; `kept` is what the cache gets of it, and `reform` puts what it has into the form that a caller
//! wants. `settle` books. `tokens` answers those who spend elsewhere, of whose body `form` is the form. Dropping an exchange at
//! any point settles it too.

mod account;
mod again;
mod alive;
mod answer;
mod answered;
mod ask;
mod attempt;
mod background;
mod call;
mod carried;
mod children;
mod choose;
mod control;
mod count;
mod door;
mod engine;
mod explain;
mod explained;
mod fall;
mod fit;
mod follow;
mod form;
mod gates;
mod gather;
mod headers;
mod held;
mod home;
mod inbox;
mod intake;
mod kept;
mod leave;
mod local;
mod mounted;
mod obstacle;
mod once;
mod origin;
mod out;
mod passed_on;
mod passing;
mod patience;
mod phase;
mod places;
mod rates;
mod recall;
mod reform;
mod reloaded;
mod replayed;
mod request;
mod responses;
mod sending;
mod settle;
mod shown;
mod sizes;
mod slices;
mod spend;
mod spoken;
mod step;
mod streamed;
mod target;
mod threads;
mod tokens;
mod translated;
mod turn;
mod upload;
mod verdict;
mod whole;
mod work;

use std::collections::VecDeque;

use crate::clock::{Now, SECOND};
use crate::dialects::openai::request::Facts;
use crate::dialects::Dialect;
use crate::error::{Code, Failure};
use crate::gateway::{Gateway, Snapshot};
use crate::rng::Rng;
use crate::sync::Arc;
use crate::wake::Waker;
use account::Account;
use attempt::Attempt;
use call::Call;
pub use children::ChildAnswer;
use children::{Children, Report};
use choose::Choice;
use gates::Holds;
use inbox::Event;
use intake::Intake;
pub use mounted::Passage;
use out::Out;
use passing::Passing;
use phase::{Move, Phase};
use recall::Recall;
pub use step::{Caller, RequestHead, Stage, Step, UpstreamId};
pub use work::{Job, JobResult};

/// The machine. One for each request; driven by one thread at a time.
pub struct Exchange {
    gateway: Arc<Gateway>,
    snap: Arc<Snapshot>,
    waker: Waker,
    lane: usize,
    rng: Rng,
    now: Now,
    begun: Now,
    inbox: VecDeque<Event>,
    steps: VecDeque<Step>,
    phase: Phase,
    call: Option<Call>,
    intake: Intake,
    facts: Option<Facts>,
    /// Of a request that passes as it is.
    passing: Option<Box<Passing>>,
    /// What is asked of the store about an earlier response.
    recall: Option<Box<Recall>>,
    holds: Holds,
    children: Children,
    /// A child's way to tell its parent why it failed.
    report: Option<Arc<Report>>,
    /// A child's time began with its parent's.
    started_us: Option<u64>,
    /// Time in which it waited for nobody: its jobs ran, or its driver took its steps.
    own_us: u64,
    /// The time until the next look is of that kind.
    own: bool,
    /// For all of it, until its first content.
    total_secs: u64,
    choice: Choice,
    attempt: Option<Attempt>,
    out: Out,
    account: Account,
    /// Bytes that the job in progress keeps.
    lent: usize,
    /// Bytes kept, as the gateway was told last.
    told_held: u64,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("id", &self.request_id()).field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Exchange {
    pub(crate) fn new(gateway: Arc<Gateway>, snap: Arc<Snapshot>, waker: Waker, lane: usize, seed: u64) -> Exchange {
        Exchange {
            own_us: 0,
            own: false,
            total_secs: snap.config.deadlines.total_secs,
            gateway,
            snap,
            waker,
            lane,
            rng: Rng::new(seed),
            now: Now::default(),
            begun: Now::default(),
            inbox: VecDeque::with_capacity(4),
            steps: VecDeque::with_capacity(4),
            phase: Phase::New,
            call: None,
            intake: Intake::default(),
            facts: None,
            passing: None,
            recall: None,
            holds: Holds::default(),
            children: Children::default(),
            report: None,
            started_us: None,
            choice: Choice::default(),
            attempt: None,
            out: Out::default(),
            account: Account::default(),
            lent: 0,
            told_held: 0,
        }
    }

    /// `x-request-id` of this exchange; empty before `begin` or `refused`.
    pub fn request_id(&self) -> &str {
        self.call.as_ref().map_or("", |call| &call.request_id)
    }

    /// What to do now.
    pub fn next(&mut self, now: Now) -> Step {
        if self.own {
            self.own_us += now.mono_us.saturating_sub(self.now.mono_us);
        }
        self.now = now;
        if self.phase == Phase::New {
            // Before whatever else was said: it came after the head.
            self.read_head();
        }
        if self.is_unwanted() {
            self.take_caller_gone();
        }
        if self.gateway.is_stopping() {
            self.take_stop();
        }
        loop {
            if let Some(event) = self.inbox.pop_front() {
                self.take(event);
            } else if let Some(step) = self.steps.pop_front() {
                self.tell_held();
                self.own = true;
                return step;
            } else if self.phase == Phase::Over {
                return Step::Done;
            } else if let Move::Wait(until_us) = self.advance() {
                self.tell_held();
                self.own = self.is_at_work();
                return Step::Wait { until_us };
            }
        }
    }

    fn advance(&mut self) -> Move {
        if self.total_deadline_us().is_some_and(|at| at <= self.now.mono_us) {
            return self.overdue();
        }
        let sign_us = self.sign_due_us();
        if sign_us.is_some_and(|at| at <= self.now.mono_us) {
            return self.give_sign();
        }
        if let Some(moved) = self.meet_reload() {
            return moved;
        }
        let moved = match self.phase {
            Phase::Body => self.wait_for_body(),
            Phase::New
            | Phase::Mounted
            | Phase::Reading
            | Phase::Counted
            | Phase::Judging
            | Phase::Joining
            | Phase::Reforming
            | Phase::Owing
            | Phase::Booking => Move::Wait(None),
            Phase::Recalling => self.recall(),
            Phase::Gates(gate) => self.pass(gate),
            Phase::Counting => self.count_asked(),
            Phase::Tokens => self.await_tokens(),
            Phase::Choose => self.choose(),
            Phase::Children => self.raise_children(),
            Phase::Attempt => self.follow(),
            Phase::Draining => self.drain(),
            Phase::Over => Move::Wait(None),
        };
        match moved {
            Move::Wait(until) => {
                Move::Wait(until.into_iter().chain(self.total_deadline_us()).chain(self.sign_due_us()).min())
            }
            again => again,
        }
    }

    /// The whole exchange is bound in time until its first content byte; after that only a stream's pauses are.
    fn total_deadline_us(&self) -> Option<u64> {
        let waiting = matches!(
            self.phase,
            Phase::Recalling
                | Phase::Gates(_)
                | Phase::Tokens
                | Phase::Choose
                | Phase::Children
                | Phase::Attempt
                | Phase::Reading
        );
        let bound = waiting && !self.out.is_committed() && !self.out.is_ended();
        let from_us = if self.passing.is_none() { Some(self.begun.mono_us) } else { self.bound_from_us() };
        let total_us = self.total_secs.saturating_mul(SECOND);
        from_us.filter(|_| bound).map(|from_us| from_us.saturating_add(total_us))
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Body(bytes) => self.take_body(bytes),
            Event::BodyEnd if self.is_upload() => self.end_upload(),
            Event::BodyEnd => self.intake.end(),
            Event::Worked(result) => self.take_result(result),
            Event::Written(bytes) => self.take_written(bytes),
            Event::Refused(failure) => self.take_refusal(failure),
            Event::CallerGone => self.take_caller_gone(),
            Event::Child(c, answer) => self.take_child(c, answer),
            Event::Connected(u)
            | Event::Took(u, _)
            | Event::Sent(u)
            | Event::Head(u, _)
            | Event::Data(u, _)
            | Event::Delta(u, _)
            | Event::End(u)
            | Event::Failed(u, ..)
            | Event::Declined(u, _) => {
                // What is said of an attempt that was given up came too late to matter.
                if self.attempt.as_ref().is_some_and(|attempt| attempt.u == u) {
                    self.take_upstream(event);
                }
            }
        }
    }

    /// The gateway's time is up: whoever has no whole answer yet is told.
    fn take_stop(&mut self) {
        if self.phase != Phase::Over && !self.out.is_ended() {
            let words = "The gateway went down before the answer was complete; ask again.";
            self.fail(Failure::new(Code::Draining, words).retry_after(1));
        }
    }

    fn take_refusal(&mut self, failure: Failure) {
        if !self.out.is_started() && !self.out.is_ended() {
            self.leave_attempt();
            self.fail(failure);
        }
    }

    fn call(&self) -> &Call {
        self.call.as_ref().expect("phases after New have a call")
    }

    fn is_neutral(&self) -> bool {
        self.call().caller == Caller::Neutral
    }

    /// In which protocol it is asked, and answers.
    fn dialect(&self) -> Dialect {
        self.call.as_ref().map_or_else(Dialect::default, |call| call.dialect)
    }

    /// Pieces of a stream are the JSON of its events, without framing.
    fn is_bare(&self) -> bool {
        self.is_neutral() && self.dialect() == Dialect::NEUTRAL
    }

    fn facts(&self) -> &Facts {
        self.facts.as_ref().expect("phases after the body have facts")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.settle_dropped();
        self.gateway.exchange_over();
    }
}
