//! The edge as a whole: started, told what Python brings, and ended.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hoosh_core::config::LogLevel;
use hoosh_core::engine::Engine;
use hoosh_core::gateway::Gateway;
use hoosh_core::store::Outcome;
use hoosh_core::wake::{Wake, Waker};
use hoosh_upstream::Upstreams;

use crate::bell::Ring;
use crate::chores::{self, Keeper, Progress};
use crate::clock::{go_with, now};
use crate::engine::guarded;
use crate::host::Host;
use crate::inside::{self, Call, Question};
use crate::listen::{self, Counts, Stop};
use crate::log::Log;
use crate::passed::Way;
use crate::worker::{Order, Worker};

/// A store that goes on failing is told of so often, microseconds.
const COMPLAIN_US: u64 = 10_000_000;

type Engines = HashMap<Arc<str>, Arc<dyn Engine>>;

/// What all threads of the edge use.
pub struct Shared {
    pub gateway: Arc<Gateway>,
    /// Where the paths that it answers begin; mostly empty.
    pub prefix: String,
    pub host: Arc<Host>,
    pub log: Log,
    pub counts: Arc<Counts>,
    pub ring: Ring,
    pub progress: Progress,
    /// To the applications that are mounted, where there are any.
    pub way: OnceLock<Arc<Way>>,
    engines: ArcSwap<Engines>,
    has_host: AtomicBool,
    /// How connections to upstreams are kept, and what all threads know of TLS.
    kept: hoosh_upstream::Settings,
    complained_us: AtomicU64,
    /// The store's last answer was that it failed.
    store_fails: AtomicBool,
}

impl Shared {
    /// New ones for a thread.
    pub fn upstreams(&self) -> Rc<Upstreams> {
        Rc::new(Upstreams::new(self.kept.clone()))
    }

    pub fn engine(&self, name: &str) -> Option<Arc<dyn Engine>> {
        self.engines.load().get(name).cloned()
    }

    pub fn has_host(&self) -> bool {
        self.has_host.load(Ordering::Relaxed)
    }

    /// Has the core know what an engine can do now.
    pub fn report_engine(&self, name: &str, engine: &Arc<dyn Engine>) {
        if let Ok(cards) = guarded(|| engine.cards()) {
            self.gateway.report_engine(name, cards, now());
        }
    }

    /// For whoever started the process.
    pub fn complain(&self, words: &str) {
        self.say(LogLevel::Error, words);
    }

    fn say(&self, level: LogLevel, words: &str) {
        self.log.say(Bytes::from(self.gateway.told(level, words, now())));
    }

    /// Has whoever started the process know of what the store answers: that it fails, and that it works again.
    pub fn note_store(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(words) => {
                self.store_fails.store(true, Ordering::Relaxed);
                self.complain_of_store(words);
            }
            _ if self.store_fails.swap(false, Ordering::Relaxed) => self.say(LogLevel::Warn, "The store works again."),
            _ => {}
        }
    }

    /// At once, and then now and then.
    fn complain_of_store(&self, words: &str) {
        let now_us = now().mono_us;
        if now_us >= self.complained_us.load(Ordering::Relaxed) {
            self.complained_us.store(now_us + COMPLAIN_US, Ordering::Relaxed);
            let more = "It is asked again; what is to be stored waits, and beyond a bound new requests get 503.";
            self.complain(&format!("{words} {more}"));
        }
    }
}

/// How an edge is made.
pub struct Settings {
    /// Address or name to listen on.
    pub bind: String,
    /// TCP port; 0 lets the system choose.
    pub port: u16,
    /// Where the paths that it answers begin; empty, or such as `/ai`.
    pub prefix: String,
    /// Threads; 0: one for each core.
    pub threads: usize,
    /// What the monotonic clock that others tell the core by says now, microseconds.
    pub mono_us: u64,
}

/// A listener with its threads, and the gateway's loop.
pub struct Edge {
    shared: Arc<Shared>,
    threads: usize,
    listeners: Mutex<Vec<TcpListener>>,
    address: SocketAddr,
    stop: Arc<Stop>,
    running: Mutex<Option<Running>>,
    looping: Mutex<Option<JoinHandle<()>>>,
}

struct Running {
    workers: Arc<Vec<Worker>>,
    /// Where there are sockets to accept on.
    accepting: Option<JoinHandle<()>>,
}

impl Edge {
    /// Opens the sockets; the system takes connections, and nobody is answered yet.
    pub fn listen(gateway: Arc<Gateway>, settings: &Settings) -> io::Result<Edge> {
        let listeners = listen::open(&settings.bind, settings.port)?;
        let address = listeners[0].local_addr()?;
        Ok(Edge::over(gateway, settings, listeners, address))
    }

    /// One that listens nowhere, for callers of this process. It has no thread before `start_loop` and `accept`, and can be
    /// begun again after its end.
    pub fn inside(gateway: Arc<Gateway>, threads: usize, mono_us: u64) -> Edge {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let settings = Settings { bind: String::new(), port: 0, prefix: String::new(), threads, mono_us };
        Edge::over(gateway, &settings, Vec::new(), nowhere)
    }

