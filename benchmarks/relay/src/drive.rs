//! The driver: performs the steps of one exchange and tells it what happened.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use bytes::{Bytes, BytesMut};
use hoosh_core::exchange::{ChildAnswer, Exchange, JobResult, Stage, Step};
use hoosh_core::http::Headers;
use hoosh_core::wake::Wake;
use http_body::Body;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use crate::clock::{instant, now};
use crate::upstream::{Attempt, Upstreams};

/// What an exchange's wakes reach: the task that drives it.
#[derive(Default)]
pub struct Bell(AtomicWaker);

impl Wake for Bell {
    fn wake(&self) {
        self.0.wake();
    }
}

/// What the exchanges of one connection use one after the other.
#[derive(Default)]
pub struct Place {
    pub bell: Arc<Bell>,
    timer: Cell<Option<Pin<Box<Sleep>>>>,
}

/// What the caller's side must do.
pub enum Say {
    Reply(u16, Headers, Bytes),
    Start(u16, Headers),
    Emit(Bytes),
    Finish,
    Break,
    Done,
}

/// A child exchange and what it has answered so far.
struct Child {
    c: u32,
    drive: Drive,
    status: u16,
    body: BytesMut,
}

/// One exchange and everything that is open for it.
pub struct Drive {
    pub exchange: Exchange,
    place: Rc<Place>,
    upstreams: Rc<Upstreams>,
    caller: Option<Incoming>,
    caller_credit: usize,
    held: Bytes,
    attempts: Vec<Attempt>,
    job: Option<JoinHandle<JobResult>>,
    children: Vec<Child>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Drive {
    pub fn new(exchange: Exchange, place: Rc<Place>, upstreams: Rc<Upstreams>, caller: Option<Incoming>) -> Drive {
        Drive {
            exchange,
            timer: place.timer.take(),
            place,
            upstreams,
            caller,
            caller_credit: 0,
            held: Bytes::new(),
            attempts: Vec::new(),
            job: None,
            children: Vec::new(),
        }
    }

    /// Works on until something is to be said to the caller.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Say> {
        self.place.bell.0.register(cx.waker());
        let _ = self.doors(cx);
        // One reading of the clocks serves what is done without waiting.
        let now = now();
        loop {
            match self.exchange.next(now) {
                // hyper says it when the body is asked for.
                Step::Continue => {}
                Step::ReadCaller { credit } => self.caller_credit += credit,
                Step::Send { u, request } => {
                    let attempt = Attempt::new(u, request, &self.upstreams, &mut self.exchange);
                    self.attempts.push(attempt);
                }
                Step::SendBody { u, bytes } => {
                    if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.u == u) {
                        attempt.feed(Some(bytes));
                    }
                }
                Step::EndBody { u } => {
                    if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.u == u) {
                        attempt.feed(None);
                    }
                }
                Step::Read { u, credit } => {
                    if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.u == u) {
                        attempt.credit += credit;
                    }
                }
                Step::Abort { u } => self.attempts.retain(|attempt| attempt.u != u),
                // There are no engines here.
                Step::Call { u, .. } => self.exchange.failed(u, Stage::Connect, false),
                Step::Work { job } => self.job = Some(tokio::task::spawn_blocking(move || job.run())),
                Step::Child { c, exchange } => {
                    let place = Rc::new(Place { bell: self.place.bell.clone(), timer: Cell::default() });
                    let drive = Drive::new(*exchange, place, self.upstreams.clone(), None);
                    self.children.push(Child { c, drive, status: 0, body: BytesMut::new() });
                }
                Step::Reply { status, headers, body } => return Poll::Ready(Say::Reply(status, headers, body)),
                Step::Start { status, headers } => return Poll::Ready(Say::Start(status, headers)),
                Step::Emit { bytes } => return Poll::Ready(Say::Emit(bytes)),
                Step::Finish => return Poll::Ready(Say::Finish),
                Step::Break => return Poll::Ready(Say::Break),
                Step::Done => return Poll::Ready(Say::Done),
                Step::Wait { until_us } => {
                    if !self.doors(cx) && !self.sleep(until_us, cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Uses every door that something waits behind; `false` if none does.
    fn doors(&mut self, cx: &mut Context<'_>) -> bool {
        let mut used = self.caller_credit > 0 && self.read_caller(cx);
        for attempt in &mut self.attempts {
            while attempt.poll(cx, &self.upstreams, &mut self.exchange).is_ready() {
                used = true;
            }
        }
        self.attempts.retain(|attempt| !attempt.is_over());
        if let Some(Poll::Ready(Ok(result))) = self.job.as_mut().map(|job| Pin::new(job).poll(cx)) {
            self.job = None;
            self.exchange.worked(result);
            used = true;
        }
        used | (!self.children.is_empty() && self.poll_children(cx))
    }

    fn read_caller(&mut self, cx: &mut Context<'_>) -> bool {
        let mut used = false;
        while self.caller_credit > 0 {
            if !self.held.is_empty() {
                let piece = self.held.split_to(self.caller_credit.min(self.held.len()));
                self.caller_credit -= piece.len();
                self.exchange.body(piece);
                used = true;
            }
            let Some(caller) = &mut self.caller else { return used };
            let frame = if caller.is_end_stream() { Poll::Ready(None) } else { Pin::new(caller).poll_frame(cx) };
            match frame {
                Poll::Pending => return used,
                Poll::Ready(Some(Ok(frame))) => self.held = frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(_))) => {
                    self.caller = None;
                    self.exchange.caller_gone();
                    return true;
                }
                Poll::Ready(None) => {
                    self.caller = None;
                    self.exchange.body_end();
                    return true;
                }
            }
        }
        used
    }

    fn poll_children(&mut self, cx: &mut Context<'_>) -> bool {
        let (exchange, mut used) = (&mut self.exchange, false);
        self.children.retain_mut(|child| loop {
            match child.drive.poll(cx) {
                Poll::Pending => return true,
                Poll::Ready(Say::Reply(status, _, body)) => {
                    child.status = status;
                    child.drive.exchange.written(body.len());
                    child.body.extend_from_slice(&body);
                }
                Poll::Ready(Say::Start(status, _)) => child.status = status,
                Poll::Ready(Say::Emit(bytes)) => {
                    child.drive.exchange.written(bytes.len());
                    child.body.extend_from_slice(&bytes);
                }
                Poll::Ready(Say::Finish | Say::Break) => {}
                Poll::Ready(Say::Done) => {
                    let body = std::mem::take(&mut child.body).freeze();
                    exchange.child(child.c, ChildAnswer { status: child.status, body });
                    used = true;
                    return false;
                }
            }
        });
        used
    }

    /// `true` if the time is there already.
    fn sleep(&mut self, until_us: Option<u64>, cx: &mut Context<'_>) -> bool {
        let Some(at) = until_us.map(instant) else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        // One that rings too early is only a look too many; setting it anew each time costs more.
        if at < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.place.timer.set(self.timer.take());
    }
}
