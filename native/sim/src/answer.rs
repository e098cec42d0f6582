//! What upstreams say, and what callers understand. Each upstream answer carries a number of its own in its words, so
//! that whoever reads them knows whose they are.

use std::collections::BTreeSet;

use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::sse::{Limits, Parser};
use serde_json::Value;

use crate::dice::Dice;

/// What an upstream answer says and is, as far as the checks need it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Exchange.
    pub x: usize,
    /// Attempt of that exchange.
    pub u: u32,
    /// Provider's name.
    pub provider: String,
    /// All words of the answer.
    pub words: String,
    /// Whole, unfiltered, without error: fit to be given again.
    pub fit: bool,
    /// Its end mark is among what it says.
    pub marked: bool,
    /// Inputs that it was asked to embed.
    pub inputs: usize,
    /// Tokens that it reports, if it does.
    pub usage: Option<u64>,
    /// When its last byte was handed over.
    pub ended_us: Option<u64>,
}

/// Ways in which the content of an answer can be wrong or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// As it should be.
    None,
    /// Ends without `[DONE]`.
    NoDone,
    /// Ends without finish reason and `[DONE]`.
    NoFinish,
    /// Never says what it used.
    NoUsage,
    /// Says it twice, the second time for good.
    TwiceUsage,
    /// Says it in two parts.
    SplitUsage,
    /// Used far more than anybody reserved.
    Overrun,
    /// An error event before any content.
    ErrorFirst,
    /// An error event after content.
    ErrorLater,
    /// An event that is not JSON.
    Malformed,
    /// JSON, but not of this protocol.
    WrongShape,
    /// Cut off by the output cap.
    Length,
    /// Cut by a content filter.
    Filtered,
    /// Ends with a reason of the provider's own.
    Failed,
    /// Goes on after `[DONE]`.
    Babble,
    /// `[DONE]` and nothing else.
    Empty,
    /// `[DONE]` without a finish reason.
    NoReason,
    /// A second choice, which finishes too.
    TwoChoices,
    /// A second choice that never finishes, and `[DONE]`.
    OneOpen,
    /// A second choice that never finishes, and no `[DONE]`.
    OneOpenNoDone,
    /// One vector less than inputs.
    FewVectors,
    /// Two vectors of one number.
    TwiceVector,
}

/// All but [`Oddity::None`].
pub const ODDITIES: &[Oddity] = &[
    Oddity::NoDone,
    Oddity::NoFinish,
    Oddity::NoUsage,
    Oddity::TwiceUsage,
    Oddity::SplitUsage,
    Oddity::Overrun,
    Oddity::ErrorFirst,
    Oddity::ErrorLater,
    Oddity::Malformed,
    Oddity::WrongShape,
    Oddity::Length,
    Oddity::Filtered,
    Oddity::Failed,
    Oddity::Babble,
    Oddity::Empty,
    Oddity::NoReason,
    Oddity::TwoChoices,
    Oddity::OneOpen,
    Oddity::OneOpenNoDone,
    Oddity::FewVectors,
    Oddity::TwiceVector,
];

/// Words of answer `number` in pieces; the first begins with the number.
pub fn words(dice: &mut Dice, number: usize, large: bool) -> Vec<String> {
    let mut pieces = vec![format!("n{number:08};")];
    let count = if large { dice.range(60, 120) } else { dice.range(0, 8) };
    for _ in 0..count {
        let word = dice.pick(&["yes ", "no. ", "a\u{301}c \u{1f980} ", "\\\"{}", "\n\n", "data: [DONE]"]);
        pieces.push(if large { word.repeat(800) } else { word.into() });
    }
    pieces
}

/// The number that `words` begin with.
pub fn number(words: &str) -> Option<usize> {
    words.strip_prefix('n')?.get(..8)?.parse().ok()
}

/// Finish reason and reported tokens of an answer with `oddity`.
pub fn terms(oddity: Oddity) -> (Option<&'static str>, Option<(u64, u64)>) {
    let reason = match oddity {
        Oddity::NoFinish | Oddity::NoReason => None,
        Oddity::Length => Some("length"),
        Oddity::Filtered => Some("content_filter"),
        Oddity::Failed => Some("error"),
        _ => Some("stop"),
    };
    let usage = match oddity {
        Oddity::NoUsage => None,
        Oddity::Overrun => Some((3, 1_000_000)),
        _ => Some((3, 5)),
    };
    (reason, usage)
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn usage_json((input, output): (u64, u64)) -> String {
    format!(r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{}}}"#, input + output)
}

