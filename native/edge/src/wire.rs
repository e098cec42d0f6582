//! What the parts of one connection tell each other, and whoever minds its time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hoosh_core::wake::Wake;
use hoosh_core::wire::Refusal;

use crate::bell::Bell;
use crate::clock::about_now;
use crate::drive::{Drive, Say};
use crate::tunnel::Tunnel;

/// How long a head may take from its first byte to its last.
pub const HEAD: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: longer than the pools of callers and proxies keep theirs (5 to 60 s), so that none
/// is closed under a request.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What a connection waits for, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// A request is in progress, and its exchange minds the time.
    No,
    /// The first byte of a head.
    Idle(Instant),
    /// The rest of a head.
    Head(Instant),
}

/// One connection's state, shared by those who read, write and answer, all in one thread.
pub struct Wire {
    pub waits: Cell<Waits>,
    /// Which of its thread's connections became idle before which others.
    pub idle_turn: Cell<u64>,
    /// Since when the socket takes nothing.
    pub stuck: Cell<Option<Instant>>,
    /// A request is answered now.
    pub busy: Cell<bool>,
    /// Its exchange has no more to say, whatever of that was taken.
    pub all_said: Cell<bool>,
    /// An application that is mounted answers, and what it says passes through.
    pub passes: Cell<bool>,
    /// The request that was given on last is the handshake of a websocket, for an application that is mounted.
    pub shakes: Cell<bool>,
    /// What the connection becomes once hyper is done with it.
    pub tunnel: RefCell<Option<Box<Tunnel>>>,
    /// Part of a head came behind the request that is answered now.
    pub in_head: Cell<bool>,
    /// Its end was told to hyper because nobody asks any more, and nothing is left to be read.
    pub retired: Cell<bool>,
    /// It is read no more: its time is up, or the server goes down.
    pub closing: Cell<bool>,
    /// Its socket is closed now, without what was not taken yet.
    pub cut: Cell<bool>,
    /// Why the head, or the body, that came last is refused.
    pub refusal: RefCell<Option<Refusal>>,
    pub reader: RefCell<Option<Waker>>,
    pub writer: RefCell<Option<Waker>>,
    /// Of its exchanges.
    pub bell: Arc<Bell>,
    /// The exchange that is answered now.
    pub current: RefCell<Option<Rc<RefCell<Drive>>>>,
}

impl Wire {
    pub fn new() -> Rc<Wire> {
        Rc::new(Wire {
            waits: Cell::new(Waits::Idle(about_now())),
            idle_turn: Cell::new(next_turn()),
            stuck: Cell::new(None),
            busy: Cell::new(false),
            all_said: Cell::new(false),
            passes: Cell::new(false),
            shakes: Cell::new(false),
            tunnel: RefCell::new(None),
            in_head: Cell::new(false),
            retired: Cell::new(false),
            closing: Cell::new(false),
            cut: Cell::new(false),
            refusal: RefCell::new(None),
            reader: RefCell::new(None),
            writer: RefCell::new(None),
            bell: Arc::default(),
            current: RefCell::new(None),
        })
    }

    /// It waits for the first byte of a head.
    pub fn idles(&self) {
        if !matches!(self.waits.get(), Waits::Idle(_)) {
            self.waits.set(Waits::Idle(about_now()));
            self.idle_turn.set(next_turn());
        }
    }

    /// The exchange has said its last word.
    pub fn answered(&self) {
        self.busy.set(false);
        self.all_said.set(false);
        self.passes.set(false);
        // hyper has asked for more already, and does not ask again before something comes.
        if self.waits.get() == Waits::No {
            if self.in_head.get() {
                self.waits.set(Waits::Head(about_now()));
            } else {
                self.idles();
            }
        }
        *self.current.borrow_mut() = None;
    }

    /// hyper asks for nothing while the socket takes nothing: has the exchange look at the time, and at its upstream.
    pub fn work_on(&self, cx: &mut Context<'_>) {
        let Some(current) = self.current.borrow().clone() else { return };
        let Ok(mut drive) = current.try_borrow_mut() else { return };
        let is_over = match drive.work_on(cx) {
            Some(Say::Break) => true,
            last => {
                self.all_said.set(last.is_some());
                false
            }
        };
        drop(drive);
        if is_over && !self.cut.get() {
            self.cut();
        }
    }

    /// Nothing new is begun; what is in progress ends.
    pub fn close(&self) {
        self.closing.set(true);
        self.wake();
    }

    /// Its time is up, whatever it does.
    pub fn cut(&self) {
        self.cut.set(true);
        self.wake();
    }

    /// Looks at the time. Of an answer of which the exchange is done the caller may take nothing for `stall`.
    pub fn mind(&self, now: Instant, stall: Duration) {
        let is_up = match self.waits.get() {
            Waits::No => false,
            Waits::Idle(since) => now - since >= KEEP_ALIVE,
            Waits::Head(since) => now - since >= HEAD,
        };
        if is_up {
            self.wake();
        }
        let is_done = !self.busy.get() || self.all_said.get() || self.passes.get();
        if is_done && self.stuck.get().is_some_and(|since| now - since >= stall) {
            self.cut();
        }
    }

    /// Has reader, writer and exchange look again.
    pub fn wake(&self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
        self.bell.wake();
    }

    /// Whether a request's body was refused, and why.
    pub fn body_refusal(&self) -> Option<Refusal> {
        self.refusal.borrow().as_ref().filter(|refusal| refusal.ending.is_some()).cloned()
    }
}

/// Counts on for each connection of this thread that becomes idle: times of half a second do not tell them apart.
fn next_turn() -> u64 {
    thread_local! {
        static LAST: Cell<u64> = const { Cell::new(0) };
    }
    LAST.set(LAST.get() + 1);
    LAST.get()
}
