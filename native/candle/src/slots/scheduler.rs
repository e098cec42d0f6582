//! Steps a model: what goes into each step, and what comes of it.

use std::time::Instant;

use hoosh_core::dialects::neutral::Item;
use hoosh_core::engine::Said;
use hoosh_core::ledger::{Usage, UsageSource};
use hoosh_core::sync::Arc;

use super::call::{Prepared, Texts};
use super::choice::Choice;
use super::desk::{Desk, Wakeup};
use super::outbox::Outlet;
use super::prefix::Prefixes;
use super::Runner;
use crate::constrain::Held;
use crate::decoder::{in_blocks, Decoder, DecoderError, Kv, Slice};
use crate::request::Ask;
use crate::sample::{random, Sampler};
use crate::text::Tokenizer;

/// Tokens of a prompt that go into one step: enough for the matrices to be multiplied well, few enough that answers beside
/// it go on.
pub(crate) const SLICE: usize = 64;

/// A model and the calls in its slots.
pub(crate) struct Scheduler {
    decoder: Decoder,
    texts: Arc<Texts>,
    pool: rayon::ThreadPool,
    kv_bytes: u64,
    max_sequences: usize,
    calls: Vec<Active>,
    prefixes: Prefixes,
    /// Whose prompt was put in last, by number.
    turn: u64,
    /// Of the next call.
    number: u64,
    idle_since: Instant,
}

/// A call in slots.
struct Active {
    number: u64,
    outlet: Outlet,
    tenant: Option<u64>,
    ask: Ask,
    held: Option<Held>,
    prompt: Vec<u32>,
    limit: u32,
    /// Of the prompt, tokens that were not computed.
    cached: usize,
    /// Bytes that it may come to hold.
    reserved: u64,
    since: Instant,
    stage: Stage,
}

enum Stage {
    /// The prompt is put in; the rest of it is not yet.
    Prompt(Kv),
    Answers(Vec<Choice>),
    Over,
}

impl Scheduler {
    pub(crate) fn new(
        decoder: Decoder,
        texts: Arc<Texts>,
        pool: rayon::ThreadPool,
        kv_bytes: u64,
        max_sequences: usize,
    ) -> Self {
        Scheduler {
            decoder,
            texts,
            pool,
            kv_bytes,
            max_sequences,
            calls: Vec::new(),
            prefixes: Prefixes::default(),
            turn: 0,
            number: 0,
            idle_since: Instant::now(),
        }
    }

    fn bytes(&self, tokens: usize) -> u64 {
        in_blocks(tokens) as u64 * self.decoder.config().kv_bytes_per_token()
    }

    fn reserved(&self) -> u64 {
        self.calls.iter().map(|call| call.reserved).sum()
    }

    fn needs(&self, call: &Prepared) -> u64 {
        u64::from(call.ask.choices) * self.bytes(call.room())
    }

    /// Whether there are slots and memory for `call`. What is only kept for later makes room.
    fn fits(&self, call: &Prepared) -> bool {
        let taken: usize = self.calls.iter().map(|call| call.ask.choices as usize).sum();
        taken + call.ask.choices as usize <= self.max_sequences && self.reserved() + self.needs(call) <= self.kv_bytes
    }

    fn start(&mut self, call: Prepared) {
        let (room, reserved) = (call.room(), self.needs(&call));
        let kept = match call.standing.tenant {
            Some(tenant) => self.prefixes.take(tenant, &call.prompt, room),
            None => Ok(None),
        };
        self.prefixes.shrink_to(self.kv_bytes.saturating_sub(self.reserved() + reserved));
        // A prefix that cannot be used costs time, not the answer.
        let kv = kept.ok().flatten().unwrap_or_else(|| self.decoder.sequence(room));
        self.number += 1;
        self.calls.push(Active {
            number: self.number,
            outlet: call.outlet,
            tenant: call.standing.tenant,
            ask: call.ask,
            held: call.held,
            prompt: call.prompt,
            limit: call.limit,
            cached: kv.len(),
            reserved,
            since: Instant::now(),
            stage: Stage::Prompt(kv),
        });
    }

    /// Computes one step. Says whether there was anything to compute.
    fn step(&mut self) -> bool {
        let turn = self.next_prompt();
        let mut slices = Vec::new();
        let mut owners = Vec::new();
        for (owner, call) in self.calls.iter_mut().enumerate() {
            if call.outlet.is_behind() {
                continue;
            }
            match &mut call.stage {
                Stage::Prompt(kv) if Some(call.number) == turn => {
                    let end = call.prompt.len().min(kv.len() + SLICE);
                    let tokens = &call.prompt[kv.len()..end];
                    owners.push((owner, 0));
                    slices.push(Slice { kv, tokens, logits: end == call.prompt.len() });
                }
                Stage::Answers(choices) => {
                    for (choice, Choice { kv, next, .. }) in choices.iter_mut().enumerate() {
                        if let Some(token) = next {
                            owners.push((owner, choice));
                            slices.push(Slice { kv, tokens: std::slice::from_ref(token), logits: true });
                        }
                    }
                }
                Stage::Prompt(_) | Stage::Over => {}
            }
        }
        if slices.is_empty() {
            return false;
        }
        let (decoder, pool) = (&self.decoder, &self.pool);
        let computed = pool.install(|| decoder.step(&mut slices));
        drop(slices);
        self.turn = turn.unwrap_or(self.turn);
        match computed {
            Ok(logits) => {
                for ((owner, choice), logits) in owners.into_iter().zip(logits) {
                    self.take(owner, choice, logits);
                }
            }
            // It cannot be told whose fault it was.
            Err(error) => owners.iter().for_each(|(owner, _)| self.calls[*owner].fail(&error)),
        }
        true
    }

