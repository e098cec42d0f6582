//! Whom the gateway's loop has to look at: budgets that want something of the store, and upstreams of which something
//! changed or whose time has come. All others cost it nothing, however many they are.

use std::collections::BTreeSet;

use super::snapshot::Snapshot;
use crate::budget::Pool;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Arc, Mutex, Weak};
use crate::wake::{Wake, Waker};

/// What others leave for the loop, and who wakes it.
#[derive(Default)]
pub(crate) struct Desk {
    waker: Mutex<Option<Waker>>,
    /// Budgets that came to want something and were not looked at since.
    pools: Mutex<Vec<Arc<Pool>>>,
    /// Names of providers of which something changed.
    upstreams: Mutex<Vec<Arc<str>>>,
}

/// Rung by a budget: puts it on the desk, and wakes the loop.
struct Bell {
    desk: Weak<Desk>,
    pool: Weak<Pool>,
}

/// Rung by the breakers of an upstream when they change: notes it for the loop's next look and wakes nobody. What changes
/// a breaker is an exchange, whose row wakes the loop, or the loop itself, under its books: this takes no lock but the desk's.
pub(crate) struct Watch {
    name: Arc<str>,
    desk: Weak<Desk>,
    /// It is on the desk.
    noted: AtomicBool,
}

impl Desk {
    /// Whoever woke it before goes back, to be dropped without a lock.
    pub fn set_waker(&self, waker: Waker) -> Option<Waker> {
        let is_wanted = !lock(&self.pools).is_empty();
        let before = lock(&self.waker).replace(waker.clone());
        if is_wanted {
            waker.wake();
        }
        before
    }

    pub fn wake_loop(&self) {
        let waker = lock(&self.waker).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Puts budgets on it, for a look later on.
    pub fn put(&self, pools: impl IntoIterator<Item = Arc<Pool>>) {
        lock(&self.pools).extend(pools);
    }

    pub fn take_pools(&self) -> Vec<Arc<Pool>> {
        std::mem::take(&mut *lock(&self.pools))
    }

    /// Something changed of the provider of that name.
    pub fn note(&self, provider: Arc<str>) {
        lock(&self.upstreams).push(provider);
    }

    pub fn bell(self: &Arc<Self>, pool: &Arc<Pool>) -> Waker {
        Arc::new(Bell { desk: Arc::downgrade(self), pool: Arc::downgrade(pool) })
    }

    pub fn watch(self: &Arc<Self>, provider: &str) -> Arc<Watch> {
        Arc::new(Watch { name: provider.into(), desk: Arc::downgrade(self), noted: AtomicBool::new(false) })
    }
}

impl Wake for Bell {
    fn wake(&self) {
        let Some((desk, pool)) = self.desk.upgrade().zip(self.pool.upgrade()) else { return };
        desk.put([pool]);
        desk.wake_loop();
    }
}

impl Wake for Watch {
    fn wake(&self) {
        if !self.noted.swap(true, Ordering::AcqRel) {
            self.desk.upgrade().into_iter().for_each(|desk| desk.note(self.name.clone()));
        }
    }
}

impl Watch {
    /// It is not on the desk any more.
    fn taken(&self) {
        self.noted.swap(false, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.name).finish()
    }
}

/// Which upstreams the loop looks at, and when, by their places in one configuration.
#[derive(Default)]
pub(super) struct Agenda {
    /// Of another one all are looked at.
    of: Weak<Snapshot>,
    /// To be looked at now.
    changed: BTreeSet<usize>,
    /// Of those that changed, whose health the log was not told.
    untold: BTreeSet<usize>,
    due: BTreeSet<(u64, usize)>,
    /// When each is in `due`.
    due_us: Vec<Option<u64>>,
}

impl Agenda {
    /// Takes what is noted on the desk.
    pub fn collect(&mut self, desk: &Desk, snapshot: &Arc<Snapshot>) {
        let noted = std::mem::take(&mut *lock(&desk.upstreams));
        if Weak::as_ptr(&self.of) != Arc::as_ptr(snapshot) {
            // What was noted of it when another was in force is among all.
            snapshot.upstreams.iter().for_each(|upstream| upstream.live.watch.taken());
            let all = 0..snapshot.upstreams.len();
            *self = Agenda {
                of: Arc::downgrade(snapshot),
                changed: all.clone().collect(),
                untold: all.clone().collect(),
                due: BTreeSet::new(),
                due_us: all.map(|_| None).collect(),
            };
        }
        for at in noted.iter().filter_map(|name| snapshot.provider(name)) {
            // Before anything is looked at: what changes after it is noted again.
            snapshot.upstreams[at].live.watch.taken();
            self.changed.insert(at);
            self.untold.insert(at);
        }
    }

    pub fn take_untold(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.untold)
    }

    /// Those to be looked at now.
    pub fn take_due(&mut self, now_us: u64) -> BTreeSet<usize> {
        while let Some((_, at)) = self.due.first().copied().filter(|(due_us, _)| *due_us <= now_us) {
            self.plan(at, None);
            self.changed.insert(at);
        }
        std::mem::take(&mut self.changed)
    }

    /// When one of them is to be looked at next, unless it changes.
    pub fn plan(&mut self, at: usize, due_us: Option<u64>) {
        if let Some(before) = std::mem::replace(&mut self.due_us[at], due_us) {
            self.due.remove(&(before, at));
        }
        self.due.extend(due_us.map(|due_us| (due_us, at)));
    }

    /// When the next is due.
    pub fn next_us(&self) -> Option<u64> {
        self.due.first().map(|(due_us, _)| *due_us)
    }
}
