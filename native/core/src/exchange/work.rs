//! Long CPU work that leaves the loop.

/// A job for any thread.
pub struct Job {
    run: Box<dyn FnOnce() -> JobResult + Send>,
}

/// What a job found; only the exchange that made it can open it.
pub struct JobResult(#[allow(unused)] pub(super) Box<dyn std::any::Any + Send>);

impl Job {
    /// Does it. Pure CPU: no I/O, no lock held for long.
    pub fn run(self) -> JobResult {
        (self.run)()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}
