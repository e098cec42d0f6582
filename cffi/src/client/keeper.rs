//! The stores of a client: in memory, or a file.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoosh_core::config::Config;
use hoosh_core::store::{MemoryStore, Op, Outcome, Store as _};
use hoosh_core::wake::Waker;
use hoosh_edge::Keeper;
use hoosh_store::{Key, Settings, Writer};

/// Rows that a store in memory keeps.
const KEPT_ROWS: usize = 1_000;

/// One in memory.
pub struct Memory {
    store: Mutex<MemoryStore>,
    answers: Mutex<Vec<(u64, Outcome)>>,
}

impl Memory {
    /// The words of an error say why the configuration asks for another.
    pub fn open(config: &Config) -> Result<Memory, String> {
        if config.dialects.keeps_in_store() {
            return Err("[dialects] history is `store`: name a file for the store.".to_owned());
        }
        Ok(Memory::new())
    }

    fn new() -> Memory {
        Memory { store: Mutex::new(MemoryStore::new(KEPT_ROWS)), answers: Mutex::default() }
    }
}

impl Keeper for Memory {
    fn ask(&self, id: u64, op: Op) {
        let outcome = lock(&self.store).perform(op);
        lock(&self.answers).push((id, outcome));
    }

    fn answers(&self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut lock(&self.answers))
    }
}

/// A file, written by a thread of its own as long as the client lives.
pub struct File(pub Arc<Mutex<Option<Writer>>>);

impl File {
    /// Opens it; `ring` is woken when there are answers. The words of an error say why not.
    pub fn open(path: &Path, config: &Config, ring: Waker) -> Result<File, String> {
        let settings = Settings {
            holder: "a program that uses hoosh.h".to_owned(),
            request_days: config.storage.request_days,
            max_pages: None,
        };
        let writer = Writer::open(path, settings, ring).map_err(|error| error.message)?;
        let key =
            |token: &hoosh_core::config::Token| Key { name: token.name.clone(), token: token.token.expose().into() };
        writer.note_keys(config.auth.tokens.iter().map(key).collect());
        Ok(File(Arc::new(Mutex::new(Some(writer)))))
    }
}

impl Keeper for File {
    fn ask(&self, id: u64, op: Op) {
        if let Some(writer) = &*lock(&self.0) {
            writer.ask(id, op);
        }
    }

    fn answers(&self) -> Vec<(u64, Outcome)> {
        lock(&self.0).as_ref().map(Writer::answers).unwrap_or_default()
    }

    fn lasts(&self) -> bool {
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
