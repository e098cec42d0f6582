//! Steps an encoder: which texts go into each step, and what comes of it.

use std::collections::VecDeque;
use std::time::Instant;

use hoosh_core::dialects::neutral::Item;
use hoosh_core::engine::Said;
use hoosh_core::ledger::{Usage, UsageSource};

use super::desk::{Desk, Wakeup};
use super::outbox::Outlet;
use super::vectors::Inputs;
use super::Runner;
use crate::encoder::{normalize, Encoder};

/// Tokens of one step, unless a single text has more: enough for the matrices to be multiplied well, few enough that a call
/// of one text does not wait long behind one of thousands.
pub(crate) const BATCH_TOKENS: usize = 512;
/// Texts of one step: what their vectors weigh is said at once, whether its reader takes it or not.
pub(crate) const BATCH_TEXTS: usize = 64;

/// An encoder and the calls that it answers.
pub(crate) struct Embedder {
    encoder: Encoder,
    pool: rayon::ThreadPool,
    max_calls: usize,
    /// In turn: whose texts went in goes behind the others.
    calls: VecDeque<Active>,
    idle_since: Instant,
}

/// A call that is answered.
struct Active {
    outlet: Outlet,
    inputs: Vec<Vec<u32>>,
    dimensions: Option<usize>,
    /// How many of its texts were put in.
    next: usize,
    since: Instant,
    is_over: bool,
}

impl Embedder {
    pub(crate) fn new(encoder: Encoder, pool: rayon::ThreadPool, max_calls: usize) -> Self {
        Embedder { encoder, pool, max_calls, calls: VecDeque::new(), idle_since: Instant::now() }
    }

    fn start(&mut self, call: Inputs) {
        let Inputs { outlet, inputs, dimensions, .. } = call;
        let since = Instant::now();
        self.calls.push_back(Active { outlet, inputs, dimensions, next: 0, since, is_over: false });
    }

    /// Computes one step. Says whether there was anything to compute.
    fn step(&mut self) -> bool {
        let batch = self.batch();
        if batch.is_empty() {
            return false;
        }
        let texts: Vec<&[u32]> = batch.iter().map(|&(call, text)| self.calls[call].inputs[text].as_slice()).collect();
        let unwanted = || batch.iter().all(|&(call, _)| self.calls[call].outlet.is_left());
        let computed = self.pool.install(|| self.encoder.embed(&texts, &unwanted));
        match computed {
            Ok(Some(vectors)) => {
                for (&(call, text), vector) in batch.iter().zip(vectors) {
                    self.calls[call].say(text, vector);
                }
            }
            // They are cleared away in a moment.
            Ok(None) => {}
            // It cannot be told whose fault it was.
            Err(error) => batch.iter().for_each(|&(call, _)| self.calls[call].fail(&error.to_string())),
        }
        self.calls.rotate_left(1);
        true
    }

    /// The texts of the next step, by the numbers of their calls and their own: as many of the first call's as there is room
    /// for, then of the others'.
    fn batch(&mut self) -> Vec<(usize, usize)> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        for (number, call) in self.calls.iter_mut().enumerate() {
            if call.is_over || call.outlet.is_behind() || call.outlet.is_left() {
                continue;
            }
            while let Some(input) = call.inputs.get(call.next) {
                let fits = tokens + input.len() <= BATCH_TOKENS && batch.len() < BATCH_TEXTS;
                if !fits && !batch.is_empty() {
                    break;
                }
                tokens += input.len();
                batch.push((number, call.next));
                call.next += 1;
            }
        }
        batch
    }

    /// Clears away calls that are answered or whose readers are gone.
    fn reap(&mut self, desk: &Desk) {
        for _ in 0..self.calls.len() {
            let Some(mut call) = self.calls.pop_front() else { return };
            let is_complete = call.is_over || call.next == call.inputs.len();
            if !is_complete && !call.outlet.is_left() {
                self.calls.push_back(call);
                continue;
            }
            // Before the last word: whoever hears it finds the slot free.
            desk.ended(call.since.elapsed());
            call.conclude();
            self.idle_since = Instant::now();
        }
    }
}

impl Runner for Embedder {
    fn run(&mut self, desk: &Desk) {
        loop {
            self.reap(desk);
            while let Some(call) = desk.next_vectors(|_| self.calls.len() < self.max_calls) {
                self.start(call);
            }
            if self.step() {
                continue;
            }
            let idle_since = self.calls.is_empty().then_some(self.idle_since);
            if desk.wait(idle_since) == Wakeup::Close {
                return;
            }
        }
    }

    fn fail(&mut self, why: &str) {
        for call in self.calls.drain(..) {
            call.outlet.fail(why);
        }
    }
}

impl Active {
    /// Shorter vectors are those of a model that was trained to have the most of its meaning in front; as with OpenAI's, they
    /// have the length 1 again.
    fn say(&mut self, index: usize, mut vector: Vec<f32>) {
        if let Some(dimensions) = self.dimensions {
            vector.truncate(dimensions);
            vector.shrink_to_fit();
            normalize(&mut vector);
        }
        self.outlet.say(Item::Embedding { index: index as u32, vector });
    }

    fn fail(&mut self, why: &str) {
        self.outlet.fail(why);
        self.is_over = true;
    }

    /// Says what was used, and ends.
    fn conclude(&mut self) {
        let tokens = self.inputs.iter().map(|input| input.len() as u64).sum();
        self.outlet.say(Item::Usage(Usage { input_tokens: tokens, source: UsageSource::Reported, ..Usage::default() }));
        self.outlet.last(Said::End);
    }
}
