//! What a model has said and its reader has not taken yet.

use std::collections::VecDeque;

use hoosh_core::dialects::neutral::Item;
use hoosh_core::engine::{Answer, Refusal, Said, AHEAD};
use hoosh_core::sync::{lock, Arc, Mutex};
use hoosh_core::wake::Waker;

/// Is called when a reader has taken or left. Must not block.
pub(crate) type Nudge = Box<dyn Fn() + Send>;

/// A way from a model to a reader: the end that speaks and the end that listens.
pub(crate) fn outbox(waker: Waker, nudge: Nudge) -> (Outlet, Inbox) {
    let shared = Arc::new(Shared { state: Mutex::new(State::default()), waker });
    (Outlet { shared: shared.clone() }, Inbox { shared, nudge })
}

struct Shared {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// What they weigh.
    weight: usize,
    /// What is said once they are taken.
    last: Option<Said>,
    /// Whether the last word was put in, taken or not.
    over: bool,
    /// The reader is gone.
    left: bool,
}

/// The end that speaks. If it is dropped before its last word, the reader hears that the model failed.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
}

impl Outlet {
    /// Says one thing more.
    pub(crate) fn say(&self, item: Item) {
        let mut state = lock(&self.shared.state);
        if state.left || state.over {
            return;
        }
        state.weight += item.weight();
        state.items.push_back(item);
        drop(state);
        self.shared.waker.wake();
    }

    /// Says the last word; what comes after it is lost.
    pub(crate) fn last(&self, said: Said) {
        let mut state = lock(&self.shared.state);
        if state.over {
            return;
        }
        state.over = true;
        state.last = Some(said);
        let left = state.left;
        drop(state);
        // Those who clear away calls whose readers have left may hold locks, under which nobody is woken.
        if !left {
            self.shared.waker.wake();
        }
    }

    /// Refuses, if nothing was said before.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.last(Said::Refused(refusal));
    }

    /// Breaks off.
    pub(crate) fn fail(&self, why: impl Into<String>) {
        self.last(Said::Failed(why.into()));
    }

    /// Whether the reader is gone.
    pub(crate) fn is_left(&self) -> bool {
        lock(&self.shared.state).left
    }

    /// Whether the reader has so much to take that nothing should be added.
    pub(crate) fn is_behind(&self) -> bool {
        lock(&self.shared.state).weight >= AHEAD
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.fail("the model stopped in the middle of an answer");
    }
}

/// The end that listens.
pub(crate) struct Inbox {
    shared: Arc<Shared>,
    nudge: Nudge,
}

impl Answer for Inbox {
    fn next(&mut self, credit: usize) -> Said {
        let mut state = lock(&self.shared.state);
        match state.items.front().map(Item::weight) {
            Some(weight) if weight > credit => Said::Nothing,
            Some(weight) => {
                let was_behind = state.weight >= AHEAD;
                state.weight -= weight;
                let caught_up = was_behind && state.weight < AHEAD;
                let item = state.items.pop_front();
                drop(state);
                if caught_up {
                    (self.nudge)();
                }
                item.map_or(Said::Nothing, Said::Item)
            }
            None => state.last.take().unwrap_or(Said::Nothing),
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.left = true;
        let items = std::mem::take(&mut state.items);
        drop(state);
        drop(items);
        (self.nudge)();
    }
}
