//! What the doors put down until `next` looks: doors carry no time, so nothing is decided in them.

use bytes::Bytes;

use super::step::{Stage, UpstreamId};
use super::work::JobResult;
use crate::dialects::neutral::Item;
use crate::error::Failure;

/// The head of an upstream's answer, as far as the core reads it.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub status: u16,
    pub content_type: Option<Bytes>,
    pub retry_after: Option<Bytes>,
    pub retry_after_ms: Option<Bytes>,
}

#[derive(Debug)]
pub(super) enum Event {
    Body(Bytes),
    BodyEnd,
    Connected(UpstreamId),
    Sent(UpstreamId),
    Head(UpstreamId, AnswerHead),
    Data(UpstreamId, Bytes),
    Delta(UpstreamId, Item),
    End(UpstreamId),
    Failed(UpstreamId, Stage, bool),
    Worked(JobResult),
    Child(u32, super::ChildAnswer),
    Written(usize),
    CallerGone,
    Refused(Failure),
}
