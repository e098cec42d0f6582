//! One process per store: two would each lend the same tokens.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fs4::{FileExt, TryLockError};

use crate::error::StoreError;
use crate::file;

/// Whoever only asks for the holder has the lock for a moment: that is no reason to refuse a start.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// Held while a store is open. The system lets go of it when the process ends, however it does.
#[derive(Clone)]
pub(crate) struct Lock {
    file: Arc<Mutex<Option<File>>>,
}

impl Lock {
    /// Takes the lock of the store at `path` for `holder`, the words by which an operator knows this program.
    pub(crate) fn take(path: &Path, holder: &str) -> Result<Lock, StoreError> {
        let beside = path_beside(path);
        let mut lock = file::create(&beside).map_err(|error| StoreError::io(&beside, &error))?;
        let mut tries = 1..TRIES;
        loop {
            match FileExt::try_lock(&lock) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries.next().is_some() => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(in_use(path, &mut lock)),
                Err(TryLockError::Error(error)) => return Err(StoreError::io(&beside, &error)),
            }
        }
        // Who cannot be named is still kept out, so that a full disk is no reason to give up here.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{} {holder}", std::process::id()));
        Ok(Lock { file: Arc::new(Mutex::new(Some(lock))) })
    }

    /// In a child of a fork, which has the open file too and would keep the lock when its parent is gone: closes the
    /// child's.
    pub(crate) fn close_in_child(&self) {
        // Whoever held the mutex when the process forked is not here to let go of it.
        if let Ok(mut file) = self.file.try_lock() {
            *file = None;
        }
    }

    /// Another may open the store, whoever still has this.
    pub(crate) fn let_go(&self) {
        *self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// The process that has the store at `path` open, as it called itself.
    pub(crate) fn holder(path: &Path) -> Option<String> {
        let mut lock = File::open(path_beside(path)).ok()?;
        match FileExt::try_lock_shared(&lock) {
            Err(TryLockError::WouldBlock) => Some(named(&mut lock)),
            _ => None,
        }
    }
}

fn path_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

fn named(lock: &mut File) -> String {
    let mut text = String::new();
    let _ = lock.rewind().and_then(|()| lock.take(256).read_to_string(&mut text));
    match text.trim().split_once(' ') {
        Some((pid, holder)) => format!("process {pid} ({holder})"),
        None => "another process".into(),
    }
}

fn in_use(path: &Path, lock: &mut File) -> StoreError {
    StoreError::new(format!(
        "The store {} is in use by {}. Two processes would spend its budgets twice: stop the other, or give this one its \
         own [storage] path.",
        path.display(),
        named(lock)
    ))
}
