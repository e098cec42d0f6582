//! Engines: what answers in this process. Asked by [`Step::Call`](crate::exchange::Step::Call), an engine speaks the neutral
//! form, and goes through the same gates, budgets and breakers as an upstream over HTTP.
//!
//! A driver asks [`Engine::call`], hands on what [`Answer::next`] says through the exchange's doors (`delta`, `end`, `failed`,
//! or `head`, `data` and `end` for a [`Refusal`]), and drops the answer where the exchange says `Abort`. Nothing here blocks,
//! so that an event loop may hold an engine: what takes time happens in threads that are the engine's own, which call the
//! waker.

mod card;
mod refusal;
mod standing;

pub use card::{Abilities, Card};
pub use refusal::{headers as refusal_headers, Refusal};
pub use standing::{Priority, Standing};

use crate::dialects::neutral::{Item, Request};
use crate::wake::Waker;

/// Something in this process that answers as an upstream does.
pub trait Engine: Send + Sync {
    /// The models it can be asked for, loaded or not.
    fn cards(&self) -> Vec<Card>;

    /// Begins to answer, and returns at once: what is wrong with `request` is said by the answer. `waker` is called whenever
    /// [`Answer::next`] has more to say than when it was asked last.
    fn call(&self, request: Request, waker: Waker) -> Box<dyn Answer>;

    /// Lets the memory of `model` go as soon as nobody is answered by it. Says whether it was loaded.
    fn unload(&self, model: &str) -> bool {
        let _ = model;
        false
    }

    /// Brings `model` into memory and returns when it is there: not for an event loop. `progress` is told of bytes done and
    /// of all bytes, now and then. Without this call a model is loaded when it is asked first.
    fn load(&self, model: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Refusal> {
        let _ = (model, progress);
        Ok(())
    }
}

/// A request on its way through an engine. Dropping it cancels it: the engine stops within one token.
pub trait Answer: Send {
    /// What it says next, where that [weighs](Item::weight) no more than `credit`; an item is never cut. An engine whose words
    /// are not taken stops for this answer alone once it holds [`AHEAD`] bytes.
    fn next(&mut self, credit: usize) -> Said;
}

/// How far an engine goes on for a reader that takes nothing.
pub const AHEAD: usize = 16 * 1024;

/// One word of an [`Answer`].
#[derive(Debug)]
pub enum Said {
    /// Nothing now, and the waker will be called; or nothing within the credit, and it is asked again when there is more.
    Nothing,
    /// More of the answer.
    Item(Item),
    /// The answer is complete. Nothing follows.
    End,
    /// It will not answer; said before any item. Nothing follows.
    Refused(Refusal),
    /// It broke off: for the operator, not the caller. Nothing follows.
    Failed(String),
}
