//! A whole gateway: its loop, a reload and exchanges, each on a thread of its own.

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::config::{self, Config};
use hoosh_core::exchange::{Caller, RequestHead, Step};
use hoosh_core::gateway::{Gateway, LoopResult, LoopStep};
use hoosh_core::store::{MemoryStore, Op, Outcome, Store};
use hoosh_core::wake::Waker;

use super::*;

const NOW: Now = Now::new(1_000_000, 1_700_000_000_000_000);

const CONFIG: &str = r#"
[[budgets]]
name = "default"
capacity = 100_000
slice = 5_000
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
"#;

const CHAT: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// A bell that, rung, takes the locks that the gateway's loop and its reload take.
fn bell(gateway: &Arc<Gateway>) -> Arc<Bell> {
    let look = Arc::downgrade(gateway);
    Bell::new(move || {
        look.upgrade().into_iter().for_each(|gateway| {
            gateway.done(u64::MAX, LoopResult::Fetched(Err("nobody asked".into())), NOW);
            gateway.budgets();
        })
    })
}

fn run_loop(gateway: &Gateway, bell: &Bell, done: &AtomicBool) {
    let mut store = MemoryStore::new(100);
    loop {
        match gateway.next(NOW) {
            LoopStep::Store { id, op } => {
                thread::yield_now();
                let outcome = store.perform(op);
                gateway.done(id, LoopResult::Stored(outcome), NOW);
            }
            LoopStep::Log { id, .. } => gateway.done(id, LoopResult::Logged(Ok(())), NOW),
            LoopStep::Fetch { .. } | LoopStep::Cancel { .. } | LoopStep::Read { .. } => {
                unreachable!("its models and keys are configured")
            }
            LoopStep::Wait { .. } if done.load(SeqCst) => return,
            LoopStep::Wait { .. } => bell.sleep(),
            LoopStep::Over => return,
        }
    }
}

/// Asks, and leaves once an upstream is to be asked. Whether it came so far.
fn ask(gateway: &Arc<Gateway>) -> bool {
    let bell = bell(gateway);
    let waker: Waker = bell.clone();
    let mut exchange = gateway.exchange(waker, 0);
    let headers = vec![("content-type", "application/json")];
    let head = RequestHead { method: "POST", target: "/v1/chat/completions", headers: &headers, caller: Caller::Http };
    exchange.begin(head);
    exchange.body(Bytes::from_static(CHAT));
    exchange.body_end();
    loop {
        match exchange.next(NOW) {
            Step::Wait { .. } => bell.sleep(),
            Step::ReadCaller { .. } => {}
            step => return matches!(step, Step::Send { .. }),
        }
    }
}

fn without_places(mut config: Config) -> Config {
    config.limits.max_concurrency = Some(0);
    config
}

/// Faults: waking under the lock of the loop's books, in `done` or in a reload; a reload that wakes nobody.
#[test]
fn a_reload_and_a_lease_wake_without_a_lock_and_forget_nobody() {
    let one = config::parse(&format!("[limits]\nmax_concurrency = 1\n{CONFIG}"), &|_: &str| None).unwrap();
    explore(move || {
        let gateway = Gateway::new(without_places(one.clone()), 7);
        let done = Arc::new(AtomicBool::new(false));
        let loop_bell = bell(&gateway);
        gateway.set_waker(loop_bell.clone());
        let the_loop = {
            let (gateway, bell, done) = (gateway.clone(), loop_bell.clone(), done.clone());
            thread::spawn(move || run_loop(&gateway, &bell, &done))
        };
        let (shared, next) = (gateway.clone(), one.clone());
        threads(4, move |i| match i {
            0 => shared.reload(next.clone(), NOW),
            _ => assert!(ask(&shared)),
        });
        done.store(true, SeqCst);
        loop_bell.wake();
        the_loop.join().unwrap();
        let (_, budget) = gateway.budgets().remove(0);
        assert_eq!((gateway.open_exchanges(), budget.reserved, budget.waiting), (0, 0, 0));
    });
}

/// The gateway's loop; how much it leased, and gave back of it.
fn run_and_count(gateway: &Gateway, bell: &Bell, done: &AtomicBool) -> (u64, u64) {
    let mut store = MemoryStore::new(100);
    let (mut lent, mut returned) = (0, 0);
    loop {
        match gateway.next(NOW) {
            LoopStep::Store { id, op } => {
                thread::yield_now();
                if let Op::Return { tokens, .. } = &op {
                    returned += tokens;
                }
                let outcome = store.perform(op);
                if let Outcome::Leased { tokens } = &outcome {
                    lent += tokens;
                }
                gateway.done(id, LoopResult::Stored(outcome), NOW);
            }
            LoopStep::Log { id, .. } => gateway.done(id, LoopResult::Logged(Ok(())), NOW),
            LoopStep::Wait { .. } if done.load(SeqCst) => return (lent, returned),
            LoopStep::Wait { .. } => bell.sleep(),
            step => unreachable!("{step:?}"),
        }
    }
}

/// Faults: a budget that is removed, or wants a lease, while the loop looks at it, and is not looked at again.
#[test]
fn a_budget_that_goes_and_comes_and_goes_is_given_back_whole() {
    let with = config::parse(CONFIG, &|_: &str| None).unwrap();
    explore(move || {
        let gateway = Gateway::new(with.clone(), 7);
        let done = Arc::new(AtomicBool::new(false));
        let loop_bell = bell(&gateway);
        gateway.set_waker(loop_bell.clone());
        let the_loop = {
            let (gateway, bell, done) = (gateway.clone(), loop_bell.clone(), done.clone());
            thread::spawn(move || run_and_count(&gateway, &bell, &done))
        };
        let (shared, with) = (gateway.clone(), with.clone());
        threads(3, move |i| match i {
            0 => {
                let without = Config { budgets: Vec::new(), ..with.clone() };
                for next in [&without, &with, &without] {
                    shared.reload(next.clone(), NOW);
                }
            }
            _ => {
                ask(&shared);
            }
        });
        done.store(true, SeqCst);
        loop_bell.wake();
        let (lent, returned) = the_loop.join().unwrap();
        assert_eq!((lent, gateway.open_exchanges()), (returned, 0));
    });
}
