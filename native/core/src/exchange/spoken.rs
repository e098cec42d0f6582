//! An answer that comes as items, from an engine of this process or from an upstream whose dialect was read, and is written
//! as its caller reads it.

use bytes::Bytes;

use super::account::Owed;
use super::attempt::Follow;
use super::verdict::Fall;
use super::Exchange;
use crate::clock::SECOND;
use crate::dialects::customs::Customs;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::openai::collected::Collected;
use crate::dialects::openai::encode::{Stamp, VectorForm};
use crate::dialects::openai::pieces::{framed, Pieces};
use crate::dialects::{Change, Dialect, Listener, Protocol, Reply};
use crate::ledger::Usage;
use crate::sse;

/// What was said so far.
#[derive(Debug)]
pub(super) struct Spoken {
    pub voice: Voice,
    pub collected: Collected,
    /// What it says that it used; the last word counts.
    pub usage: Option<Usage>,
    /// What is kept of it.
    pub bytes: usize,
    /// Its items are kept although it streams: requests may go on from it.
    pub keeps: bool,
    /// Reads the stream of an upstream; `None` for engines and whole answers.
    pub listener: Option<Listener>,
    /// Calls of custom tools come as those of functions, and are told as what they are.
    pub customs: Customs,
    /// The response that its upstream keeps, once it is named, where it is made in the background.
    pub background: Option<Box<str>>,
    /// Its upstream was not asked yet whether it keeps it.
    pub unnamed: bool,
}

/// How it is written.
pub(super) enum Voice {
    /// As OpenAI writes.
    OpenAi(Stamp),
    /// In another dialect; of a whole answer the items are kept until its end.
    Other { protocol: &'static dyn Protocol, reply: Reply, items: Vec<Item> },
    /// Upstream and caller speak the same: its bytes pass.
    AsItIs,
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Voice::OpenAi(_) => "OpenAi",
            Voice::Other { .. } => "Other",
            Voice::AsItIs => "AsItIs",
        })
    }
}

impl Spoken {
    pub fn new(voice: Voice, customs: Customs, keeps: bool) -> Spoken {
        Spoken {
            voice,
            collected: Collected::default(),
            usage: None,
            bytes: 0,
            keeps,
            listener: None,
            background: None,
            unnamed: true,
            customs,
        }
    }

    /// Whether the upstream's own bytes are the answer.
    pub fn passes(&self) -> bool {
        matches!(self.voice, Voice::AsItIs)
    }

    pub fn held(&self) -> usize {
        self.bytes + self.customs.held() + self.listener.as_ref().map_or(0, Listener::held)
    }

    /// The whole answer, which cost `usage`.
    fn whole(&self, endpoint: Endpoint, usage: &Usage) -> Option<Bytes> {
        match &self.voice {
            Voice::OpenAi(stamp) => Some(Bytes::from(stamp.whole(endpoint, &self.collected, usage))),
            Voice::Other { protocol, reply, items } => Some(Bytes::from(protocol.write_answer(reply, items, usage))),
            Voice::AsItIs => None,
        }
    }
}

impl Exchange {
    /// For an answer of an engine, or of an upstream that speaks `dialect`.
    fn voice(&self, dialect: Option<Dialect>, vectors: VectorForm) -> Voice {
        let own = self.dialect();
        if dialect == Some(own) && own.protocol().passes(self.endpoint(), self.call().asked.form) {
            return Voice::AsItIs;
        }
        if own == Dialect::NEUTRAL && dialect.is_none() {
            return Voice::OpenAi(self.stamp(vectors));
        }
        Voice::Other { protocol: own.protocol(), reply: self.reply_of(), items: Vec::new() }
    }

    /// An answer of which nothing is said yet.
    pub(super) fn spoken(&self, dialect: Option<Dialect>, vectors: VectorForm) -> Spoken {
        let voice = self.voice(dialect, vectors);
        let customs = match voice {
            Voice::AsItIs => Customs::default(),
            _ => Customs::of(&self.facts().body, &self.facts().index),
        };
        Spoken::new(voice, customs, self.keeps_turn())
    }

    /// One thing that was said, into `pieces` if it streams. `false` if it makes no sense.
    pub(super) fn hear(&mut self, item: Item, pieces: &mut Pieces) -> bool {
        let mut customs = match self.customs() {
            Some(customs) if !customs.is_empty() => std::mem::take(customs),
            _ => return self.hear_one(item, pieces),
        };
        let fine = customs.take(item, |item| self.hear_one(item, pieces));
        self.customs().into_iter().for_each(|place| std::mem::swap(place, &mut customs));
        fine
    }

    fn customs(&mut self) -> Option<&mut Customs> {
        match &mut self.attempt.as_mut()?.follow {
            Follow::Spoken(spoken) => Some(&mut spoken.customs),
            _ => None,
        }
    }

