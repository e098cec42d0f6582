//! One answer while it is generated.

use std::collections::VecDeque;

use hoosh_core::dialects::neutral::{CallKind, Item, TokenLogprob};

use super::outbox::Outlet;
use crate::decoder::{DecoderError, Kv};
use crate::request::Ask;
use crate::sample::{random, Likelihood, Sampler};
use crate::stop::Writer;
use crate::text::Tokenizer;
use crate::tools::{Piece, Reader};

/// One answer while it is generated.
pub(crate) struct Choice {
    index: u32,
    pub(crate) kv: Kv,
    sampler: Sampler,
    writer: Writer,
    /// Where functions were offered.
    calls: Option<Reader>,
    /// Tokens whose text was not given yet, each with the number of bytes at its end.
    told: VecDeque<(u64, TokenLogprob)>,
    /// Bytes of all tokens so far.
    bytes: u64,
    /// Tokens so far, the last one among them that ended it.
    pub(crate) produced: u32,
    limit: u32,
    /// What is to be put in; `None`: it is complete.
    pub(crate) next: Option<u32>,
    /// What was put in.
    pub(crate) fed: Vec<u32>,
}

impl Choice {
    pub(crate) fn new(index: u32, kv: Kv, sampler: Sampler, ask: &Ask, limit: u32) -> Self {
        Choice {
            index,
            kv,
            sampler,
            writer: Writer::new(&ask.stops),
            calls: ask.tools.then(Reader::default),
            told: VecDeque::new(),
            bytes: 0,
            produced: 0,
            limit,
            next: None,
            fed: Vec::new(),
        }
    }

    /// Takes the next token by `logits`, and says what can be said.
    pub(crate) fn advance(
        &mut self,
        logits: Vec<f32>,
        tokenizer: &Tokenizer,
        outlet: &Outlet,
    ) -> Result<(), DecoderError> {
        self.fed.extend(self.next.take());
        let chosen = match self.sampler.choose(logits) {
            // What was said is the beginning of what was asked for. No failure, which would count against the model for all:
            // it is the form that grew too costly.
            Err(DecoderError::Form(_)) => {
                self.finish("length", outlet);
                return Ok(());
            }
            chosen => chosen?,
        };
        self.produced += 1;
        if tokenizer.is_end(chosen.token) {
            self.finish("stop", outlet);
            return Ok(());
        }
        let piece = tokenizer.piece(chosen.token);
        self.bytes += piece.len() as u64;
        if let Some(likelihood) = chosen.likelihood {
            self.told.push_back((self.bytes, told(tokenizer, chosen.token, likelihood)));
        }
        let written = self.writer.push(piece);
        self.give(written.text, outlet);
        if written.stopped {
            self.end("stop", outlet);
        } else if chosen.complete {
            self.finish("stop", outlet);
        } else if self.produced >= self.limit {
            self.finish("length", outlet);
        } else {
            self.next = Some(chosen.token);
        }
        Ok(())
    }

    fn finish(&mut self, reason: &str, outlet: &Outlet) {
        let rest = self.writer.finish();
        self.give(rest, outlet);
        self.end(reason, outlet);
    }

    fn end(&mut self, reason: &str, outlet: &Outlet) {
        let mut reason = reason;
        if let Some(calls) = &mut self.calls {
            let pieces = calls.finish(reason == "length");
            if reason == "stop" && calls.calls() > 0 {
                reason = "tool_calls";
            }
            self.say(pieces, Vec::new(), outlet);
        }
        outlet.say(Item::Finish { choice: self.index, reason: reason.to_owned() });
    }

    /// Gives text with the tokens that are whole in it. Tokens of which a stop string has taken a part are not told.
    fn give(&mut self, text: String, outlet: &Outlet) {
        let given = self.writer.given();
        let whole = self.told.iter().take_while(|(end, _)| *end <= given).count();
        let logprobs: Vec<TokenLogprob> = self.told.drain(..whole).map(|(_, told)| told).collect();
        let pieces = match &mut self.calls {
            Some(calls) => calls.push(&text),
            None if text.is_empty() => Vec::new(),
            None => vec![Piece::Text(text)],
        };
        self.say(pieces, logprobs, outlet);
    }

    fn say(&self, pieces: Vec<Piece>, mut logprobs: Vec<TokenLogprob>, outlet: &Outlet) {
        let choice = self.index;
        for piece in pieces {
            outlet.say(match piece {
                Piece::Text(text) => Item::Text { choice, text, logprobs: std::mem::take(&mut logprobs) },
                Piece::Call { index, name, arguments } => {
                    let id = Some(format!("call_{:016x}", random()));
                    Item::ToolCall { choice, index, id, name: Some(name), arguments, kind: CallKind::Function }
                }
            });
        }
        // Of tokens whose text is held back for a call that it may become.
        if !logprobs.is_empty() {
            outlet.say(Item::Text { choice, text: String::new(), logprobs });
        }
    }
}

fn told(tokenizer: &Tokenizer, token: u32, likelihood: Likelihood) -> TokenLogprob {
    let text = |token: u32| {
        let bytes = tokenizer.piece(token).to_vec();
        (String::from_utf8_lossy(&bytes).into_owned(), bytes)
    };
    let (name, bytes) = text(token);
    let top = likelihood.top.iter().map(|likely| {
        let (name, bytes) = text(likely.token);
        (name, bytes, likely.logprob)
    });
    TokenLogprob { token: name, bytes, logprob: likelihood.logprob, top: top.collect() }
}
