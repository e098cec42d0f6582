//! The log on its way to the driver: one batch at a time, bounded while that is not written.
//!
//! A driver may write as slowly as a full pipe makes it: nobody waits for the log. What comes meanwhile is kept up to a
//! bound; beyond it lines are lost, counted, and said to be so in the next line that is written.

use bytes::Bytes;

use super::{Gateway, LoopStep};
use crate::clock::Now;
use crate::config::{Log, LogFormat, LogLevel};
use crate::ledger::Row;
use crate::log::{access_line, event_line};
use crate::sync::{lock, Arc, Mutex};

/// Bytes of lines that may wait for the driver.
const MAX_WAITING: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Journal(Mutex<Book>);

#[derive(Default)]
struct Book {
    waiting: Vec<u8>,
    lines: u64,
    /// Lines of the batch that the driver writes, and its number.
    asked: Option<(u64, u64)>,
    last_id: u64,
    lost: u64,
    /// Of these, how many were said to be.
    told: u64,
    /// Why the last batch was not written; said to the standard error, once until one is.
    failed: Option<String>,
    is_failing: bool,
}

impl Journal {
    /// Whether lines wait, or are being written.
    pub fn is_busy(&self) -> bool {
        let book = lock(&self.0);
        book.asked.is_some() || book.lines > 0
    }

    pub fn lost(&self) -> u64 {
        lock(&self.0).lost
    }

    /// The lines of `rows`.
    pub fn access(&self, log: &Log, rows: &[Row]) {
        if log.access == LogFormat::Off {
            return;
        }
        let mut book = lock(&self.0);
        for row in rows.iter().filter(|row| row.is_access || log.level == LogLevel::Debug) {
            book.add(|out| access_line(row, log.access, out));
        }
    }

    /// Something of the gateway's own.
    pub fn say(&self, log: &Log, level: LogLevel, now: Now, words: &str) {
        if level <= log.level {
            lock(&self.0).add(|out| event_line(now.wall_us, level, words, log.access, out));
        }
    }

    /// The next batch for the driver, once the one before is written.
    pub fn step(&self, log: &Log, now: Now) -> Option<LoopStep> {
        let mut book = lock(&self.0);
        if book.asked.is_some() {
            return None;
        }
        let mut lines = Vec::new();
        let mut file: Option<Arc<str>> = None;
        if let Some(words) = book.failed.take() {
            let words = format!("The log cannot be written: {words}");
            event_line(now.wall_us, LogLevel::Error, &words, log.access, &mut lines);
            book.last_id += 1;
            book.asked = Some((book.last_id, 0));
        } else {
            if book.lines == 0 {
                return None;
            }
            let lost = book.lost - book.told;
            if lost > 0 {
                book.told = book.lost;
                let words = format!("{lost} lines of the log are lost: it was not written as fast as they came.");
                event_line(now.wall_us, LogLevel::Warn, &words, log.access, &mut lines);
            }
            lines.append(&mut book.waiting);
            file = log.file.as_deref().map(Arc::from);
            book.last_id += 1;
            book.asked = Some((book.last_id, std::mem::take(&mut book.lines)));
        }
        Some(LoopStep::Log { id: book.last_id, lines: Bytes::from(lines), file })
    }

    /// The driver wrote batch `id`, or could not. Whether there is more.
    pub fn written(&self, id: u64, result: Result<(), String>) -> bool {
        let mut book = lock(&self.0);
        let Some((_, lines)) = book.asked.take_if(|(asked, _)| *asked == id) else { return false };
        match result {
            // A notice, which has no lines, says nothing of the file.
            Ok(()) if lines > 0 => book.is_failing = false,
            Ok(()) => {}
            Err(words) => {
                book.lost += lines;
                // Lost for another reason, which is said at once.
                book.told += lines;
                if lines > 0 && !std::mem::replace(&mut book.is_failing, true) {
                    book.failed = Some(words);
                }
            }
        }
        book.lines > 0 || book.failed.is_some()
    }
}

impl Book {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.waiting.len();
        write(&mut self.waiting);
        if self.waiting.len() > MAX_WAITING {
            self.waiting.truncate(before);
            self.lost += 1;
        } else {
            self.lines += 1;
        }
    }
}

impl Gateway {
    /// Writes a line of the gateway's own, at its level.
    pub(super) fn say(&self, level: LogLevel, now: Now, words: &str) {
        self.journal.say(&self.snapshot.load().config.log, level, now, words);
    }

    /// What whoever started it is told on the standard error, as one of the log's lines where these go there too
    /// and are JSON, so that a reader of that stream meets nothing else; else the words as they are.
    pub fn told(&self, level: LogLevel, words: &str, now: Now) -> Vec<u8> {
        let log = &self.snapshot.load().config.log;
        let mut line = Vec::new();
        if log.access == LogFormat::Json && log.file.is_none() {
            event_line(now.wall_us, level, words.trim(), log.access, &mut line);
        } else {
            line.extend_from_slice(words.as_bytes());
            line.push(b'\n');
        }
        line
    }

    /// Whether lines of the log wait for the driver, or are being written.
    pub fn log_waiting(&self) -> bool {
        self.journal.is_busy()
    }
}
