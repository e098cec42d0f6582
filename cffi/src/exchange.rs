//! The exchange for C: one function for each door, one union of steps.

use std::ffi::c_void;

use bytes::Bytes;
use hoosh_core::dialects::neutral::Item;
use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::{Caller, ChildAnswer, Exchange, Job, RequestHead, Stage, Step};
use hoosh_core::http::{HeaderView, Headers, UpstreamRequest};
use hoosh_core::ledger::{Usage, UsageSource};

use crate::gateway::{hoosh_gateway, hoosh_request};
use crate::{guarded, hoosh_bytes, hoosh_header, hoosh_now, hoosh_result, hoosh_wake, waker};

/// One caller request, driven by `hoosh_exchange_next`.
pub struct hoosh_exchange {
    exchange: Exchange,
    held: Held,
}

/// CPU work for any thread.
pub struct hoosh_job(Option<Job>);

/// What the views of the last step point into.
#[derive(Default)]
struct Held {
    request: Request,
    headers: Headers,
    views: Vec<hoosh_header>,
    body: Bytes,
    engine: String,
}

/// Where an attempt stood when it failed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_stage {
    /// No connection.
    Connect = 0,
    /// TLS.
    Tls = 1,
    /// While the request was written.
    Send = 2,
    /// Before the answer's head.
    Head = 3,
    /// Inside the answer's body.
    Body = 4,
    /// The peer broke HTTP.
    Protocol = 5,
}

/// Kinds of steps. What each asks is said in `native/core/src/exchange/step.rs` and here at the members of `hoosh_step`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_step_kind {
    /// Send `100 Continue`.
    Continue = 0,
    /// Hand over at most `credit` more bytes of the caller's body, then `hoosh_exchange_body_end`.
    ReadCaller = 1,
    /// Open or reuse a connection and send `request` as attempt `u`.
    Send = 2,
    /// Hand over at most `credit` more bytes of answer `u`. Credits add up.
    Read = 3,
    /// Drop attempt `u` and close its connection.
    Abort = 4,
    /// Ask engine `engine` of this process as attempt `u`: `endpoint` and `body`.
    Call = 5,
    /// Hand `job` to `hoosh_exchange_work`; it is yours until then.
    Work = 6,
    /// Drive `child` too (it is yours), and hand what it replied to `hoosh_exchange_child` as number `u`.
    Child = 7,
    /// Answer whole: `status`, `headers`, `body`.
    Reply = 8,
    /// Begin a streamed answer: `status`, `headers`.
    Start = 9,
    /// More of it: `body`.
    Emit = 10,
    /// It is complete.
    Finish = 11,
    /// Cut the caller's connection.
    Break = 12,
    /// Nothing until something happens, a wake, or `until_us` (if `has_until`).
    Wait = 13,
    /// Over. Free it.
    Done = 14,
}

/// What the driver must do. Members that a kind does not name are zero.
#[repr(C)]
pub struct hoosh_step {
    /// Which.
    pub kind: hoosh_step_kind,
    /// Attempt, or number of a child.
    pub u: u32,
    /// Bytes.
    pub credit: usize,
    /// What to send.
    pub request: hoosh_request,
    /// HTTP status.
    pub status: u16,
    /// Header fields of the answer; framing is yours to add.
    pub headers: *const hoosh_header,
    /// How many.
    pub header_count: usize,
    /// Bytes of the answer, or for an engine.
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
    /// Microseconds of the monotonic clock.
    pub until_us: u64,
}

/// An upstream request kept for its views.
#[derive(Default)]
pub(crate) struct Request {
    request: Option<UpstreamRequest>,
    authority: String,
    views: Vec<hoosh_header>,
}

// SAFETY: the views point into the request beside them and are only read.
unsafe impl Send for Request {}

impl Request {
    pub const EMPTY: hoosh_request = hoosh_request {
        tls: false,
        host: hoosh_bytes::NONE,
        port: 0,
        authority: hoosh_bytes::NONE,
        method: hoosh_bytes::NONE,
        target: hoosh_bytes::NONE,
        headers: std::ptr::null(),
        header_count: 0,
        body: hoosh_bytes::NONE,
    };

    pub fn new(request: UpstreamRequest) -> Request {
        // The header bytes are reference-counted: they lie still however the struct is moved.
        Request { authority: request.origin.authority(), views: views(&request.headers), request: Some(request) }
    }
}

