//! What threads can do to limits, single flight, budgets and their wake-ups: the real types under shuttle's schedulers.
//!
//!     cargo test -p hoosh-core --features shuttle --test shuttle
//!
//! A waiter sleeps until its waker is called and not a moment longer, so a lost wake-up ends in "deadlock!". Every waker
//! looks into the object that wakes it, so waking under a lock ends in "tried to acquire a Mutex it already holds".
//! Each test runs under the random scheduler and under PCT, which finds bugs that need few but certain switches.
//! "Faults" names what was planted, one line at a time, and made that test fail.
#[path = "shuttle/gateway.rs"]
mod gateway;

use hoosh_core::budget::{Answer, Pool, Reservation, Reserve};
use hoosh_core::flight::{Flights, Follow, Join, Leader};
use hoosh_core::limit::{Acquire, Ask, Concurrency, Line, Patience, Permit, Rate, TokenCharge};
use hoosh_core::wake::{Wake, Waker};
use shuttle::rand::{thread_rng, Rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::{thread, Config, Runner};

/// By each scheduler.
const RUNS: usize = 5_000;

fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    let again = scenario.clone();
    // The first to read the catalogue needs more than the usual 60 KiB.
    let config = || {
        let mut config = Config::new();
        config.stack_size = 512 << 10;
        config
    };
    Runner::new(RandomScheduler::new(RUNS), config()).run(move || scenario());
    Runner::new(PctScheduler::new(3, RUNS), config()).run(move || again());
}

