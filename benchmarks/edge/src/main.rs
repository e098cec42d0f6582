//! The native edge without Python, for profiles: the same listener, exchanges and store as `hoosh serve`.
//!
//! `bench-edge --config FILE [--port N] [--threads N] [--store FILE]`. It ends with its process.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex};

use hoosh_core::config;
use hoosh_core::gateway::Gateway;
use hoosh_core::store::{MemoryStore, Op, Outcome, Store};
use hoosh_edge::{Edge, Keeper, Settings};
use hoosh_store::Writer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ledger rows kept in memory.
const ROWS: usize = 10_000;

struct Memory(Mutex<(MemoryStore, Vec<(u64, Outcome)>)>);

impl Keeper for Memory {
    fn ask(&self, id: u64, op: Op) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let outcome = kept.0.perform(op);
        kept.1.push((id, outcome));
    }

    fn answers(&self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1)
    }
}

struct File(Writer);

impl Keeper for File {
    fn ask(&self, id: u64, op: Op) {
        self.0.ask(id, op);
    }

    fn answers(&self) -> Vec<(u64, Outcome)> {
        self.0.answers()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut file, mut port, mut threads, mut store) = (None, None, 1, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} VALUE"))?;
        match name.as_str() {
            "--config" => file = Some(value),
            "--port" => port = Some(value.parse::<u16>()?),
            "--threads" => threads = value.parse()?,
            "--store" => store = Some(value),
            _ => return Err(format!("unknown argument {name}").into()),
        }
    }
    let text = std::fs::read_to_string(file.ok_or("which --config FILE?")?)?;
    let config = config::parse(&text, &|name: &str| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let (bind, port) = (config.server.bind.clone(), port.unwrap_or(config.server.port));
    let gateway = Gateway::new(config, RandomState::new().hash_one("seed"));
    let edge = Edge::listen(gateway, &Settings { bind, port, prefix: String::new(), threads, mono_us: 0 })?;
    let keeper: Arc<dyn Keeper> = match store {
        None => Arc::new(Memory(Mutex::new((MemoryStore::new(ROWS), Vec::new())))),
        Some(path) => {
            let settings = hoosh_store::Settings { holder: "bench-edge".into(), request_days: 30, max_pages: None };
            Arc::new(File(Writer::open(Path::new(&path), settings, Arc::new(edge.ring()))?))
        }
    };
    edge.start_loop(keeper)?;
    edge.accept()?;
    println!("listening on {}", edge.address());
    loop {
        std::thread::park();
    }
}