    /// Whose prompt is next: in turn, by number.
    fn next_prompt(&self) -> Option<u64> {
        let waiting = |call: &&Active| matches!(call.stage, Stage::Prompt(_)) && !call.outlet.is_behind();
        let numbers = || self.calls.iter().filter(waiting).map(|call| call.number);
        numbers().filter(|number| *number > self.turn).min().or_else(|| numbers().min())
    }

    fn take(&mut self, owner: usize, choice: usize, logits: Option<Vec<f32>>) {
        let Some(logits) = logits else { return };
        let call = &mut self.calls[owner];
        if let Err(error) = call.take(choice, logits, &self.texts.tokenizer) {
            call.fail(&error);
        }
    }

    /// Clears away calls that are answered or whose readers are gone. What they held is kept for prompts that begin alike.
    fn reap(&mut self, desk: &Desk) {
        let mut index = 0;
        while index < self.calls.len() {
            let call = &self.calls[index];
            if !call.is_complete() && !call.outlet.is_left() {
                index += 1;
                continue;
            }
            let mut call = self.calls.remove(index);
            // Before the last word: whoever hears it finds the slot free.
            desk.ended(call.since.elapsed());
            if call.is_complete() {
                call.conclude();
            }
            self.keep(call);
            self.idle_since = Instant::now();
        }
    }

    fn keep(&mut self, call: Active) {
        let Some(tenant) = call.tenant else { return };
        let held = match call.stage {
            Stage::Prompt(kv) => Some((call.prompt[..kv.len()].to_vec(), kv)),
            Stage::Answers(choices) => choices.into_iter().next().map(|choice| {
                let tokens = call.prompt.iter().chain(&choice.fed).copied().take(choice.kv.len());
                (tokens.collect(), choice.kv)
            }),
            Stage::Over => None,
        };
        if let Some((tokens, kv)) = held {
            // What cannot be kept is computed again.
            let _ = self.prefixes.keep(tenant, tokens, kv);
        }
        self.prefixes.shrink_to(self.kv_bytes.saturating_sub(self.reserved()));
    }
}

impl Runner for Scheduler {
    fn run(&mut self, desk: &Desk) {
        loop {
            self.reap(desk);
            while let Some(call) = desk.next_call(|call| self.fits(call)) {
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
    fn is_complete(&self) -> bool {
        match &self.stage {
            Stage::Prompt(_) => false,
            Stage::Answers(choices) => choices.iter().all(|choice| choice.next.is_none()),
            Stage::Over => true,
        }
    }

    /// Takes what follows the prompt, which begins every choice, or what follows one choice.
    fn take(&mut self, choice: usize, logits: Vec<f32>, tokenizer: &Tokenizer) -> Result<(), DecoderError> {
        if let Stage::Prompt(_) = self.stage {
            self.begin_answers()?;
            let Stage::Answers(choices) = &mut self.stage else { return Ok(()) };
            return choices.iter_mut().try_for_each(|choice| choice.advance(logits.clone(), tokenizer, &self.outlet));
        }
        match &mut self.stage {
            Stage::Answers(choices) => choices[choice].advance(logits, tokenizer, &self.outlet),
            Stage::Prompt(_) | Stage::Over => Ok(()),
        }
    }

    /// The prompt is in: every choice goes on from it, with keys and values of its own.
    fn begin_answers(&mut self) -> Result<(), DecoderError> {
        let Stage::Prompt(kv) = std::mem::replace(&mut self.stage, Stage::Over) else { return Ok(()) };
        let room = self.prompt.len() + self.limit as usize;
        let seed = self.ask.seed.unwrap_or_else(random);
        let mut kvs = Vec::with_capacity(self.ask.choices as usize);
        for _ in 1..self.ask.choices {
            kvs.push(kv.fork(kv.len(), room)?);
        }
        kvs.push(kv);
        let choices = (0..).zip(kvs).map(|(index, kv)| {
            let mut sampler = Sampler::new(self.ask.sampling.clone(), seed, index, &self.prompt);
            if let Some(held) = &self.held {
                sampler.constrain(Box::new(held.clone()));
            }
            Choice::new(index, kv, sampler, &self.ask, self.limit)
        });
        self.stage = Stage::Answers(choices.collect());
        Ok(())
    }

    fn fail(&mut self, error: &DecoderError) {
        self.outlet.fail(error.to_string());
        self.stage = Stage::Over;
    }

    /// Says what was used, and ends. The token that ended an answer counts, as it does in llama.cpp and vLLM.
    fn conclude(&mut self) {
        if let Stage::Answers(choices) = &self.stage {
            let output = choices.iter().map(|choice| u64::from(choice.produced)).sum();
            self.outlet.say(Item::Usage(Usage {
                input_tokens: self.prompt.len() as u64,
                output_tokens: output,
                cached_tokens: self.cached as u64,
                source: UsageSource::Reported,
                ..Usage::default()
            }));
            self.outlet.last(Said::End);
        }
    }
}