/// Runs `body` on `n` threads, with the number of each.
fn threads(n: u64, body: impl Fn(u64) + Send + Sync + 'static) {
    let body = Arc::new(body);
    let all: Vec<_> = (0..n)
        .map(|i| {
            let body = body.clone();
            thread::spawn(move || body(i))
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

fn one_in(n: u32) -> bool {
    thread_rng().gen_range(0..n) == 0
}

/// A driver's sleep: level-triggered, and it asks `look` (which locks the object) whenever it is woken.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    look: Box<dyn Fn() + Send + Sync>,
}

impl Bell {
    fn new(look: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new(), look: Box::new(look) })
    }

    fn sleep(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(&self) {
        (self.look)();
        *self.rung.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// Counts who is inside, and checks the bound from inside.
fn inside(running: &AtomicU64, max: u64) {
    assert!(running.fetch_add(1, SeqCst) < max, "more at once than allowed");
    thread::yield_now();
    running.fetch_sub(1, SeqCst);
}

/// The permit, or `None` where the thread gave up or was refused.
fn acquire(limit: &Arc<Concurrency>, owner: u64) -> Option<Permit> {
    let look = Arc::downgrade(limit);
    let bell = Bell::new(move || {
        look.upgrade().into_iter().for_each(|limit| {
            limit.state();
        })
    });
    let waker: Waker = bell.clone();
    let mut ticket = match limit.acquire(owner, &waker) {
        Acquire::Held(permit) => return Some(permit),
        Acquire::Waiting(ticket) => ticket,
        Acquire::Refused => return None,
    };
    if one_in(3) {
        return ticket.poll();
    }
    loop {
        bell.sleep();
        if let Some(permit) = ticket.poll() {
            return Some(permit);
        }
    }
}

/// Faults: `acquire` with `<=`; a granted ticket's drop that does not pass the place on; a release that wakes nobody; a
/// release that frees the place, unlocks, and only then admits whoever waits; waking under the lock.
#[test]
fn never_more_than_max_and_nobody_is_forgotten() {
    explore(|| {
        let limit = Concurrency::new(2, 3);
        let running = AtomicU64::new(0);
        let shared = limit.clone();
        threads(5, move |i| {
            if let Some(permit) = acquire(&shared, i % 2) {
                inside(&running, 2);
                drop(permit);
            }
        });
        assert_eq!((limit.state().held, limit.state().waiting), (0, 0));
    });
}

/// Fault: `set_max` that does not wake whom it lets in.
#[test]
fn a_limit_raised_from_nothing_lets_everybody_in() {
    explore(|| {
        let limit = Concurrency::new(0, 3);
        let running = AtomicU64::new(0);
        let shared = limit.clone();
        threads(4, move |i| match i {
            0 => drop(shared.set_max(2)),
            _ => {
                if let Some(permit) = acquire(&shared, i) {
                    inside(&running, 2);
                    drop(permit);
                }
            }
        });
        assert_eq!((limit.state().held, limit.state().waiting), (0, 0));
    });
}

/// Tokens of both rates, or `None` where the thread gave up. No time passes: whoever waits is let in by a wake or never.
fn take_turn(rates: &[Arc<Rate>; 2], owner: u64) -> Option<Arc<TokenCharge>> {
    let looked_at = rates.each_ref().map(Arc::downgrade);
    let bell = Bell::new(move || {
        looked_at.iter().filter_map(|rate| rate.upgrade()).for_each(|rate| {
            rate.waiting();
        })
    });
    let waker: Waker = bell.clone();
    let asks = rates.each_ref().map(|rate| Ask::tokens(rate, 40));
    let patience = Patience { until_us: u64::MAX - 1, max_waiting: 9 };
    let mut line = Line::default();
    loop {
        if line.rest_us(0).is_none() {
            if let Ok(charge) = line.take(&asks, owner, 0) {
                return charge;
            }
            if line.wait(&asks, owner, &waker, patience, 0) == Ok(0) {
                continue;
            }
        }
        if one_in(3) {
            return None;
        }
        bell.sleep();
    }
}

/// Faults: a correction, or a ticket's drop, that wakes nobody; one who goes, or goes on to the next line, and wakes nobody.
#[test]
fn never_more_than_the_tokens_of_a_minute_and_no_turn_is_forgotten() {
    explore(|| {
        let rates = [Arc::new(Rate::new(100, 100)), Arc::new(Rate::new(60, 60))];
        let running = AtomicU64::new(0);
        let shared = rates.clone();
        threads(4, move |i| {
            if let Some(charge) = take_turn(&shared, i % 2) {
                inside(&running, 1);
                drop(charge);
            }
        });
        assert!(rates.iter().all(|rate| rate.waiting() == 0 && rate.has_room(1)));
    });
}

/// What one leader does; at most one at a time.
fn lead(leader: Leader<u64>, leading: &AtomicU64, answer: u64) {
    inside(leading, 1);
    match thread_rng().gen_range(0..3) {
        0 => leader.land(Arc::new(answer)),
        1 => leader.part(),
        _ => drop(leader),
    }
}

fn fly(flights: &Arc<Flights<u64>>, leading: &AtomicU64, me: u64) {
    let look = Arc::downgrade(flights);
    let bell = Bell::new(move || {
        look.upgrade().into_iter().for_each(|flights| {
            flights.len();
        })
    });
    let waker: Waker = bell.clone();
    let mut follower = match flights.join([0; 32], &waker) {
        Join::Leader(leader) => return lead(leader, leading, me),
        Join::Follower(follower) => follower,
    };
    if one_in(3) {
        return;
    }
    loop {
        bell.sleep();
        match follower.poll() {
            Follow::Waiting => {}
            Follow::Landed(answer) => return assert_ne!(*answer, me, "the answer of another"),
            Follow::Parted => return,
            Follow::Promoted(leader) => {
                drop(follower);
                return lead(leader, leading, me);
            }
        }
    }
}

/// Faults: `heir = None` left out of `poll`; an heir's drop that does not pass the lead on; a leader's drop that wakes
/// nobody; `land` that wakes nobody, or wakes before the answer is there; waking under the lock.
#[test]
fn exactly_one_leads_and_every_follower_comes_down() {
    explore(|| {
        let flights = Flights::new();
        let leading = AtomicU64::new(0);
        let shared = flights.clone();
        threads(5, move |me| fly(&shared, &leading, me));
        assert!(flights.is_empty());
    });
}

const CAPACITY: u64 = 60;

fn check(pool: &Pool) {
    let state = pool.state();
    assert!(state.reserved + state.used <= state.leased, "more granted than leased: {state:?}");
    assert!(state.leased <= CAPACITY, "a lease counted twice: {state:?}");
}

fn reserve(pool: &Arc<Pool>, min: u64, want: u64) -> Option<Reservation> {
    let look = Arc::downgrade(pool);
    let bell = Bell::new(move || {
        look.upgrade().into_iter().for_each(|pool| {
            pool.state();
        })
    });
    let waker: Waker = bell.clone();
    let mut ticket = match pool.reserve(min, want, &waker) {
        Reserve::Granted(reservation) => return Some(reservation),
        Reserve::Waiting(ticket) => ticket,
        Reserve::Refused { .. } => return None,
    };
    if one_in(4) {
        return None;
    }
    loop {
        bell.sleep();
        match ticket.poll() {
            Answer::Waiting => {}
            Answer::Granted(reservation) => return Some(reservation),
            Answer::Refused { .. } | Answer::Unavailable => return None,
        }
    }
}

/// The gateway's loop with a store that answers fully, partly, twice, or fails: until everybody is done.
fn run_store(pool: &Arc<Pool>, bell: &Bell, done: &AtomicBool) {
    let mut lent = 0;
    while !done.load(SeqCst) {
        bell.sleep();
        while let Some(ask) = pool.lease_wanted() {
            thread::yield_now();
            if one_in(4) {
                pool.lease_failed(ask.id);
                continue;
            }
            let rest = ask.capacity.saturating_sub(lent);
            let tokens = if one_in(4) { rest.min(ask.tokens) / 2 } else { rest.min(ask.tokens) };
            lent += tokens;
            assert!(pool.leased(ask.id, tokens));
            assert!(!pool.leased(ask.id, tokens));
        }
    }
}

/// One exchange; the result is what it used.
fn spend(pool: &Arc<Pool>, min: u64, want: u64) -> u64 {
    let Some(mut reservation) = reserve(pool, min, want) else { return 0 };
    check(pool);
    reservation.extend(3);
    let child = reservation.carve(2).map_or(0, |child| {
        let used = child.tokens() / 2;
        child.settle(used);
        used
    });
    check(pool);
    if one_in(3) {
        return child;
    }
    let used = reservation.tokens() / 2;
    assert_eq!(reservation.settle(used).overrun, 0);
    used + child
}

/// Faults: `free` that forgets `used` or `reserved`; a settle that keeps the reservation; a ticket's drop that forgets
/// its grant; a waiter or the loop not woken; an answer believed twice; waking under the lock.
#[test]
fn never_more_than_leased_settled_once_and_nobody_is_forgotten() {
    explore(|| {
        let pool = Pool::new("test", CAPACITY, 10);
        let done = Arc::new(AtomicBool::new(false));
        let look = Arc::downgrade(&pool);
        let bell = Bell::new(move || {
            look.upgrade().into_iter().for_each(|pool| {
                pool.state();
            })
        });
        pool.on_lease_wanted(bell.clone());
        let store = {
            let (pool, bell, done) = (pool.clone(), bell.clone(), done.clone());
            thread::spawn(move || run_store(&pool, &bell, &done))
        };
        let used = Arc::new(AtomicU64::new(0));
        let (shared, sum) = (pool.clone(), used.clone());
        threads(4, move |i| match i {
            0 => {
                shared.set_capacity(CAPACITY / 2);
                shared.set_capacity(CAPACITY);
            }
            _ => {
                sum.fetch_add(spend(&shared, 3 + i, 4 + 8 * i), SeqCst);
            }
        });
        done.store(true, SeqCst);
        bell.wake();
        store.join().unwrap();
        let state = pool.state();
        check(&pool);
        assert_eq!((state.reserved, state.waiting, state.used), (0, 0, used.load(SeqCst)));
    });
}