/// Vectors of an answer: each says whose it is and which input's.
fn vectors(number: usize, inputs: usize, oddity: Oddity) -> String {
    let count = if oddity == Oddity::FewVectors { inputs - 1 } else { inputs };
    let one = |at: usize| {
        let index = if oddity == Oddity::TwiceVector { 0 } else { at };
        format!(r#"{{"object":"embedding","index":{index},"embedding":[{number}.0,{at}.0]}}"#)
    };
    // Nobody promises an order.
    let list: Vec<String> =
        if number % 2 == 0 { (0..count).map(one).collect() } else { (0..count).rev().map(one).collect() };
    list.join(",")
}

/// One whole body.
pub fn whole(endpoint: Endpoint, number: usize, words: &str, oddity: Oddity, inputs: usize) -> String {
    let (reason, usage) = terms(oddity);
    let usage = usage.map_or(String::new(), |usage| format!(r#","usage":{}"#, usage_json(usage)));
    let reason = reason.map_or("null".into(), json);
    match (oddity, endpoint) {
        (Oddity::Malformed, _) => r#"{"choices":[{"index":0,"#.into(),
        (Oddity::WrongShape, _) => r#"{"answer":"42"}"#.into(),
        (Oddity::ErrorFirst | Oddity::ErrorLater, _) => {
            r#"{"error":{"message":"it broke","type":"x","code":null}}"#.into()
        }
        (_, Endpoint::Embeddings) => {
            format!(r#"{{"object":"list","data":[{}],"model":"m"{usage}}}"#, vectors(number, inputs, oddity))
        }
        (_, Endpoint::Completions) => format!(
            r#"{{"id":"cmpl-{number}","object":"text_completion","choices":[{{"index":0,"text":{},"finish_reason":{reason}}}]{usage}}}"#,
            json(words)
        ),
        (_, Endpoint::Chat) => format!(
            r#"{{"id":"chatcmpl-{number}","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":{}}},"finish_reason":{reason}}}]{usage}}}"#,
            json(words)
        ),
    }
}

/// The events of a stream, each the data of one.
pub fn events(dice: &mut Dice, endpoint: Endpoint, number: usize, pieces: &[String], oddity: Oddity) -> Vec<String> {
    let chat = endpoint == Endpoint::Chat;
    let head =
        format!(r#"{{"id":"c-{number}","object":"{}""#, if chat { "chat.completion.chunk" } else { "text_completion" });
    let choice = |inner: String| format!(r#"{head},"choices":[{{"index":0,{inner}}}]}}"#);
    let piece = |text: &str| match chat {
        true => choice(format!(r#""delta":{{"content":{}}},"finish_reason":null"#, json(text))),
        false => choice(format!(r#""text":{},"finish_reason":null"#, json(text))),
    };
    let error = r#"{"error":{"message":"it broke","type":"server_error","code":null}}"#.to_string();
    let other = |inner: String| format!(r#"{head},"choices":[{{"index":1,{inner}}}]}}"#);
    let mut events = Vec::new();
    if oddity == Oddity::Empty {
        events.push("[DONE]".into());
        return events;
    }
    if dice.chance(10) {
        // Azure opens so.
        events.push(r#"{"id":"","object":"","model":"","choices":[],"prompt_filter_results":[]}"#.into());
    }
    if chat && dice.chance(70) {
        events.push(choice(r#""delta":{"role":"assistant","content":""},"finish_reason":null"#.into()));
    }
    if oddity == Oddity::ErrorFirst {
        events.push(error);
        return events;
    }
    events.extend(pieces.iter().map(|text| piece(text)));
    match oddity {
        Oddity::ErrorLater => {
            events.push(error);
            return events;
        }
        Oddity::Malformed => events.push(r#"{"choices":[{"#.into()),
        Oddity::WrongShape => events.push(r#"{"choices":"none"}"#.into()),
        _ => {}
    }
    let (reason, usage) = terms(oddity);
    if matches!(oddity, Oddity::TwoChoices | Oddity::OneOpen | Oddity::OneOpenNoDone) {
        let inner = if chat { r#""delta":{"content":"other"}"# } else { r#""text":"other""# };
        let reason = if oddity == Oddity::TwoChoices { "\"stop\"" } else { "null" };
        events.insert(dice.below(events.len() + 1), other(format!(r#"{inner},"finish_reason":{reason}"#)));
    }
    if let Some(reason) = reason {
        let inner = if chat { r#""delta":{}"# } else { r#""text":"""# };
        events.push(choice(format!(r#"{inner},"finish_reason":"{reason}""#)));
    }
    if oddity == Oddity::TwiceUsage {
        events.push(format!(r#"{head},"choices":[],"usage":{}}}"#, usage_json((1, 1))));
    }
    if let (Some((input, output)), Oddity::SplitUsage) = (usage, oddity) {
        events.push(format!(r#"{head},"choices":[],"usage":{{"prompt_tokens":{input}}}}}"#));
        events.push(format!(r#"{head},"choices":[],"usage":{{"completion_tokens":{output}}}}}"#));
    } else if let Some(usage) = usage {
        events.push(format!(r#"{head},"choices":[],"usage":{}}}"#, usage_json(usage)));
    }
    if !matches!(oddity, Oddity::NoDone | Oddity::NoFinish | Oddity::OneOpenNoDone) {
        events.push("[DONE]".into());
    }
    if oddity == Oddity::Babble {
        events.push(piece("more"));
    }
    events
}

/// What a caller understood of the bytes it got.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Words of the answer.
    pub words: String,
    /// A finish reason was given.
    pub finished: bool,
    /// Choices of a stream that have none.
    pub open: BTreeSet<u64>,
    closed: BTreeSet<u64>,
    /// The end mark was given.
    pub done: bool,
    /// An error was given.
    pub error: bool,
    /// A usage object was given.
    pub usage: bool,
    /// Events after the end mark or an error, or bytes that are no event.
    pub after_end: bool,
    /// What was not understood.
    pub broken: Option<String>,
}

impl Heard {
    /// Reads a whole body.
    pub fn whole(body: &[u8]) -> Heard {
        let mut heard = Heard::default();
        match serde_json::from_slice(body) {
            Ok(value) => heard.value(&value, false),
            Err(error) => heard.broken = Some(error.to_string()),
        }
        heard
    }

    /// Reads what came of an event stream so far.
    pub fn stream(bytes: &[u8]) -> Heard {
        let mut heard = Heard::default();
        let mut parser = Parser::new(Limits::default());
        match parser.feed(bytes) {
            Ok(events) => events.iter().for_each(|event| heard.event(&event.data)),
            Err(error) => heard.broken = Some(error.to_string()),
        }
        if parser.finish() != Ok(0) {
            heard.broken = Some("the last event is not complete".into());
        }
        heard
    }

    /// Reads the events that an in-process caller got.
    pub fn neutral(events: &[bytes::Bytes]) -> Heard {
        let mut heard = Heard::default();
        events.iter().for_each(|event| heard.event(&String::from_utf8_lossy(event)));
        heard
    }

    fn event(&mut self, data: &str) {
        self.after_end |= self.done || self.error;
        if data == "[DONE]" {
            self.done = true;
            return;
        }
        match serde_json::from_str(data) {
            Ok(value) => self.value(&value, true),
            Err(error) => self.broken = Some(format!("{error}: {data}")),
        }
    }

    fn value(&mut self, value: &Value, delta: bool) {
        self.usage |= value["usage"].is_object();
        if !value["error"].is_null() {
            self.error = true;
            return;
        }
        if delta && value["id"] == "" && (value["choices"][0].is_object() || value["usage"].is_object()) {
            self.broken = Some(format!("a chunk without id: {value}"));
        }
        if let Some(first) = value["data"][0]["embedding"][0].as_f64() {
            self.words = format!("n{:08};", first as u64);
            self.finished = true;
            return;
        }
        let Some(choices) = value["choices"].as_array() else {
            self.broken = Some("neither choices nor error".into());
            return;
        };
        for choice in choices {
            let index = choice["index"].as_u64().unwrap_or_default();
            if choice["finish_reason"].is_string() {
                self.open.remove(&index);
                self.closed.insert(index);
            } else if !self.closed.contains(&index) {
                self.open.insert(index);
            }
            if index > 0 {
                // Spoken aside: what the answer says is its first choice.
                continue;
            }
            let said = if delta { &choice["delta"]["content"] } else { &choice["message"]["content"] };
            self.words.push_str(said.as_str().or(choice["text"].as_str()).unwrap_or_default());
            self.finished |= choice["finish_reason"].is_string();
        }
    }
}
