//! What an exchange wants done, as one struct.

use bytes::Bytes;
use hoosh_core::exchange::Step;
use hoosh_core::http::Headers;

use super::hoosh_exchange;
use super::work::hoosh_job;
use crate::border::{exclusive, give, guarded, hoosh_result, place};
use crate::request::{hoosh_request, Kept};
use crate::values::{hoosh_bytes, hoosh_header, hoosh_now, views};

/// Kinds of steps, with the members of `hoosh_step` that say more.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_step_kind {
    /// Send `100 Continue` to the caller.
    Continue = 0,
    /// Hand over at most `credit` more bytes of the caller's body by `hoosh_exchange_body`, and at its end call
    /// `hoosh_exchange_body_end`. Credits add up.
    ReadCaller = 1,
    /// Open or reuse a connection and send `request` as attempt `u`. Attempts are numbered from 0 as they are opened.
    /// Report `hoosh_exchange_connected`, `_sent` and `_head`; or `_failed`.
    Send = 2,
    /// Hand over at most `credit` more bytes of the body of answer `u` by `hoosh_exchange_data`, and at its end call
    /// `hoosh_exchange_end`. Credits add up. For an engine it is what its deltas may cost: the bytes of their
    /// texts, 4 for a number of a vector, at least 1, and at most 32 KiB each.
    Read = 3,
    /// Drop attempt `u` now and close its connection, or stop its engine. What is still told about it is ignored.
    Abort = 4,
    /// Ask the engine of this program that the configuration calls `engine`, as attempt `u`: `body` is a checked JSON
    /// object in the OpenAI form for `endpoint`. Report `hoosh_exchange_connected`, deltas against credit, and
    /// `_end`; or `_failed`. One that refuses says so before any delta, as an upstream would: by `hoosh_exchange_head`
    /// with a status of 400 or more, `_data` and `_end`.
    Call = 5,
    /// Have `job` done by `hoosh_job_run` on any thread, then hand it to `hoosh_exchange_worked`. The job is yours.
    Work = 6,
    /// Drive `child`, number `u`, too. It has begun, its body is complete, and its caller is this exchange: hand the
    /// status and body that it replies to `hoosh_exchange_child`, and free it. It is yours. It has its parent's
    /// waker, which therefore means both, and which is silent once the parent is freed: free children that are left
    /// before or with their parent.
    Child = 7,
    /// Answer whole: `status`, `headers`, `body`. No other answer step comes before or after. To `HEAD` say the body's
    /// length, leave out its bytes, and count them as written.
    Reply = 8,
    /// Begin a streamed answer: `status`, `headers`. Where a `content-length` is among them, frame it by that.
    Start = 9,
    /// More of the streamed answer: `body`, which is never empty.
    Emit = 10,
    /// The streamed answer is complete.
    Finish = 11,
    /// Cut the caller's connection: the answer cannot be ended in its protocol, or the caller takes none of it.
    Break = 12,
    /// Nothing until a door was used, a wake, or `until_us` (if `has_until`).
    Wait = 13,
    /// Over: everything was answered and taken, every attempt ended or aborted. Free it.
    Done = 14,
    /// More of the streamed body of request `u`: `body`, which is never empty. Write it behind what was given before, once
    /// there is a connection, and report by `hoosh_exchange_took` how much of it the transport took.
    SendBody = 15,
    /// The streamed body of request `u` is complete: end it as it is framed, then report `hoosh_exchange_sent`. Never
    /// end it otherwise, so that a body that was cut off is not taken for a whole one.
    EndBody = 16,
}

/// What the driver must do. Members that the kind does not name are zero. All that is pointed to lies still until the
/// next `hoosh_exchange_next` on the same exchange, or its end; the doors in between leave it alone.
#[repr(C)]
pub struct hoosh_step {
    /// Which kind.
    pub kind: hoosh_step_kind,
    /// Number of an attempt, or of a child.
    pub u: u32,
    /// Bytes.
    pub credit: usize,
    /// What to send.
    pub request: hoosh_request,
    /// HTTP status of the answer.
    pub status: u16,
    /// Header fields of the answer; framing is the driver's to add.
    pub headers: *const hoosh_header,
    /// How many.
    pub header_count: usize,
    /// Body of the answer, for an engine, or more of a request's.
    pub body: hoosh_bytes,
    /// Name of an engine.
    pub engine: hoosh_bytes,
    /// `chat`, `completions` or `embeddings`.
    pub endpoint: hoosh_bytes,
    /// A job, yours.
    pub job: *mut hoosh_job,
    /// An exchange, yours.
    pub child: *mut hoosh_exchange,
    /// Whether there is a time to wait for.
    pub has_until: bool,
    /// That time, in microseconds of the monotonic clock.
    pub until_us: u64,
}

