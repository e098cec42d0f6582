//! What of earlier responses only the store knows: an exchange waits for it here, and goes on with what it said. A store that
//! does not answer is no reason to say that a response is not there.

use bytes::Bytes;

use super::call::Call;
use super::home::is_there;
use super::responses::Earlier;
use super::step::RequestHead;
use super::target::Target;
use super::{Exchange, Move, Phase};
use crate::archive::{Answer, Pending, Ticket};
use crate::dialects::Dialect;
use crate::error::{Code, Failure};
use crate::history::ResponseKey;
use crate::homes::Known;
use crate::store::Recalled;
use crate::sync::atomic::Ordering;

/// Who waits for the store, with what it goes on.
pub(super) enum Recall {
    /// A request about a response: as it is asked of an upstream that keeps it. Nothing is asked of the store yet.
    Asks(Option<Box<Call>>),
    /// The same, while the store is asked.
    Kept(Ticket, Option<Box<Call>>),
    /// A body that goes on from the response of that id.
    Before(Ticket, String, Bytes),
    /// A response that is thrown away is gone once the store says so.
    Forgetting(Ticket, String),
}

impl Exchange {
    pub(super) fn response_key(&self, id: &str) -> ResponseKey {
        ResponseKey::of(&self.call().holder.tenant, id)
    }

    /// A head that asks about a response, of which the store may know where it is: what is read of a head is read now.
    pub(super) fn note_elsewhere(&mut self, head: RequestHead<'_>) {
        let Some(call) = self.call.as_ref().filter(|call| call.refusal.is_none()) else { return };
        let is_kept = matches!(call.target, Some(Target::Kept(..) | Target::KeptItems(..) | Target::KeptCancel(_)));
        if is_kept && self.gateway.archive.lasts() {
            let elsewhere = call.read_elsewhere(head, &self.gateway, &self.snap, &mut self.rng);
            self.recall = Some(Box::new(Recall::Asks(Some(Box::new(elsewhere)))));
        }
    }

    /// Answers a request about a response that no upstream is known to keep, once it is known whether it is kept here.
    pub(super) fn find_kept(&mut self, id: &str) {
        let key = self.response_key(id);
        match self.gateway.turn_known(&key, self.now) {
            Pending::Kept(turn) => self.answer_kept(Some(turn)),
            Pending::Forgotten => self.answer_kept(None),
            Pending::Unknown => {
                let elsewhere = match self.recall.take().map(|recall| *recall) {
                    Some(Recall::Asks(elsewhere)) => elsewhere,
                    _ => None,
                };
                self.ask_store(key, |ticket| Recall::Kept(ticket, elsewhere));
            }
        }
    }

    /// Waits with a body until it is known what it goes on from.
    pub(super) fn find_before(&mut self, id: String, body: Bytes) {
        let key = self.response_key(&id);
        self.lent = body.len();
        self.ask_store(key, |ticket| Recall::Before(ticket, id, body));
    }

    fn ask_store(&mut self, key: ResponseKey, waits: impl FnOnce(Ticket) -> Recall) {
        match self.gateway.recall(key, &self.waker) {
            Some(ticket) => self.wait_for_store(waits(ticket)),
            None => self.fail(unavailable()),
        }
    }

    fn wait_for_store(&mut self, recall: Recall) {
        self.recall = Some(Box::new(recall));
        self.phase = Phase::Recalling;
    }

    /// Throws a turn away; it is told when it is gone.
    pub(super) fn forget_kept(&mut self, id: String) {
        match self.gateway.forget_turn(self.response_key(&id), &self.waker) {
            Ok(None) => self.reply_deleted(&id),
            Ok(Some(ticket)) => self.wait_for_store(Recall::Forgetting(ticket, id)),
            Err(()) => self.fail(unavailable()),
        }
    }

    pub(super) fn recall(&mut self) -> Move {
        let answer = match self.recall.as_deref() {
            Some(Recall::Kept(ticket, _) | Recall::Before(ticket, ..) | Recall::Forgetting(ticket, _)) => ticket.poll(),
            Some(Recall::Asks(_)) | None => Some(Answer::Unavailable),
        };
        let Some(answer) = answer else { return Move::Wait(None) };
        let recall = self.recall.take().map(|recall| *recall);
        self.lent = 0;
        if self.call().holder.live.revoked.load(Ordering::Relaxed) {
            self.fail(Failure::new(Code::InvalidKey, "This key was taken back while the request waited."));
            return Move::Again;
        }
        match (recall, answer) {
            (Some(Recall::Kept(_, elsewhere)), Answer::Recalled(recalled)) => self.take_kept(recalled, elsewhere),
            (Some(Recall::Before(_, id, body)), Answer::Recalled(recalled)) => {
                let earlier = self.earlier_of(id, recalled);
                self.read_inference(body, earlier);
            }
            (Some(Recall::Forgetting(_, id)), Answer::Done) => self.reply_deleted(&id),
            _ => self.fail(unavailable()),
        }
        Move::Again
    }

    /// An upstream that keeps the response is asked; else what is kept here is the answer.
    fn take_kept(&mut self, recalled: Recalled, elsewhere: Option<Box<Call>>) {
        let home = match recalled.home {
            Known::Own(home) => Some(home).filter(|home| is_there(home, &self.snap)),
            Known::Others | Known::Nobody => None,
        };
        // What is asked of it may be nothing that it offers.
        let elsewhere = elsewhere.filter(|call| matches!(call.target, Some(Target::Passed(..))));
        let (Some(home), Some(mut call)) = (home, elsewhere) else { return self.answer_kept(recalled.turn) };
        call.be_at(home);
        let refusal = call.refusal.take();
        self.call = Some(*call);
        match refusal {
            Some(refusal) => self.fail(refusal),
            None => self.begin_kept_elsewhere(),
        }
    }

    fn begin_kept_elsewhere(&mut self) {
        self.snap.retries.deposit(self.now.mono_us);
        self.begin_passing();
    }

    fn earlier_of(&self, id: String, recalled: Recalled) -> Earlier {
        if let Some(turn) = recalled.turn {
            return Earlier::Kept(turn.items);
        }
        // Of who has it the store knows no more than memory where that knew of others.
        let known = match (recalled.home, self.gateway.homes.find(&self.response_key(&id))) {
            (Known::Nobody, Known::Others) => Known::Others,
            (known, _) => known,
        };
        match self.dialect() {
            Dialect::Anthropic => self.thread_at(id, known),
            _ => self.earlier_at(id, known),
        }
    }
}

fn unavailable() -> Failure {
    let words = "The store that keeps responses does not answer. Ask again.";
    Failure::new(Code::StoreUnavailable, words).retry_after(1)
}
