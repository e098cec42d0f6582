//! The vocabulary between an exchange and its driver: what the driver must do, and what it says happened.

use bytes::Bytes;

use super::work::Job;
use crate::dialects::neutral;
use crate::http::{HeaderView, Headers, UpstreamRequest};

/// An upstream attempt of this exchange: 0, 1, … in the order of opening. Drivers keep their own table by it.
pub type UpstreamId = u32;

/// How the caller's bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// HTTP: a stream is an event stream (`data: …\n\n`), ended by the dialect's own mark.
    Http,
    /// In process: each [`Step::Emit`] is exactly one event's JSON, without framing, and `Finish` is the end.
    /// The caller is the operator's own program, so no key is asked for.
    Neutral,
}

/// The head of a caller's request. The driver keeps ownership; the exchange copies the little that it needs.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Origin form: path and, after `?`, the query, as they were sent, with their `%XX`.
    pub target: &'a str,
    /// As received.
    pub headers: &'a dyn HeaderView,
    /// How answers are framed.
    pub caller: Caller,
}

/// Where an attempt stood when it failed. Whether a retry is safe hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No connection: refused, unresolvable, unreachable. Nothing was sent.
    Connect,
    /// The TLS handshake or certificate. Nothing of the request was sent.
    Tls,
    /// While the request was written.
    Send,
    /// After the request was written whole, before the answer's head.
    Head,
    /// Inside the answer's body.
    Body,
    /// The peer broke HTTP itself (malformed head or framing).
    Protocol,
    /// A callable of this process, in front of a provider, raised or gave nonsense.
    Hook,
}

/// What the driver must do. Perform it, report through the doors, call `next` again.
#[derive(Debug)]
pub enum Step {
    /// Send `100 Continue` to the caller.
    Continue,
    /// Hand over at most `credit` more bytes of the caller's body through `body`, then `body_end` at its end.
    ReadCaller {
        /// Bytes.
        credit: usize,
    },
    /// Open (or reuse) a connection and send the request. Report `connected`, `sent`, `head`; or `failed`. Where its body is
    /// streamed, send the head, and then what `SendBody` and `EndBody` say. An answer may come before all was sent: then
    /// the rest is not, and the connection serves no other request.
    Send {
        /// The new attempt.
        u: UpstreamId,
        /// What to send.
        request: UpstreamRequest,
    },
    /// Write more of the request's body, which is [`crate::http::Body::Streamed`]: behind what was given before, once there
    /// is a connection. Say how much the transport took through `took`.
    SendBody {
        /// Which attempt.
        u: UpstreamId,
        /// Never empty.
        bytes: Bytes,
    },
    /// The request's streamed body is complete: end it as it is framed, then report `sent`. Never end it otherwise, so that
    /// a body that was cut off is not taken for a whole one.
    EndBody {
        /// Which attempt.
        u: UpstreamId,
    },
    /// Hand over at most `credit` more bytes of this answer's body through `data`, then `end` at its end.
    /// Credits add up.
    Read {
        /// Which attempt.
        u: UpstreamId,
        /// Bytes.
        credit: usize,
    },
    /// Drop this attempt now and close its connection; nothing more about it is wanted.
    Abort {
        /// Which attempt.
        u: UpstreamId,
    },
    /// Run an engine of this process. Report `connected`, then `delta`s against credit, then `end` or `failed`. One that
    /// refuses says so before any `delta`: `head` with a status of 400 or more, `data` and `end`, as an upstream would.
    /// Where `request.upstream` is given, run the callables of the provider of that name instead: those that see the
    /// request, then what [`Step::Send`] does, then those that see the answer. Report as there; or `declined`.
    Call {
        /// The new attempt.
        u: UpstreamId,
        /// The engine's registered name.
        engine: std::sync::Arc<str>,
        /// What is asked of it.
        request: neutral::Request,
    },
    /// Run `job` on any thread, then hand its result to `worked`. Longer than a loop should wait.
    Work {
        /// The job; [`Job::run`] does it.
        job: Job,
    },
    /// Drive this exchange too, as a caller in process would, and hand what it replied to `child`. If this exchange is
    /// over first, drop the child. A child has its parent's waker: when that is called, look at both.
    Child {
        /// Handle of the child, local to this exchange.
        c: u32,
        /// The child itself, ready to be driven: it carries identity, deadline and reservation already.
        exchange: Box<super::Exchange>,
    },
    /// Answer whole. No other answer step comes before or after.
    Reply {
        /// HTTP status.
        status: u16,
        /// Everything but framing headers.
        headers: Headers,
        /// The whole body. To `HEAD` the driver says its length and leaves out its bytes, as HTTP frames it (RFC 9110
        /// section 9.3.2), and reports them as written.
        body: Bytes,
    },
    /// Begin a streamed answer.
    Start {
        /// HTTP status.
        status: u16,
        /// Everything but framing headers; with a `content-length` where the length is known, by which to frame it then.
        headers: Headers,
    },
    /// More of the streamed answer. Say how much of it the transport took through `written`.
    Emit {
        /// Never empty.
        bytes: Bytes,
    },
    /// The streamed answer is complete.
    Finish,
    /// Cut the caller's connection: the answer cannot be ended in its protocol, or the caller takes none of it.
    Break,
    /// Nothing to do until a door is used, the waker is called, or `until_us` of the monotonic clock.
    Wait {
        /// Microseconds on [`crate::clock::Now::mono_us`]; `None` if only a door or a wake can help.
        until_us: Option<u64>,
    },
    /// The exchange is over. Every upstream was ended or aborted; nothing more will be asked.
    Done,
}
