//! One caller request, from its head to its last byte.

mod inbox;
mod step;
mod work;

use bytes::Bytes;
use std::collections::VecDeque;

use crate::clock::Now;
use crate::dialects::neutral::Item;
use crate::gateway::Gateway;
use crate::http::HeaderView;
use crate::sync::Arc;
use crate::wake::Waker;
use inbox::{AnswerHead, Event};
pub use step::{Caller, RequestHead, Stage, Step, UpstreamId};
pub use work::{Job, JobResult};

/// What a child exchange answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildAnswer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// The machine.
#[derive(Debug)]
pub struct Exchange {
    inbox: VecDeque<Event>,
}

impl Exchange {
    pub(crate) fn new(_gateway: Arc<Gateway>, _waker: Waker, _lane: usize) -> Exchange {
        Exchange { inbox: VecDeque::new() }
    }
    /// The caller's request head. Once, before every other door.
    pub fn begin(&mut self, _head: RequestHead<'_>) {}
    /// More of the caller's body, within the credit given.
    pub fn body(&mut self, bytes: Bytes) {
        self.inbox.push_back(Event::Body(bytes));
    }
    /// The caller's body is complete. Also when it has none.
    pub fn body_end(&mut self) {
        self.inbox.push_back(Event::BodyEnd);
    }
    /// A connection stands (new or reused).
    pub fn connected(&mut self, u: UpstreamId) {
        self.inbox.push_back(Event::Connected(u));
    }
    /// The request was written whole.
    pub fn sent(&mut self, u: UpstreamId) {
        self.inbox.push_back(Event::Sent(u));
    }
    /// The answer's head came.
    pub fn head(&mut self, u: UpstreamId, status: u16, headers: &dyn HeaderView) {
        let copy = |name| headers.get(name).map(Bytes::copy_from_slice);
        let head = AnswerHead {
            status,
            content_type: copy("content-type"),
            retry_after: copy("retry-after"),
            retry_after_ms: copy("retry-after-ms"),
        };
        self.inbox.push_back(Event::Head(u, head));
    }
    /// More of the answer's body, within the credit given.
    pub fn data(&mut self, u: UpstreamId, bytes: Bytes) {
        self.inbox.push_back(Event::Data(u, bytes));
    }
    /// The answer is complete.
    pub fn end(&mut self, u: UpstreamId) {
        self.inbox.push_back(Event::End(u));
    }
    /// The attempt failed. `reused`: on a connection that had served before.
    pub fn failed(&mut self, u: UpstreamId, stage: Stage, reused: bool) {
        self.inbox.push_back(Event::Failed(u, stage, reused));
    }
    /// An engine of this process said something.
    pub fn delta(&mut self, u: UpstreamId, item: Item) {
        self.inbox.push_back(Event::Delta(u, item));
    }
    /// A job is done.
    pub fn worked(&mut self, result: JobResult) {
        self.inbox.push_back(Event::Worked(result));
    }
    /// A child answered.
    pub fn child(&mut self, c: u32, answer: ChildAnswer) {
        self.inbox.push_back(Event::Child(c, answer));
    }
    /// The caller's transport took `bytes` more of what was given by `Reply` or `Emit` (body bytes only).
    pub fn written(&mut self, bytes: usize) {
        self.inbox.push_back(Event::Written(bytes));
    }
    /// The caller left. Nothing more can be written.
    pub fn caller_gone(&mut self) {
        self.inbox.push_back(Event::CallerGone);
    }
    /// What to do now.
    pub fn next(&mut self, _now: Now) -> Step {
        Step::Wait { until_us: None }
    }
    /// `x-request-id` of this exchange.
    pub fn request_id(&self) -> &str {
        ""
    }
}
