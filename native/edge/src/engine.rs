//! Engines of Rust, asked by an exchange.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use hoosh_core::dialects::neutral::Request;
use hoosh_core::engine::{Answer, Engine, Said};
use hoosh_core::exchange::{Exchange, Stage, UpstreamId};
use hoosh_core::wake::Waker;

use crate::edge::Shared;

/// An engine's answer to one exchange. Dropping it cancels it.
pub struct EngineCall {
    shared: Arc<Shared>,
    name: Arc<str>,
    engine: Arc<dyn Engine>,
    answer: Option<Box<dyn Answer>>,
    credit: usize,
    begun: bool,
}

impl EngineCall {
    /// Has `engine`, the provider `name`, begin to answer.
    pub fn new(
        shared: &Arc<Shared>,
        name: Arc<str>,
        engine: Arc<dyn Engine>,
        request: Request,
        waker: Waker,
    ) -> EngineCall {
        let answer = guarded(|| engine.call(request, waker));
        let answer = answer.inspect_err(|words| complain(shared, &name, words)).ok();
        EngineCall { shared: shared.clone(), name, engine, answer, credit: 0, begun: false }
    }

    pub fn wants(&mut self, credit: usize) {
        self.credit += credit;
    }

    pub fn is_over(&self) -> bool {
        self.begun && self.answer.is_none()
    }

    /// Hands on what it has to say, within the credit; whether it said something.
    pub fn pump(&mut self, u: UpstreamId, exchange: &mut Exchange) -> bool {
        let mut said = false;
        if !std::mem::replace(&mut self.begun, true) {
            exchange.connected(u);
            exchange.sent(u);
            said = true;
            if self.answer.is_none() {
                self.end(|| exchange.failed(u, Stage::Body, false));
                return true;
            }
        }
        while self.credit > 0 {
            let Some(answer) = &mut self.answer else { break };
            let credit = self.credit;
            match guarded(|| answer.next(credit)).unwrap_or_else(Said::Failed) {
                Said::Nothing => break,
                Said::Item(item) => {
                    self.credit = self.credit.saturating_sub(item.weight());
                    exchange.delta(u, item);
                }
                Said::End => self.end(|| exchange.end(u)),
                Said::Refused(refusal) => self.end(|| {
                    exchange.head(u, refusal.status, &refusal.headers());
                    exchange.data(u, refusal.body());
                    exchange.end(u);
                }),
                Said::Failed(words) => {
                    complain(&self.shared, &self.name, &words);
                    self.end(|| exchange.failed(u, Stage::Body, false));
                }
            }
            said = true;
        }
        said
    }

    fn let_go(&mut self) {
        if let Err(words) = guarded(|| drop(self.answer.take())) {
            complain(&self.shared, &self.name, &words);
        }
    }

    /// Tells how it ended, and what the engine can do now: its model may be in memory.
    fn end(&mut self, tell: impl FnOnce()) {
        self.let_go();
        tell();
    }
}

impl Drop for EngineCall {
    fn drop(&mut self) {
        self.let_go();
        self.shared.report_engine(&self.name, &self.engine);
    }
}

fn complain(shared: &Shared, name: &str, words: &str) {
    shared.complain(&format!("The engine {name} failed: {words}"));
}

/// An engine that panics has failed, and nobody else with it.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        format!("it panicked: {}", words.as_deref().unwrap_or("(no words)"))
    })
}