    fn hear_one(&mut self, mut item: Item, pieces: &mut Pieces) -> bool {
        let (endpoint, bare, streams) = (self.endpoint(), self.is_bare(), self.facts().stream);
        let Some(attempt) = &mut self.attempt else { return true };
        let Follow::Spoken(spoken) = &mut attempt.follow else { return true };
        if let Item::Usage(usage) = item {
            spoken.usage = Some(usage);
            return true;
        }
        pieces.content |= is_content(&item);
        if let Voice::Other { protocol, .. } = &spoken.voice {
            if let Some((field, note)) = protocol.loses(&item) {
                self.account.loss.add(Change::Dropped, field, note);
            }
        }
        match &mut spoken.voice {
            Voice::OpenAi(stamp) if streams => {
                let chunk = stamp.chunk(endpoint, &item, spoken.collected.said(&item));
                if let Some(chunk) = chunk {
                    pieces.push(framed(chunk, bare));
                }
            }
            Voice::Other { protocol, reply, items } if streams => {
                if spoken.keeps {
                    spoken.bytes += item.bytes();
                    items.push(item.clone());
                }
                let encoder = self.out.encoder.get_or_insert_with(|| protocol.encoder(reply.clone()));
                let mut out = Vec::new();
                encoder.item(&item, &mut out);
                push_events(pieces, out, bare);
            }
            Voice::Other { items, .. } => {
                spoken.bytes += item.bytes();
                items.push(item.clone());
            }
            Voice::OpenAi(_) | Voice::AsItIs => {}
        }
        if let Item::Text { logprobs, .. } = &mut item {
            if streams {
                // They are told; only words are needed later.
                logprobs.clear();
            }
        }
        spoken.bytes += item.bytes();
        spoken.collected.add(item)
    }

    /// All was said. What it cost is counted first where its caller wants to know and nobody said.
    pub(super) fn end_spoken(&mut self) {
        let (endpoint, streams, inputs) = (self.endpoint(), self.facts().stream, self.facts().answers);
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Spoken(spoken) = &attempt.follow else { return };
        if !spoken.collected.is_complete(endpoint, inputs) {
            self.fall(Fall::truncated("The provider ended before its answer was complete."));
            return;
        }
        let Follow::Spoken(mut spoken) = std::mem::replace(&mut attempt.follow, Follow::Tail) else { return };
        spoken.collected.sort();
        let wants = match spoken.voice {
            Voice::OpenAi(_) => !streams || self.facts().include_usage,
            Voice::Other { .. } => !streams || self.dialect() != Dialect::NEUTRAL || self.facts().include_usage,
            Voice::AsItIs => false,
        };
        if let Some(id) = spoken.background.take() {
            // Told to the end, and booked with this.
            self.gateway.settle_home(self.response_key(&id));
        }
        self.succeed(spoken.usage, spoken.collected.is_clean(), spoken.collected.words());
        // The bytes that follow a stream's last event are still read, so that its connection can serve again.
        let now_us = self.now.mono_us;
        match &mut self.attempt {
            Some(attempt) if !attempt.over => attempt.since_us = now_us,
            _ => self.attempt = None,
        }
        match spoken.usage {
            None if wants => self.owe(Owed::Answer(spoken)),
            usage => self.say_rest(*spoken, usage.unwrap_or_default()),
        }
    }

    /// The answer, or the rest of a stream.
    pub(super) fn say_rest(&mut self, spoken: Spoken, usage: Usage) {
        let endpoint = self.endpoint();
        if !self.facts().stream {
            if let Some(body) = spoken.whole(endpoint, &usage) {
                if spoken.keeps {
                    self.keep_turn(&body);
                }
                self.reply_whole(body);
            }
            return;
        }
        let (bare, wanted) = (self.is_bare(), self.facts().include_usage);
        let mut pieces = Pieces { content: true, ..Pieces::default() };
        match &spoken.voice {
            Voice::OpenAi(stamp) => {
                if wanted {
                    pieces.push(framed(stamp.usage_chunk(endpoint, &usage), bare));
                }
                pieces.push_mark(bare);
            }
            Voice::Other { protocol, reply, .. } => {
                let encoder = self.out.encoder.get_or_insert_with(|| protocol.encoder(reply.clone()));
                let mut out = Vec::new();
                encoder.end(&usage, &mut out);
                if spoken.keeps {
                    self.keep_turn(&spoken.whole(endpoint, &usage).unwrap_or_default());
                }
                push_events(&mut pieces, out, bare);
            }
            Voice::AsItIs => {}
        }
        self.say(pieces);
        self.finish();
    }

    /// What all that is said in this exchange's name carries.
    fn stamp(&self, vectors: VectorForm) -> Stamp {
        let prefix = if self.endpoint() == Endpoint::Completions { "cmpl" } else { "chatcmpl" };
        Stamp {
            id: format!("{prefix}-{}", self.request_id()),
            created: self.begun.wall_us / SECOND as i64,
            model: self.facts.as_ref().map_or_else(String::new, |facts| facts.model.clone()),
            vectors,
        }
    }
}

/// Whole events, as they are or, for a caller without framing, the JSON of each.
fn push_events(pieces: &mut Pieces, events: Vec<u8>, bare: bool) {
    if events.is_empty() {
        return;
    }
    if !bare {
        return pieces.push(Bytes::from(events));
    }
    for event in sse::Parser::new(sse::Limits::default()).feed(&events).unwrap_or_default() {
        if event.data != "[DONE]" {
            pieces.push(Bytes::from(event.data));
        }
    }
}

/// Whether a caller would act on it.
fn is_content(item: &Item) -> bool {
    match item {
        Item::Text { text, .. } | Item::Reasoning { text, .. } | Item::Refusal { text, .. } => !text.is_empty(),
        Item::ToolCall { .. } | Item::Thought { .. } => true,
        Item::Finish { .. } | Item::StopSequence { .. } | Item::Annotation { .. } => false,
        Item::Embedding { .. } | Item::Usage(_) | Item::UsageDetail { .. } => false,
    }
}
