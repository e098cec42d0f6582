//! A thread of the edge: its connections, and the upstreams that their exchanges ask.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hoosh_core::wake::Wake;
use hoosh_upstream::Upstreams;
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::bell::Bell;
use crate::clock::tick;
use crate::connection::serve;
use crate::edge::Shared;
use crate::inside;
use crate::listen::Ticket;
use crate::wire::{Waits, Wire};

/// How often the times of connections are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Threads for jobs, beside each thread of the edge.
const JOBS: usize = 2;

/// What a thread is told.
pub enum Order {
    /// Serve a connection.
    Serve(TcpStream, Ticket),
    /// Drive a call of this process.
    Call(Box<inside::Order>),
    /// Close the connection that is idle for the longest; whether there is one.
    Shed(oneshot::Sender<bool>),
    /// End each connection after the request that it is in.
    Close,
    /// Have all exchanges look.
    Look,
    /// Close all connections now.
    Cut,
    /// End.
    End,
}

/// What all connections of a thread use.
pub struct Hands {
    pub shared: Arc<Shared>,
    pub upstreams: Rc<Upstreams>,
    /// The thread's number.
    pub lane: usize,
}

/// A thread, as whoever hands connections out holds it.
pub struct Worker {
    orders: UnboundedSender<Order>,
    /// Its connections.
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts thread number `lane`.
    pub fn start(shared: &Arc<Shared>, lane: usize) -> std::io::Result<Worker> {
        let (orders, taken) = unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let (shared, counted) = (shared.clone(), load.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(JOBS).build()?;
        let run = move || {
            let hands = Hands { upstreams: shared.upstreams(), shared, lane };
            tokio::task::LocalSet::new().block_on(&runtime, run(Rc::new(hands), taken, counted));
            // A job that never ends must not hold the exit.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name(format!("hoosh-edge-{lane}")).spawn(run)?;
        Ok(Worker { orders, load, thread: Some(thread) })
    }

    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub fn tell(&self, order: Order) {
        if matches!(order, Order::Serve(..) | Order::Call(_)) {
            self.load.fetch_add(1, Ordering::Relaxed);
        }
        // It ends only when it is told to.
        let _ = self.orders.send(order);
    }

    pub fn join(&mut self) {
        self.tell(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The connections of a thread, by number.
type Wires = Rc<RefCell<HashMap<u64, Rc<Wire>>>>;
/// What wakes each call of this process that a thread drives, by number.
type Bells = Rc<RefCell<HashMap<u64, Arc<Bell>>>>;

async fn run(hands: Rc<Hands>, mut orders: UnboundedReceiver<Order>, load: Arc<AtomicUsize>) {
    let (wires, bells, mut number, mut closing) = (Wires::default(), Bells::default(), 0, false);
    tokio::task::spawn_local(mind(wires.clone(), hands.clone()));
    while let Some(order) = orders.recv().await {
        match order {
            Order::Serve(stream, ticket) => {
                number += 1;
                let open = Open { wires: wires.clone(), number, load: load.clone(), _ticket: ticket };
                begin(stream, &hands, open, closing);
            }
            Order::Call(order) => {
                number += 1;
                bells.borrow_mut().insert(number, order.bell());
                let asked = Asked { bells: bells.clone(), number, load: load.clone() };
                let hands = hands.clone();
                tokio::task::spawn_local(async move {
                    let _asked = asked;
                    order.drive(hands).await;
                });
            }
            Order::Shed(told) => {
                let idle = longest_idle(&wires);
                idle.iter().for_each(|wire| wire.close());
                let _ = told.send(idle.is_some());
            }
            Order::Close => {
                closing = true;
                each(&wires, Wire::close);
            }
            Order::Look => {
                each(&wires, Wire::wake);
                bells.borrow().values().for_each(|bell| bell.wake());
            }
            Order::Cut => each(&wires, Wire::cut),
            Order::End => break,
        }
    }
}

/// A connection's place among the others, given up when it is dropped.
struct Open {
    wires: Wires,
    number: u64,
    load: Arc<AtomicUsize>,
    _ticket: Ticket,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.wires.borrow_mut().remove(&self.number);
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call's place among the others, given up when it is dropped.
struct Asked {
    bells: Bells,
    number: u64,
    load: Arc<AtomicUsize>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.bells.borrow_mut().remove(&self.number);
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

fn begin(stream: TcpStream, hands: &Rc<Hands>, open: Open, closing: bool) {
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    let _ = stream.set_nodelay(true);
    let wire = Wire::new();
    wire.closing.set(closing);
    open.wires.borrow_mut().insert(open.number, wire.clone());
    let hands = hands.clone();
    tokio::task::spawn_local(async move {
        let _open = open;
        serve(stream, wire, hands).await;
    });
}

fn each(wires: &Wires, tell: impl Fn(&Wire)) {
    let all: Vec<Rc<Wire>> = wires.borrow().values().cloned().collect();
    all.iter().for_each(|wire| tell(wire));
}

fn longest_idle(wires: &Wires) -> Option<Rc<Wire>> {
    let wires = wires.borrow();
    let is_idle = |wire: &&Rc<Wire>| !wire.closing.get() && matches!(wire.waits.get(), Waits::Idle(_));
    wires.values().filter(is_idle).min_by_key(|wire| wire.idle_turn.get()).cloned()
}

/// Looks at the times of all connections, callers' and upstreams'.
async fn mind(wires: Wires, hands: Rc<Hands>) {
    tick();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = tick();
        let stall = Duration::from_secs(hands.shared.gateway.caller_stall_secs());
        each(&wires, |wire| wire.mind(now, stall));
        hands.upstreams.expire();
    }
}
