//! The driver: performs the steps of one exchange and tells it what happened.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hoosh_core::exchange::{ChildAnswer, Exchange, JobResult, Stage, Step, UpstreamId};
use hoosh_core::http::Headers;
use hoosh_upstream::{Attempt, Event, Upstreams};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use crate::bell::Bell;
use crate::clock::{instant, now};
use crate::edge::Shared;
use crate::engine::EngineCall;
use crate::hosted::Hosted;
use crate::service::Body;

/// What the exchanges of one connection use one after the other.
pub struct Place {
    pub bell: Arc<Bell>,
    pub shared: Arc<Shared>,
    pub upstreams: Rc<Upstreams>,
    /// The caller's number, where it is one of this process; else 0.
    caller: u64,
    timer: Cell<Option<Pin<Box<Sleep>>>>,
}

impl Place {
    pub fn new(bell: Arc<Bell>, shared: Arc<Shared>, upstreams: Rc<Upstreams>) -> Rc<Place> {
        Place::of(0, bell, shared, upstreams)
    }

    /// That of a caller of this process.
    pub fn of(caller: u64, bell: Arc<Bell>, shared: Arc<Shared>, upstreams: Rc<Upstreams>) -> Rc<Place> {
        Rc::new(Place { bell, shared, upstreams, caller, timer: Cell::default() })
    }
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

/// Whoever answers an attempt.
enum Way {
    Upstream(Box<Attempt>),
    Engine(EngineCall),
    Hosted(Hosted),
}

/// One exchange and everything that is open for it.
pub struct Drive {
    /// Apart, because it is large and a drive is moved about.
    pub exchange: Box<Exchange>,
    place: Rc<Place>,
    caller: Body,
    credit: usize,
    attempts: Vec<(UpstreamId, Way)>,
    job: Option<JoinHandle<JobResult>>,
    children: Vec<Child>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Said while nobody asked; no more than the exchange lets its caller be behind.
    said: VecDeque<Say>,
}

impl Drive {
    pub fn new(exchange: Box<Exchange>, place: Rc<Place>, caller: Body) -> Drive {
        Drive {
            exchange,
            timer: place.timer.take(),
            place,
            caller,
            credit: 0,
            attempts: Vec::new(),
            job: None,
            children: Vec::new(),
            said: VecDeque::new(),
        }
    }

    /// Works on beside a caller that takes nothing now, so that times pass and upstreams are heard. The last word, if there is one:
    /// after `Break` the caller must be cut off.
    pub fn work_on(&mut self, cx: &mut Context<'_>) -> Option<&Say> {
        let is_last = |said: &&Say| matches!(said, Say::Finish | Say::Break | Say::Done);
        while self.said.back().filter(is_last).is_none() {
            match self.step(cx) {
                Poll::Ready(say) => self.said.push_back(say),
                Poll::Pending => return None,
            }
        }
        self.said.back()
    }

    /// The caller is not read any more.
    pub fn leave_caller(&mut self) {
        self.caller = Body::none();
    }

    /// Works on until something is to be said to the caller.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Say> {
        match self.said.pop_front() {
            Some(said) => Poll::Ready(said),
            None => self.step(cx),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Say> {
        self.place.bell.0.register(cx.waker());
        let _ = self.doors(cx);
        // One reading of the clocks serves what is done without waiting.
        let now = now();
        loop {
            match self.exchange.next(now) {
                // It is said when the body is asked for.
                Step::Continue => {}
                Step::ReadCaller { credit } => self.credit += credit,
                Step::Send { u, request } => {
                    self.attempts.push((u, Way::Upstream(Box::new(Attempt::new(&self.place.upstreams, request)))));
                }
                Step::Call { u, engine, request } => self.call(u, engine, request),
                Step::SendBody { u, bytes } => self.feed(u, Some(bytes)),
                Step::EndBody { u } => self.feed(u, None),
                Step::Read { u, credit } => match self.way(u) {
                    Some(Way::Upstream(attempt)) => attempt.wants(credit),
                    Some(Way::Engine(engine)) => engine.wants(credit),
                    Some(Way::Hosted(hosted)) => hosted.wants(credit),
                    None => {}
                },
                Step::Abort { u } => self.attempts.retain(|(known, _)| *known != u),
                Step::Work { job } => self.job = Some(tokio::task::spawn_blocking(move || job.run())),
                Step::Child { c, exchange } => {
                    let Place { bell, shared, upstreams, caller, .. } = &*self.place;
                    let place = Place::of(*caller, bell.clone(), shared.clone(), upstreams.clone());
                    let drive = Drive::new(exchange, place, Body::none());
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

    fn way(&mut self, u: UpstreamId) -> Option<&mut Way> {
        self.attempts.iter_mut().find(|(known, _)| *known == u).map(|(_, way)| way)
    }

    fn feed(&mut self, u: UpstreamId, piece: Option<Bytes>) {
        if let Some(Way::Upstream(attempt)) = self.way(u) {
            attempt.feed(piece);
        }
    }

    /// An engine of Rust is asked here; everybody else in the engine host.
    fn call(&mut self, u: UpstreamId, name: Arc<str>, request: hoosh_core::dialects::neutral::Request) {
        let Place { bell, shared, caller, .. } = &*self.place;
        let native = if request.upstream.is_none() { shared.engine(&name) } else { None };
        let way = match native {
            Some(engine) => Way::Engine(EngineCall::new(shared, name, engine, request, bell.clone())),
            None if shared.has_host() => Way::Hosted(Hosted::new(&shared.host, *caller, name, request, bell.clone())),
            None => return self.exchange.failed(u, Stage::Connect, false),
        };
        self.attempts.push((u, way));
    }

    /// Uses every door that something waits behind; `false` if none does.
    fn doors(&mut self, cx: &mut Context<'_>) -> bool {
        let mut used = self.credit > 0 && self.caller.read(cx, &mut self.credit, &mut self.exchange);
        let exchange = &mut self.exchange;
        self.attempts.retain_mut(|(u, way)| match way {
            Way::Upstream(attempt) => {
                while let Poll::Ready(event) = attempt.poll(cx) {
                    used = true;
                    tell(exchange, *u, event);
                }
                !attempt.is_over()
            }
            Way::Engine(engine) => {
                used |= engine.pump(*u, exchange);
                !engine.is_over()
            }
            Way::Hosted(hosted) => {
                used |= hosted.pump(*u, exchange);
                !hosted.is_over()
            }
        });
        if let Some(Poll::Ready(done)) = self.job.as_mut().map(|job| Pin::new(job).poll(cx)) {
            self.job = None;
            // A job that panicked leaves its exchange without a word; the panic goes on here and ends this request alone.
            self.exchange.worked(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
            used = true;
        }
        used | (!self.children.is_empty() && self.poll_children(cx))
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

fn tell(exchange: &mut Exchange, u: UpstreamId, event: Event) {
    match event {
        Event::Connected => exchange.connected(u),
        Event::Took(bytes) => exchange.took(u, bytes),
        Event::Sent => exchange.sent(u),
        Event::Head(status, headers) => exchange.head(u, status, &headers),
        Event::Data(bytes) => exchange.data(u, bytes),
        Event::End => exchange.end(u),
        Event::Failed { stage, reused } => exchange.failed(u, stage, reused),
    }
}
