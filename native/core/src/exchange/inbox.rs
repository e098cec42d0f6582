//! What the doors put down until `next` looks: doors carry no time, so nothing is decided in them.

use bytes::Bytes;
use smallvec::SmallVec;

use super::headers::pick;
use super::step::{Stage, UpstreamId};
use super::work::JobResult;
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
    Child(u32, super::ChildAnswer),
    Written(usize),
    CallerGone,
    Refused(Failure),
}