pub(crate) fn request_view(kept: &Request) -> hoosh_request {
    let Some(request) = &kept.request else { return Request::EMPTY };
    hoosh_request {
        tls: request.origin.tls,
        host: hoosh_bytes::of(request.origin.host.as_bytes()),
        port: request.origin.port,
        authority: hoosh_bytes::of(kept.authority.as_bytes()),
        method: hoosh_bytes::of(request.method.as_bytes()),
        target: hoosh_bytes::of(&request.target),
        headers: kept.views.as_ptr(),
        header_count: kept.views.len(),
        body: hoosh_bytes::of(&request.body),
    }
}

fn views(headers: &Headers) -> Vec<hoosh_header> {
    headers.iter().map(|(n, v)| hoosh_header { name: hoosh_bytes::of(n), value: hoosh_bytes::of(v) }).collect()
}

/// The program's header array, read where it lies.
struct View<'a>(&'a [hoosh_header]);

impl HeaderView for View<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find_map(|header| {
            // SAFETY: the header array was promised valid for the call in which this view lives.
            let (given, value) = unsafe { (header.name.slice()?, header.value.slice()?) };
            given.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }
}

/// # Safety
/// `headers` is NULL with `count` 0, or valid for `count` headers.
unsafe fn view<'a>(headers: *const hoosh_header, count: usize) -> View<'a> {
    if headers.is_null() || count == 0 {
        return View(&[]);
    }
    // SAFETY: the caller's promise.
    View(unsafe { std::slice::from_raw_parts(headers, count) })
}

/// A new exchange of `gateway`. `call` is called with `context` when it should look again; both must stay until it is
/// freed.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_new(
    gateway: *const hoosh_gateway,
    call: hoosh_wake,
    context: *mut c_void,
    exchange: *mut *mut hoosh_exchange,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(gateway), false) = (unsafe { gateway.as_ref() }, exchange.is_null()) else {
            return hoosh_result::Null;
        };
        let made =
            hoosh_exchange { exchange: gateway.gateway.exchange(waker(call, context), 0), held: Held::default() };
        // SAFETY: not NULL, and the caller's promise.
        unsafe { *exchange = Box::into_raw(Box::new(made)) };
        hoosh_result::Ok
    })
}

/// Frees an exchange in whatever state it is; it settles.
///
/// # Safety
/// It is NULL, or came from this library and is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_free(exchange: *mut hoosh_exchange) {
    if !exchange.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(exchange) });
    }
}

/// The caller's request head. `neutral`: a caller of this process, whose stream is one JSON object an event.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_begin(
    exchange: *mut hoosh_exchange,
    method: hoosh_bytes,
    target: hoosh_bytes,
    headers: *const hoosh_header,
    header_count: usize,
    neutral: bool,
) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let (method, target, headers) = unsafe { (method.text(), target.text(), view(headers, header_count)) };
        let (Some(method), Some(target)) = (method, target) else { return hoosh_result::Invalid };
        let caller = if neutral { Caller::Neutral } else { Caller::Http };
        exchange.begin(RequestHead { method, target, headers: &headers, caller });
        hoosh_result::Ok
    })
}

fn door(exchange: *mut hoosh_exchange, body: impl FnOnce(&mut Exchange) -> hoosh_result) -> hoosh_result {
    guarded(|| {
        // SAFETY: every door promises a valid exchange, used by this thread alone.
        match unsafe { exchange.as_mut() } {
            Some(exchange) => body(&mut exchange.exchange),
            None => hoosh_result::Null,
        }
    })
}

/// The listener could not read the request, or not all of it: instead of `hoosh_exchange_begin`, or while the body comes.
/// `code`: a stable code, such as `malformed_request`. `message`: what is wrong, for the caller.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_refused(
    exchange: *mut hoosh_exchange,
    code: hoosh_bytes,
    message: hoosh_bytes,
) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let (code, message) = unsafe { (code.text(), message.text()) };
        let known = code.and_then(|code| Code::ALL.iter().find(|known| known.as_str() == code));
        let (Some(code), Some(message)) = (known, message) else { return hoosh_result::Invalid };
        exchange.refused(Failure::new(*code, message));
        hoosh_result::Ok
    })
}

/// The caller's body is complete, by its own framing.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_body_end(exchange: *mut hoosh_exchange) -> hoosh_result {
    door(exchange, |exchange| {
        exchange.body_end();
        hoosh_result::Ok
    })
}

