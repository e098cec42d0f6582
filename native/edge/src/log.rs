//! The log: lines written by a thread of their own, because a pipe that nobody reads holds up whoever writes to it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Of words that are said and not written yet, bytes; what is said beyond is left out.
const MOST_WAITING: usize = 64 << 10;

/// How long a standard error that takes nothing now, and does not wait (another program may have made it so), is left alone.
const PAUSE: Duration = Duration::from_millis(10);

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

struct Batch {
    lines: Bytes,
    file: Option<Arc<str>>,
    /// Of words that were said: how many bytes.
    said: usize,
    done: Option<Done>,
}

/// Writes one batch after the other. It may stand still for ever; then it ends with the process.
#[derive(Default)]
pub struct Log {
    batches: Mutex<Option<Sender<Batch>>>,
    waiting: Arc<AtomicUsize>,
}

impl Log {
    /// Has `lines` added to `file`, or to the standard error; `done` is told how that went, in the log's thread.
    pub fn write(&self, lines: Bytes, file: Option<Arc<str>>, done: impl FnOnce(Result<(), String>) + Send + 'static) {
        self.put(Batch { lines, file, said: 0, done: Some(Box::new(done)) });
    }

    /// Has `words` written to the standard error, in their turn; whether there was room for them.
    pub fn say(&self, words: Bytes) -> bool {
        let size = words.len();
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting > 0 && waiting + size > MOST_WAITING {
            return false;
        }
        self.waiting.fetch_add(size, Ordering::AcqRel);
        self.put(Batch { lines: words, file: None, said: size, done: None });
        true
    }

    /// Whether something that was said is not written yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Waits until what was said is written, for `most` at most.
    pub fn flush(&self, most: Duration) {
        let until = Instant::now() + most;
        while self.is_waiting() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn put(&self, batch: Batch) {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = batches.get_or_insert_with(|| {
            let (sender, taken) = channel();
            let waiting = self.waiting.clone();
            let _ = std::thread::Builder::new().name("hoosh-log".into()).spawn(move || run(&taken, &waiting));
            sender
        });
        if let Err(unsent) = sender.send(batch) {
            if let Some(done) = unsent.0.done {
                done(Err("the thread of the log could not be started".into()));
            }
        }
    }
}

fn run(batches: &Receiver<Batch>, waiting: &AtomicUsize) {
    while let Ok(Batch { lines, file, said, done }) = batches.recv() {
        let written = match &file {
            None => write_all(&mut io::stderr(), &lines),
            Some(path) => {
                OpenOptions::new().append(true).create(true).open(&**path).and_then(|mut file| file.write_all(&lines))
            }
        };
        waiting.fetch_sub(said, Ordering::AcqRel);
        if let Some(done) = done {
            done(written.map_err(|error| format!("{} ({})", words(&error), file.as_deref().unwrap_or("stderr"))));
        }
    }
}

/// Writes as `Write::write_all` does, and waits for whoever takes nothing now.
fn write_all(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the system says, without the number that Rust adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes two bytes at a time, and says first that it would block.
    #[derive(Default)]
    struct Reluctant {
        got: Vec<u8>,
        asked: usize,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked += 1;
            match self.asked % 3 {
                1 => Err(io::ErrorKind::WouldBlock.into()),
                2 => Err(io::ErrorKind::Interrupted.into()),
                _ => {
                    let size = bytes.len().min(2);
                    self.got.extend_from_slice(&bytes[..size]);
                    Ok(size)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_takes_nothing_now_is_waited_for() {
        let mut to = Reluctant::default();
        write_all(&mut to, b"seven b").unwrap();
        assert_eq!(to.got, b"seven b");
    }
}
