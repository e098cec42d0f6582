//! The doors, and what they put down until `next` looks: doors carry no time, so nothing is decided in them.

use bytes::Bytes;
use smallvec::SmallVec;

use super::call::Call;
use super::headers::pick;
use super::step::{RequestHead, Stage, UpstreamId};
use super::work::JobResult;
use super::{ChildAnswer, Exchange};
use crate::dialects::neutral::Item;
use crate::error::Failure;
use crate::http::{HeaderView, Headers};

/// The head of an upstream's answer, as far as the core reads it.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub status: u16,
    /// Room for the usual ones, with their `charset`.
    pub content_type: Option<SmallVec<[u8; 32]>>,
    /// Only where the answer passes as it is.
    pub more: Option<Box<PassedHead>>,
    pub retry_after: Option<Box<[u8]>>,
    pub retry_after_ms: Option<Box<[u8]>>,
    /// Those that the caller gets.
    pub passed: Headers,
}

/// What more is read of the head of an answer that passes as it is.
#[derive(Debug)]
pub(super) struct PassedHead {
    encoding: Option<Box<[u8]>>,
    disposition: Option<Box<[u8]>>,
    length: Option<Box<[u8]>>,
}

impl PassedHead {
    fn read(headers: &dyn HeaderView) -> PassedHead {
        let header = |name| headers.get(name).map(Box::from);
        PassedHead {
            encoding: header("content-encoding"),
            disposition: header("content-disposition"),
            length: header("content-length"),
        }
    }
}

impl AnswerHead {
    pub fn read(status: u16, headers: &dyn HeaderView, pass: &[String], passes: bool) -> AnswerHead {
        AnswerHead {
            status,
            content_type: headers.get("content-type").map(SmallVec::from_slice),
            more: passes.then(|| Box::new(PassedHead::read(headers))),
            retry_after: headers.get("retry-after").map(Box::from),
            retry_after_ms: headers.get("retry-after-ms").map(Box::from),
            passed: pick(pass.iter().map(String::as_str), headers),
        }
    }
}

impl HeaderView for AnswerHead {
    fn get(&self, name: &str) -> Option<&[u8]> {
        match name {
            "content-type" => self.content_type.as_deref(),
            "retry-after" => self.retry_after.as_deref(),
            "retry-after-ms" => self.retry_after_ms.as_deref(),
            "content-encoding" => self.more.as_ref()?.encoding.as_deref(),
            "content-disposition" => self.more.as_ref()?.disposition.as_deref(),
            "content-length" => self.more.as_ref()?.length.as_deref(),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) enum Event {
    Body(Bytes),
    BodyEnd,
    Connected(UpstreamId),
    Took(UpstreamId, usize),
    Sent(UpstreamId),
    Head(UpstreamId, AnswerHead),
    Data(UpstreamId, Bytes),
    Delta(UpstreamId, Item),
    End(UpstreamId),
    Failed(UpstreamId, Stage, bool),
    Declined(UpstreamId, Box<Failure>),
    Worked(JobResult),
    Child(u32, ChildAnswer),
    Written(usize),
    CallerGone,
    Refused(Failure),
}

impl Exchange {
    /// The caller's request head. Once, before every other door; a second one is ignored.
    pub fn begin(&mut self, head: RequestHead<'_>) {
        if self.call.is_none() {
            self.call = Some(Call::read(head, &self.gateway, &self.snap, &mut self.rng));
            self.note_elsewhere(head);
        }
    }

    /// The listener could not read the request, or not all of it ([`crate::wire`]): instead of `begin`, or while the body
    /// comes. After an answer began it says nothing.
    pub fn refused(&mut self, failure: Failure) {
        match self.call {
            None => self.call = Some(Call::unread(failure, &self.snap, &mut self.rng)),
            Some(_) => self.inbox.push_back(Event::Refused(failure)),
        }
    }

    /// More of the caller's body, within the credit given.
    pub fn body(&mut self, bytes: Bytes) {
        self.inbox.push_back(Event::Body(bytes));
    }

    /// The caller's body is complete, by its own framing. Never used when it was cut off: that is [`Self::caller_gone`].
    pub fn body_end(&mut self) {
        self.inbox.push_back(Event::BodyEnd);
    }

    /// A connection stands, new or used before.
    pub fn connected(&mut self, u: UpstreamId) {
        self.inbox.push_back(Event::Connected(u));
    }

    /// The upstream's transport took `bytes` more of the body bytes given by `SendBody`.
    pub fn took(&mut self, u: UpstreamId, bytes: usize) {
        self.inbox.push_back(Event::Took(u, bytes));
    }

    /// The request was written whole, a streamed body with its end.
    pub fn sent(&mut self, u: UpstreamId) {
        self.inbox.push_back(Event::Sent(u));
    }

    /// The answer's head came. Informational (1xx) heads are not reported.
    pub fn head(&mut self, u: UpstreamId, status: u16, headers: &dyn HeaderView) {
        let passes = self.passing.is_some();
        let pass = &self.snap.config.server.pass_response_headers;
        self.inbox.push_back(Event::Head(u, AnswerHead::read(status, headers, pass, passes)));
    }

    /// More of the answer's body, within the credit given.
    pub fn data(&mut self, u: UpstreamId, bytes: Bytes) {
        self.inbox.push_back(Event::Data(u, bytes));
    }

    /// The answer is complete by its framing (or the engine is done).
    pub fn end(&mut self, u: UpstreamId) {
        self.inbox.push_back(Event::End(u));
    }

    /// The attempt failed. `reused`: on a connection that had served before.
    pub fn failed(&mut self, u: UpstreamId, stage: Stage, reused: bool) {
        self.inbox.push_back(Event::Failed(u, stage, reused));
    }

    /// A callable of the provider declines the request or its answer, and says why: it is asked of no other, and the
    /// caller is told.
    pub fn declined(&mut self, u: UpstreamId, why: Failure) {
        self.inbox.push_back(Event::Declined(u, Box::new(why)));
    }

    /// An engine of this process said something, within the credit given, of which it costs its [`Item::weight`].
    pub fn delta(&mut self, u: UpstreamId, item: Item) {
        self.inbox.push_back(Event::Delta(u, item));
    }

    /// A job is done.
    pub fn worked(&mut self, result: JobResult) {
        self.inbox.push_back(Event::Worked(result));
    }

    /// A child exchange (handle `c` of its `Child` step) answered.
    pub fn child(&mut self, c: u32, answer: ChildAnswer) {
        self.inbox.push_back(Event::Child(c, answer));
    }

    /// The caller's transport took `bytes` more of the body bytes given by `Reply` and `Emit`.
    pub fn written(&mut self, bytes: usize) {
        self.inbox.push_back(Event::Written(bytes));
    }

    /// The caller left; nothing more can be written to it.
    pub fn caller_gone(&mut self) {
        self.inbox.push_back(Event::CallerGone);
    }
}