/// A connection stands.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_connected(exchange: *mut hoosh_exchange, u: u32) -> hoosh_result {
    door(exchange, |exchange| {
        exchange.connected(u);
        hoosh_result::Ok
    })
}

/// The request was written whole.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_sent(exchange: *mut hoosh_exchange, u: u32) -> hoosh_result {
    door(exchange, |exchange| {
        exchange.sent(u);
        hoosh_result::Ok
    })
}

/// The answer is complete by its framing.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_end(exchange: *mut hoosh_exchange, u: u32) -> hoosh_result {
    door(exchange, |exchange| {
        exchange.end(u);
        hoosh_result::Ok
    })
}

/// The caller's transport took `size` more body bytes.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_written(exchange: *mut hoosh_exchange, size: usize) -> hoosh_result {
    door(exchange, |exchange| {
        exchange.written(size);
        hoosh_result::Ok
    })
}

/// The caller left.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_caller_gone(exchange: *mut hoosh_exchange) -> hoosh_result {
    door(exchange, |exchange| {
        exchange.caller_gone();
        hoosh_result::Ok
    })
}

/// An engine said what it used.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_usage(
    exchange: *mut hoosh_exchange,
    u: u32,
    input_tokens: u64,
    output_tokens: u64,
) -> hoosh_result {
    door(exchange, |exchange| {
        let usage = Usage { input_tokens, output_tokens, cached_tokens: 0, source: UsageSource::Reported };
        exchange.delta(u, Item::Usage(usage));
        hoosh_result::Ok
    })
}

/// More of the caller's body; copied.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_body(exchange: *mut hoosh_exchange, data: hoosh_bytes) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let Some(data) = (unsafe { data.slice() }) else { return hoosh_result::Null };
        exchange.body(Bytes::copy_from_slice(data));
        hoosh_result::Ok
    })
}

/// The head of answer `u` came.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_head(
    exchange: *mut hoosh_exchange,
    u: u32,
    status: u16,
    headers: *const hoosh_header,
    header_count: usize,
) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        exchange.head(u, status, &unsafe { view(headers, header_count) });
        hoosh_result::Ok
    })
}

/// More of answer `u`; copied.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_data(exchange: *mut hoosh_exchange, u: u32, data: hoosh_bytes) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let Some(data) = (unsafe { data.slice() }) else { return hoosh_result::Null };
        exchange.data(u, Bytes::copy_from_slice(data));
        hoosh_result::Ok
    })
}

/// Attempt `u` failed at `stage` (one of `enum hoosh_stage`). `reused`: on a connection that had served before.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_failed(
    exchange: *mut hoosh_exchange,
    u: u32,
    stage: u32,
    reused: bool,
) -> hoosh_result {
    const STAGES: [(hoosh_stage, Stage); 6] = [
        (hoosh_stage::Connect, Stage::Connect),
        (hoosh_stage::Tls, Stage::Tls),
        (hoosh_stage::Send, Stage::Send),
        (hoosh_stage::Head, Stage::Head),
        (hoosh_stage::Body, Stage::Body),
        (hoosh_stage::Protocol, Stage::Protocol),
    ];
    // A number, because a C enum may hold any: what is none of ours must not become a Rust enum.
    let Some((_, stage)) = STAGES.into_iter().find(|(known, _)| *known as u32 == stage) else {
        return hoosh_result::Invalid;
    };
    door(exchange, |exchange| {
        exchange.failed(u, stage, reused);
        hoosh_result::Ok
    })
}

/// An engine said more text of a choice.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_text(
    exchange: *mut hoosh_exchange,
    u: u32,
    choice: u32,
    text: hoosh_bytes,
) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let Some(text) = (unsafe { text.text() }) else { return hoosh_result::Invalid };
        exchange.delta(u, Item::Text { choice, text: text.to_owned() });
        hoosh_result::Ok
    })
}

/// An engine finished a choice: `stop`, `length`, `tool_calls` or `content_filter`.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_finish(
    exchange: *mut hoosh_exchange,
    u: u32,
    choice: u32,
    reason: hoosh_bytes,
) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let Some(reason) = (unsafe { reason.text() }) else { return hoosh_result::Invalid };
        exchange.delta(u, Item::Finish { choice, reason: reason.to_owned() });
        hoosh_result::Ok
    })
}