    fn over(gateway: Arc<Gateway>, settings: &Settings, listeners: Vec<TcpListener>, address: SocketAddr) -> Edge {
        go_with(settings.mono_us);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let shared = Arc::new(Shared {
            gateway,
            prefix: settings.prefix.clone(),
            host: Arc::default(),
            log: Log::default(),
            counts: Arc::default(),
            ring: Ring::default(),
            progress: Progress::default(),
            way: OnceLock::new(),
            engines: ArcSwap::default(),
            has_host: AtomicBool::new(false),
            kept: hoosh_upstream::Settings::default(),
            complained_us: AtomicU64::new(0),
            store_fails: AtomicBool::new(false),
        });
        Edge {
            shared,
            threads: if settings.threads == 0 { cores } else { settings.threads },
            listeners: Mutex::new(listeners),
            address,
            stop: Arc::default(),
            running: Mutex::new(None),
            looping: Mutex::new(None),
        }
    }

    /// Where it listens; port 0 is nowhere.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What wakes the gateway's loop: for the store.
    pub fn ring(&self) -> Ring {
        self.shared.ring.clone()
    }

    /// The way to what Python answers.
    pub fn host(&self) -> &Arc<Host> {
        &self.shared.host
    }

    /// The log, in whose thread other words are written too.
    pub fn log(&self) -> &Log {
        &self.shared.log
    }

    /// Calls that no engine of Rust answers are for the host from now on.
    pub fn has_host(&self) {
        self.shared.has_host.store(true, Ordering::Relaxed);
    }

    /// These engines answer here, by their provider's name, and no others.
    pub fn engines(&self, engines: Engines) {
        for (name, engine) in &engines {
            self.shared.report_engine(name, engine);
        }
        self.shared.engines.store(Arc::new(engines));
    }

    /// Has applications that are mounted asked over this Unix socket, in words that begin with `secret`. Once, before
    /// `accept`; it goes for the mounts of the configuration as they are then.
    pub fn pass_to(&self, socket: PathBuf, secret: &str) {
        let mounts = self.shared.gateway.server().mounts;
        let _ = self.shared.way.set(Arc::new(Way::new(socket, secret, &mounts, &self.shared.prefix)));
    }

    /// Starts the gateway's loop, over its store.
    pub fn start_loop(&self, keeper: Arc<dyn Keeper>) -> io::Result<()> {
        let shared = self.shared.clone();
        shared.progress.begin();
        // Here and not in its thread: whoever asks next must not be told that it goes down.
        shared.gateway.begin_anew();
        shared.gateway.set_store_lasts(keeper.lasts());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            tokio::task::LocalSet::new().block_on(&runtime, chores::run(shared, keeper));
            runtime.shutdown_background();
        };
        *lock(&self.looping) = Some(std::thread::Builder::new().name("hoosh-loop".into()).spawn(run)?);
        Ok(())
    }

    /// Whether the first lists of models are there, or had their time.
    pub fn is_listed(&self) -> bool {
        self.shared.progress.listed.load(Ordering::Acquire)
    }

    /// Begins to answer.
    pub fn accept(&self) -> io::Result<()> {
        let workers =
            (0..self.threads).map(|lane| Worker::start(&self.shared, lane)).collect::<io::Result<Vec<_>>>()?;
        let workers = Arc::new(workers);
        let listeners = std::mem::take(&mut *lock(&self.listeners));
        let accepting = if listeners.is_empty() { None } else { Some(self.hand_out(listeners, workers.clone())?) };
        *lock(&self.running) = Some(Running { workers, accepting });
        Ok(())
    }

    /// Starts the thread that gives connections to `workers`.
    fn hand_out(&self, listeners: Vec<TcpListener>, workers: Arc<Vec<Worker>>) -> io::Result<JoinHandle<()>> {
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            tokio::task::LocalSet::new().block_on(&runtime, listen::accept(listeners, shared, workers, stop));
        };
        std::thread::Builder::new().name("hoosh-accept".into()).spawn(run)
    }

    /// Has `question` of this process answered; `caller` is woken when there is something to take. `None`: it does not
    /// answer, or not any more.
    pub fn call(&self, question: Question, caller: Waker) -> Option<Call> {
        let running = lock(&self.running);
        let worker = running.as_ref()?.workers.iter().min_by_key(|worker| worker.load())?;
        let (call, order) = inside::Order::new(question, caller);
        worker.tell(Order::Call(Box::new(order)));
        Some(call)
    }

    /// Accepts no connection any more, and ends each after the request that it is in.
    pub fn close(&self) {
        self.stop.say();
        self.tell(|| Order::Close);
    }

    /// Has all exchanges look: something changed for them all.
    pub fn look(&self) {
        self.tell(|| Order::Look);
    }

    /// Closes all connections now.
    pub fn cut(&self) {
        self.tell(|| Order::Cut);
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.shared.counts.all()
    }

    /// Ends the threads, then the run: waits for `most` until everything is stored and the log written. Whether it was.
    pub fn end(&self, most: Duration) -> bool {
        self.stop.say();
        lock(&self.listeners).clear();
        if let Some(running) = lock(&self.running).take() {
            if let Some(accepting) = running.accepting {
                let _ = accepting.join();
            }
            if let Ok(mut workers) = Arc::try_unwrap(running.workers) {
                workers.iter_mut().for_each(Worker::join);
            }
        }
        self.shared.gateway.close();
        let until = std::time::Instant::now() + most;
        let Some(looping) = lock(&self.looping).take() else { return true };
        self.shared.ring.wake();
        while std::time::Instant::now() < until {
            let is_over = self.shared.progress.over.load(Ordering::Acquire);
            if is_over && !self.shared.gateway.log_waiting() && !self.shared.log.is_waiting() {
                let _ = looping.join();
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }

    fn tell(&self, order: impl Fn() -> Order) {
        if let Some(running) = &*lock(&self.running) {
            running.workers.iter().for_each(|worker| worker.tell(order()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
