//! Answers to requests that pass as they are. One of 2xx goes on in one of three ways: whole, if it is JSON or text, so that
//! an error in it can still be tried elsewhere; by events, if it is an event stream; else as the bytes that come. The last
//! has no word for an error, so that a break in it cuts the caller's connection.

use bytes::Bytes;

use super::ask::Ask;
use super::attempt::{Attempt, Follow};
use super::home::said_of;
use super::inbox::AnswerHead;
use super::verdict::Fall;
use super::whole::Whole;
use super::work::INLINE_BYTES;
use super::{Exchange, Phase, Step};
use crate::dialects::openai::passed::Said;
use crate::dialects::openai::pieces::Pieces;
use crate::dialects::openai::words::Words;
use crate::dialects::passed::Service;
use crate::error::Code;
use crate::http::{is_media_type, HeaderView, Headers};
use crate::ledger::{Ending, Usage, UsageSource};
use crate::sse::{self, WholeFramer};

/// Largest event: a picture of 4,096 × 4,096 in base64.
const MAX_EVENT: usize = 64 << 20;

/// What of an answer's head goes to the caller.
#[derive(Debug, Default)]
pub(super) struct Passable {
    status: u16,
    pub content_type: Option<Bytes>,
    pub disposition: Option<Bytes>,
    length: Option<Bytes>,
}

/// An answer that goes on while it comes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one to an attempt, and it is boxed")]
pub(super) enum Pass {
    Raw,
    Events {
        framer: WholeFramer,
        usage: Option<Usage>,
        /// An event came.
        said: bool,
    },
}

impl Pass {
    pub fn held(&self) -> usize {
        match self {
            Pass::Raw => 0,
            Pass::Events { framer, .. } => framer.rest(),
        }
    }

    pub fn usage(&self) -> Option<Usage> {
        match self {
            Pass::Raw => None,
            Pass::Events { usage, .. } => *usage,
        }
    }
}

/// A whole answer and what it is.
pub(super) struct Read {
    body: Bytes,
    said: Said,
}

impl Read {
    fn of(body: Bytes, service: Option<Service>) -> Read {
        let said = said_of(&body, service);
        Read { body, said }
    }
}

impl Exchange {
    /// The head of an answer of 2xx.
    pub(super) fn take_passed_head(&mut self, head: &AnswerHead, raw: bool) {
        if !matches!(head.get("content-encoding"), None | Some(b"identity")) {
            self.fall(Fall::malformed("The provider compressed its answer though it was asked not to."));
            return;
        }
        let kind = head.get("content-type");
        let is_events = is_media_type(kind, "text/event-stream");
        let is_text =
            is_json(kind) || kind.is_none_or(|kind| kind.len() >= 5 && kind[..5].eq_ignore_ascii_case(b"text/"));
        let passing = self.passing();
        passing.head = Passable {
            // A whole reply has a body, were it empty.
            status: if matches!(head.status, 204 | 205) { 200 } else { head.status },
            content_type: fit(kind),
            disposition: fit(head.get("content-disposition")),
            length: fit(head.get("content-length")).filter(|length| length.iter().all(u8::is_ascii_digit)),
        };
        passing.is_raw = !is_events && (raw || !is_text);
        let is_raw = passing.is_raw;
        let follow = if is_events {
            if let Some(facts) = &mut self.facts {
                facts.stream = true;
            }
            let limits = sse::Limits { max_line_bytes: MAX_EVENT, max_event_bytes: MAX_EVENT };
            Follow::Pass(Box::new(Pass::Events { framer: WholeFramer::new(limits), usage: None, said: false }))
        } else if is_raw {
            Follow::Pass(Box::new(Pass::Raw))
        } else {
            Follow::Whole(Whole::new(head.status, None))
        };
        self.follow_as(follow);
    }

    pub(super) fn take_pass(&mut self, bytes: Bytes) {
        let (neutral, service) = (self.is_neutral(), self.service());
        let Some(Attempt { follow: Follow::Pass(pass), .. }) = &mut self.attempt else { return };
        match &mut **pass {
            Pass::Raw => {
                if !bytes.is_empty() {
                    self.start_raw();
                    self.emit(bytes);
                }
            }
            Pass::Events { framer, usage, said: any } => {
                framer.push(bytes);
                let mut pieces = Pieces::default();
                let fall = loop {
                    let frame = match framer.next_frame() {
                        Ok(Some(frame)) => frame,
                        Ok(None) => break None,
                        Err(_) => break Some(Fall::malformed("The provider sent an event that is too large.")),
                    };
                    if frame.dispatches && frame.data.trim_ascii() != b"[DONE]" {
                        match said_of(&frame.data, service) {
                            Said::Fine(used) => *usage = used.or(*usage),
                            Said::Error(words) => {
                                break Some(Fall::error("The provider broke off with an error", &words))
                            }
                            Said::Malformed => {
                                break Some(Fall::malformed("The provider sent an event that is not JSON."))
                            }
                        }
                        pieces.content = true;
                        *any = true;
                    }
                    if !neutral {
                        pieces.push(frame.raw);
                    } else if frame.dispatches && frame.data.trim_ascii() != b"[DONE]" {
                        pieces.push(frame.data);
                    }
                };
                if !pieces.list.is_empty() {
                    self.say(pieces);
                }
                if let Some(fall) = fall {
                    self.fall(fall);
                }
            }
        }
    }