/// Runs `job` here and now, hands its result to `exchange`, and frees it. It takes milliseconds: a program with threads
/// calls this on another one, and leaves the exchange alone until it returns.
///
/// # Safety
/// Pointers are valid as the header says; the job is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_work(exchange: *mut hoosh_exchange, job: *mut hoosh_job) -> hoosh_result {
    door(exchange, |exchange| {
        if job.is_null() {
            return hoosh_result::Null;
        }
        // SAFETY: not NULL, and the caller's promise.
        let mut job = unsafe { Box::from_raw(job) };
        if let Some(job) = job.0.take() {
            exchange.worked(job.run());
        }
        hoosh_result::Ok
    })
}

/// Child number `c` answered.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_child(
    exchange: *mut hoosh_exchange,
    c: u32,
    status: u16,
    body: hoosh_bytes,
) -> hoosh_result {
    door(exchange, |exchange| {
        // SAFETY: the caller's promise.
        let Some(body) = (unsafe { body.slice() }) else { return hoosh_result::Null };
        exchange.child(c, ChildAnswer { status, body: Bytes::copy_from_slice(body) });
        hoosh_result::Ok
    })
}

/// What to do now. Its views lie still until the next call on this exchange.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_next(
    exchange: *mut hoosh_exchange,
    now: hoosh_now,
    step: *mut hoosh_step,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(exchange), false) = (unsafe { exchange.as_mut() }, step.is_null()) else { return hoosh_result::Null };
        exchange.held = Held::default();
        let taken = exchange.exchange.next(now.core());
        let out = describe(taken, &mut exchange.held);
        // SAFETY: not NULL, and the caller's promise.
        unsafe { *step = out };
        hoosh_result::Ok
    })
}

fn describe(step: Step, held: &mut Held) -> hoosh_step {
    let mut out = hoosh_step {
        kind: hoosh_step_kind::Done,
        u: 0,
        credit: 0,
        request: Request::EMPTY,
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
    };
    match step {
        Step::Continue => out.kind = hoosh_step_kind::Continue,
        Step::ReadCaller { credit } => (out.kind, out.credit) = (hoosh_step_kind::ReadCaller, credit),
        Step::Send { u, request } => {
            held.request = Request::new(request);
            (out.kind, out.u, out.request) = (hoosh_step_kind::Send, u, request_view(&held.request));
        }
        Step::Read { u, credit } => (out.kind, out.u, out.credit) = (hoosh_step_kind::Read, u, credit),
        Step::Abort { u } => (out.kind, out.u) = (hoosh_step_kind::Abort, u),
        Step::Call { u, engine, request } => {
            (out.kind, out.u) = (hoosh_step_kind::Call, u);
            held.engine = engine.to_string();
            held.body = request.body;
            out.engine = hoosh_bytes::of(held.engine.as_bytes());
            out.endpoint = hoosh_bytes::of(request.endpoint.as_str().as_bytes());
            out.body = hoosh_bytes::of(&held.body);
        }
        Step::Work { job } => {
            (out.kind, out.job) = (hoosh_step_kind::Work, Box::into_raw(Box::new(hoosh_job(Some(job)))));
        }
        Step::Child { c, exchange } => {
            let child = Box::new(hoosh_exchange { exchange: *exchange, held: Held::default() });
            (out.kind, out.u, out.child) = (hoosh_step_kind::Child, c, Box::into_raw(child));
        }
        Step::Reply { status, headers, body } => {
            answer(&mut out, held, hoosh_step_kind::Reply, status, headers);
            held.body = body;
            out.body = hoosh_bytes::of(&held.body);
        }
        Step::Start { status, headers } => answer(&mut out, held, hoosh_step_kind::Start, status, headers),
        Step::Emit { bytes } => {
            held.body = bytes;
            (out.kind, out.body) = (hoosh_step_kind::Emit, hoosh_bytes::of(&held.body));
        }
        Step::Finish => out.kind = hoosh_step_kind::Finish,
        Step::Break => out.kind = hoosh_step_kind::Break,
        Step::Wait { until_us } => {
            out.kind = hoosh_step_kind::Wait;
            (out.has_until, out.until_us) = (until_us.is_some(), until_us.unwrap_or(0));
        }
        Step::Done => {}
    }
    out
}

fn answer(out: &mut hoosh_step, held: &mut Held, kind: hoosh_step_kind, status: u16, headers: Headers) {
    held.views = views(&headers);
    held.headers = headers;
    (out.kind, out.status) = (kind, status);
    (out.headers, out.header_count) = (held.views.as_ptr(), held.views.len());
}