/// What the views of the last step point into: on the heap or static, so that it lies still however this is moved.
#[derive(Default)]
pub struct Held {
    request: Kept,
    headers: Headers,
    views: Vec<hoosh_header>,
    body: Bytes,
    engine: Option<std::sync::Arc<str>>,
}

impl hoosh_step {
    fn of(kind: hoosh_step_kind) -> hoosh_step {
        hoosh_step {
            kind,
            u: 0,
            credit: 0,
            request: hoosh_request::NONE,
            status: 0,
            headers: std::ptr::null(),
            header_count: 0,
            body: hoosh_bytes::NONE,
            engine: hoosh_bytes::NONE,
            endpoint: hoosh_bytes::NONE,
            job: std::ptr::null_mut(),
            child: std::ptr::null_mut(),
            has_until: false,
            until_us: 0,
        }
    }
}

impl Held {
    fn keep_body(&mut self, body: Bytes) -> hoosh_bytes {
        self.body = body;
        hoosh_bytes::of(&self.body)
    }

    fn answer(&mut self, kind: hoosh_step_kind, status: u16, headers: Headers) -> hoosh_step {
        self.views = views(&headers);
        self.headers = headers;
        let (headers, header_count) = (self.views.as_ptr(), self.views.len());
        hoosh_step { status, headers, header_count, ..hoosh_step::of(kind) }
    }

    /// The step for C, with all that it points to kept here.
    fn describe(&mut self, step: Step) -> hoosh_step {
        use hoosh_step_kind as Kind;
        let of = hoosh_step::of;
        match step {
            Step::Continue => of(Kind::Continue),
            Step::ReadCaller { credit } => hoosh_step { credit, ..of(Kind::ReadCaller) },
            Step::Send { u, request } => {
                self.request = Kept::new(request);
                hoosh_step { u, request: self.request.view(), ..of(Kind::Send) }
            }
            Step::SendBody { u, bytes } => hoosh_step { u, body: self.keep_body(bytes), ..of(Kind::SendBody) },
            Step::EndBody { u } => hoosh_step { u, ..of(Kind::EndBody) },
            Step::Read { u, credit } => hoosh_step { u, credit, ..of(Kind::Read) },
            Step::Abort { u } => hoosh_step { u, ..of(Kind::Abort) },
            Step::Call { u, engine, request } => {
                let endpoint = hoosh_bytes::of(request.endpoint.as_str().as_bytes());
                let body = self.keep_body(request.body);
                let engine = hoosh_bytes::of(self.engine.insert(engine).as_bytes());
                hoosh_step { u, engine, endpoint, body, ..of(Kind::Call) }
            }
            Step::Work { job } => hoosh_step { job: give(hoosh_job::new(job)), ..of(Kind::Work) },
            Step::Child { c, exchange } => {
                let child = give(hoosh_exchange::new(*exchange, None));
                hoosh_step { u: c, child, ..of(Kind::Child) }
            }
            Step::Reply { status, headers, body } => {
                let body = self.keep_body(body);
                hoosh_step { body, ..self.answer(Kind::Reply, status, headers) }
            }
            Step::Start { status, headers } => self.answer(Kind::Start, status, headers),
            Step::Emit { bytes } => hoosh_step { body: self.keep_body(bytes), ..of(Kind::Emit) },
            Step::Finish => of(Kind::Finish),
            Step::Break => of(Kind::Break),
            Step::Wait { until_us } => {
                let (has_until, until_us) = (until_us.is_some(), until_us.unwrap_or(0));
                hoosh_step { has_until, until_us, ..of(Kind::Wait) }
            }
            Step::Done => of(Kind::Done),
        }
    }
}

/// What to do now. Perform it, report what came of it, ask again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_next(
    exchange: *mut hoosh_exchange,
    now: hoosh_now,
    step: *mut hoosh_step,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (exchange, place) = unsafe { (exclusive(exchange)?, place(step)?) };
        exchange.enter(|exchange, held| {
            *held = Held::default();
            place.put(held.describe(exchange.next(now.core())));
            Ok(())
        })
    })
}