    /// The answer that went on is complete by its framing.
    pub(super) fn end_pass(&mut self) {
        let Some(Attempt { follow: Follow::Pass(pass), .. }) = &mut self.attempt else { return };
        let usage = pass.usage();
        if let Pass::Events { framer, said, .. } = &mut **pass {
            if !*said || framer.rest() > 0 {
                self.fall(Fall::truncated("The provider's stream ended in the middle of an event."));
                return;
            }
        } else {
            // It may be empty.
            self.start_raw();
        }
        self.succeed_passed(usage);
        self.attempt = None;
        self.finish();
    }

    pub(super) fn end_passed_whole(&mut self, body: Bytes) {
        let is_json = self.passing.as_ref().is_some_and(|passing| is_json(passing.head.content_type.as_deref()));
        if !is_json {
            return self.take_read(Read { body, said: Said::Fine(None) });
        }
        if body.len() <= INLINE_BYTES {
            return self.take_read(Read::of(body, self.service()));
        }
        let service = self.service();
        self.work(Phase::Judging, body.len(), move || Read::of(body, service));
    }

    pub(super) fn take_read(&mut self, read: Read) {
        match read.said {
            Said::Fine(usage) => {
                self.succeed_passed(usage);
                self.attempt = None;
                self.leave_home();
                self.mark_content();
                self.keep_passed(&read.body);
                let headers = self.passed_headers(false);
                let status = self.passing().head.status;
                self.reply(status, headers, read.body);
                self.conclude(Ending::Completed, None);
            }
            Said::Error(words) => self.fall(Fall::error("The provider answered with an error", &words)),
            Said::Malformed => self.fall(Fall::malformed("The provider answered something that is not JSON.")),
        }
    }

    /// What was used, where nobody says it: nothing for files, the text of a JSON body by its tokens, and an upload at its
    /// bound.
    fn succeed_passed(&mut self, usage: Option<Usage>) {
        let is_upload = self.ask().is_some_and(Ask::is_upload);
        let usage = match self.service() {
            Some(Service::Responses) => Some(self.owed_for_response(usage)),
            _ => usage,
        };
        let usage = usage.or_else(|| match self.service() {
            Some(Service::Files | Service::ModelFiles) => Some(Usage::default()),
            _ if is_upload => {
                Some(Usage { input_tokens: self.input_bound(), source: UsageSource::Bound, ..Usage::default() })
            }
            _ => None,
        });
        self.succeed(usage, false, Words::default());
    }

    /// Headers of an answer that passes; `framed`: with its length, if it is known.
    fn passed_headers(&mut self, framed: bool) -> Headers {
        let head = &self.passing().head;
        let (kind, disposition) = (head.content_type.clone(), head.disposition.clone());
        let length = head.length.clone().filter(|_| framed);
        let mut headers = self.headers_of(kind.as_ref(), disposition.as_ref(), 3);
        headers.extend(length.map(|length| (Bytes::from_static(b"content-length"), length)));
        headers
    }

    /// Headers of an answer of any kind, or of none.
    pub(super) fn headers_of(&self, kind: Option<&Bytes>, disposition: Option<&Bytes>, more: usize) -> Headers {
        let mut headers = self.headers(b"application/json", more);
        match kind {
            Some(kind) => headers[0].1 = kind.clone(),
            None => drop(headers.remove(0)),
        }
        headers.extend(disposition.map(|value| (Bytes::from_static(b"content-disposition"), value.clone())));
        headers
    }

    fn start_raw(&mut self) {
        if self.out.is_started() {
            return;
        }
        let headers = self.passed_headers(true);
        let status = self.passing().head.status;
        self.out.start(self.now.mono_us);
        // Its head is this provider's: no other answer can take its place. Nothing was held back.
        self.out.commit();
        if self.keeps_answer() {
            self.out.capture.begin();
        }
        self.out.status = status;
        self.mark_content();
        self.steps.push_back(Step::Start { status, headers });
    }

    /// The answer has no word for an error: its caller learns by the connection.
    pub(super) fn cut_answer(&mut self, code: Code) {
        self.out.abandon();
        self.steps.push_back(Step::Break);
        self.conclude(Ending::Broken, Some(code));
    }
}

fn is_json(kind: Option<&[u8]>) -> bool {
    let essence = kind.and_then(|kind| kind.split(|byte| *byte == b';').next()).unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/json")
        || essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json")
}

/// A header's value, if it may be repeated.
fn fit(value: Option<&[u8]>) -> Option<Bytes> {
    let value = value?;
    let plain = value.len() <= 1024 && value.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f);
    plain.then(|| Bytes::copy_from_slice(value))
}
