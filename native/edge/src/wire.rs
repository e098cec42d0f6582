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
const HEAD: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: longer than the pools of callers and proxies keep theirs (5 to 60 s), so that none
/// is closed under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long the rest of a body that nobody wants may take.
const REST: Duration = Duration::from_secs(2);

/// What a connection waits for, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// A request is in progress, and its exchange minds the time.
    No,
    /// The first byte of a head.
    Idle(Instant),
    /// The rest of a head.
    Head(Instant),
    /// The rest of a body that nobody wants.
    Rest(Instant),
}

impl Waits {
    /// Whether the time of what it waits for is up.
    pub fn is_up(self, now: Instant) -> bool {
        match self {
            Waits::No => false,
            Waits::Idle(since) => now - since >= KEEP_ALIVE,
            Waits::Head(since) => now - since >= HEAD,
            Waits::Rest(since) => now - since >= REST,
        }
    }
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
    /// What the connection becomes once the head of its answer is written.
    pub tunnel: RefCell<Option<Box<Tunnel>>>,
    /// Its caller is to be told `100 Continue`.
    pub wants_word: Cell<bool>,
    /// It ends because nobody asks any more, and nothing is left to be read.
    pub retired: Cell<bool>,
    /// It is read no more: its time is up, or the server goes down.
    pub closing: Cell<bool>,
    /// Its socket is closed now, without what was not taken yet.
    pub cut: Cell<bool>,
    /// Why the body that came last is refused.
    pub refusal: RefCell<Option<Refusal>>,
    /// Wakes whoever serves it.
    task: RefCell<Option<Waker>>,
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
            tunnel: RefCell::new(None),
            wants_word: Cell::new(false),
            retired: Cell::new(false),
            closing: Cell::new(false),
            cut: Cell::new(false),
            refusal: RefCell::new(None),
            task: RefCell::new(None),
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
        *self.current.borrow_mut() = None;
    }

    /// Nobody asks for more while the socket takes nothing: has the exchange look at the time, and at its upstream.
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
        if self.waits.get().is_up(now) {
            self.wake();
        }
        let is_done = !self.busy.get() || self.all_said.get() || self.passes.get();
        if is_done && self.stuck.get().is_some_and(|since| now - since >= stall) {
            self.cut();
        }
    }

    /// Has whoever serves it, and the exchange, look again.
    pub fn wake(&self) {
        self.wake_task();
        self.bell.wake();
    }

    /// Has whoever serves it look again.
    pub fn wake_task(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Who serves it is woken so from now on.
    pub fn note_task(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        match &mut *task {
            Some(known) => known.clone_from(cx.waker()),
            None => *task = Some(cx.waker().clone()),
        }
    }

    /// The socket takes nothing now.
    pub fn is_stuck(&self) {
        if self.stuck.get().is_none() {
            self.stuck.set(Some(about_now()));
        }
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
