//! Long CPU work that leaves the loop.

use std::any::Any;

use super::{Exchange, Phase, Step};

/// Texts beyond this are read by a job: scanning, checking and hashing 64 KiB takes about 0.1 ms.
pub(super) const INLINE_BYTES: usize = 64 << 10;

/// A job for any thread.
pub struct Job {
    run: Box<dyn FnOnce() -> JobResult + Send>,
}

/// What a job found; only the exchange that made the job can open it.
pub struct JobResult(Box<dyn Any + Send>);

impl Job {
    pub(super) fn new<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Job {
        Job { run: Box::new(move || JobResult(Box::new(run()))) }
    }

    /// Does it. Pure CPU: no I/O, no lock held for long.
    pub fn run(self) -> JobResult {
        (self.run)()
    }
}

impl JobResult {
    pub(super) fn open<T: 'static>(self) -> Option<T> {
        self.0.downcast().ok().map(|found| *found)
    }
}

impl Exchange {
    /// Has a job done that keeps `bytes`, and waits for it in `phase`.
    pub(super) fn work<T: Send + 'static>(
        &mut self,
        phase: Phase,
        bytes: usize,
        run: impl FnOnce() -> T + Send + 'static,
    ) {
        self.lent = bytes;
        self.phase = phase;
        self.steps.push_back(Step::Work { job: Job::new(run) });
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl std::fmt::Debug for JobResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobResult")
    }
}
