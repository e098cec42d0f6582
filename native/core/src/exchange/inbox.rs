//! What the doors put down until `next` looks: doors carry no time, so nothing is decided in them.

use bytes::Bytes;
use smallvec::SmallVec;

use super::step::{Stage, UpstreamId};
use super::work::JobResult;
use crate::dialects::neutral::Item;
use crate::error::Failure;
use crate::http::HeaderView;

/// The head of an upstream's answer, as far as the core reads it.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub status: u16,
    /// Room for the usual ones, with their `charset`.
    pub content_type: Option<SmallVec<[u8; 32]>>,
    pub retry_after: Option<Box<[u8]>>,
    pub retry_after_ms: Option<Box<[u8]>>,
}

impl AnswerHead {
    pub fn read(status: u16, headers: &dyn HeaderView) -> AnswerHead {
        AnswerHead {
            status,
            content_type: headers.get("content-type").map(SmallVec::from_slice),
            retry_after: headers.get("retry-after").map(Box::from),
            retry_after_ms: headers.get("retry-after-ms").map(Box::from),
        }
    }
}

impl HeaderView for AnswerHead {
    fn get(&self, name: &str) -> Option<&[u8]> {
        match name {
            "content-type" => self.content_type.as_deref(),
            "retry-after" => self.retry_after.as_deref(),
            "retry-after-ms" => self.retry_after_ms.as_deref(),
            _ => None,
        }
    }
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
    Declined(UpstreamId, Box<Failure>),
    Worked(JobResult),
    Child(u32, super::ChildAnswer),
    Written(usize),
    CallerGone,
    Refused(Failure),
}
