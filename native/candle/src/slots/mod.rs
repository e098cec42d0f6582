//! Several answers at once: who gets a slot, and what is computed in each step.
//!
//! Calls arrive at a [`Desk`](desk::Desk), where one thread reads them, finds their tokens and compiles what their answers are
//! held to, so that a long text holds up nobody who is answered, and wait in a line by their priority. The model's own thread runs a [`Scheduler`](scheduler::Scheduler): each step
//! puts in one token of every answer and at most [`SLICE`](scheduler::SLICE) tokens of one prompt, in turn. What is said
//! goes through an [outbox](outbox) that never blocks the model: whose reader takes nothing is left out of the steps.
//!
//! Encoders are asked in the same way, and stepped by an [`Embedder`](embedder::Embedder).

pub(crate) mod call;
mod choice;
pub(crate) mod desk;
pub(crate) mod embedder;
pub(crate) mod job;
mod line;
pub(crate) mod outbox;
mod prefix;
pub(crate) mod scheduler;
pub(crate) mod vectors;

pub use desk::Busy;

/// A model in memory, which answers the calls at a desk.
pub(crate) trait Runner {
    /// Serves the calls of `desk` until it lets the model go.
    fn run(&mut self, desk: &desk::Desk);

    /// Says to all who are answered that the model broke.
    fn fail(&mut self, why: &str);
}
