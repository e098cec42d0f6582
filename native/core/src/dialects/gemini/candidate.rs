//! Reads answers: a whole one is a stream of one event.
//!
//! Gemini's streams have no end mark, and a finish reason may come before more words (Chevey339/kelivo#1003). So it is
//! kept until the stream ends, and only then is the answer complete. A `STOP` before words does not end what follows it: proxies begin
//! with empty events that have one, and a stream that is cut behind them is cut.

use super::annotations::{Sources, Told};
use super::carried::data_of;
use super::finish::{self, Finish};
use super::names::{camel, fields, get, text, whole};
use super::positions::Positions;
use super::signatures::is_stand_in;
use super::{errors, ids, logprobs, usage};
use crate::dialects::neutral::{CallKind, Item, Thought, TokenLogprob};
use crate::dialects::wrapped::{of_data, read_entry};
use crate::dialects::{Dialect, Fed};
use crate::json::{self, Index, Kind, Limits, Outline, Value};

/// More choices than any caller can ask for.
const MOST_CHOICES: u32 = 128;
/// Thoughts that one signature carries.
const MOST_ENTRIES: usize = 1_024;
/// Longest words of a refusal that are kept, characters.
const MOST_WORDS: usize = 2_048;

/// What must be remembered between events.
#[derive(Debug, Default)]
pub(super) struct Reader {
    index: Index,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    choices: Vec<Choice>,
    counts: usage::Counts,
    /// The prompt was blocked, in these words.
    blocked: Option<String>,
}

#[derive(Debug, Default)]
struct Choice {
    calls: u32,
    finish: Option<&'static str>,
    /// Why the model declined.
    refusal: Option<String>,
    said: Positions,
    sources: Told,
}

impl Reader {
    /// Takes one response object.
    pub fn take(&mut self, event: &[u8], items: &mut Vec<Item>) -> Fed {
        let Reader { index, state } = self;
        let mut outline = Outline::default();
        if outline.scan(index, event, Limits::default()).is_err() {
            return Fed::Malformed;
        }
        let (mut candidates, mut feedback, mut metadata, mut answer) = (None, None, None, None);
        for (key, value) in outline.fields(index, event).filter(|(_, value)| !value.is_null()) {
            match &*camel(&String::from_utf8_lossy(&key)) {
                "error" => return Fed::Error(errors::of(value)),
                "candidates" => candidates = Some(value),
                "promptFeedback" => feedback = Some(value),
                "usageMetadata" => metadata = Some(value),
                "responseId" => answer = Some(value),
                _ => {}
            }
        }
        if candidates.is_none() && feedback.is_none() && metadata.is_none() {
            return if answer.is_some() { Fed::Open } else { Fed::Malformed };
        }
        if let Some(feedback) = feedback {
            state.feedback(feedback);
        }
        for candidate in candidates.into_iter().flat_map(Value::elements) {
            match state.candidate(candidate, answer, items) {
                Fed::Open => {}
                other => return other,
            }
        }
        if let Some(metadata) = metadata {
            state.count(usage::Counts::read(metadata), items);
        }
        Fed::Open
    }

    /// The answer is over. Whether it is complete.
    pub fn finish(&mut self, items: &mut Vec<Item>) -> bool {
        let state = &mut self.state;
        if state.choices.is_empty() {
            let Some(words) = state.blocked.take() else { return false };
            items.push(Item::Refusal { choice: 0, text: words });
            items.push(Item::Finish { choice: 0, reason: "content_filter".into() });
            return true;
        }
        for (nth, choice) in state.choices.iter_mut().enumerate() {
            let number = nth as u32;
            // A prompt that is blocked after all ends what was begun.
            let blocked = state.blocked.as_ref().map(|_| "content_filter");
            if choice.finish.is_none() && blocked.is_some() {
                choice.refusal.clone_from(&state.blocked);
            }
            let Some(reason) = choice.finish.take().or(blocked) else { return false };
            if let Some(text) = choice.refusal.take().filter(|_| reason == "content_filter") {
                items.push(Item::Refusal { choice: number, text });
            }
            let reason = if reason == "stop" && choice.calls > 0 { "tool_calls" } else { reason };
            items.push(Item::Finish { choice: number, reason: reason.into() });
        }
        true
    }
}

impl State {
    /// Some blocks come with a candidate that says the same; its reason counts.
    fn feedback(&mut self, feedback: Value<'_>) {
        let Some(reason) = text(feedback, "blockReason").filter(|reason| reason != "BLOCKED_REASON_UNSPECIFIED") else {
            return;
        };
        let words = text(feedback, "blockReasonMessage").filter(|words| !words.is_empty());
        let words = words.map_or_else(|| format!("The prompt was blocked: {reason}."), |words| words.into_owned());
        self.blocked = Some(words.chars().take(MOST_WORDS).collect());
    }

    fn count(&mut self, counts: usage::Counts, items: &mut Vec<Item>) {
        let before = self.counts;
        self.counts = before.larger(counts);
        let Some((usage, thoughts)) = self.counts.usage() else { return };
        let told = before.usage();
        if told.is_none_or(|(told, _)| told != usage) {
            items.push(Item::Usage(usage));
        }
        if told.map_or(0, |(_, thoughts)| thoughts) != thoughts {
            items.push(Item::UsageDetail { reasoning_tokens: thoughts });
        }
    }

    fn candidate(&mut self, candidate: Value<'_>, answer: Option<Value<'_>>, items: &mut Vec<Item>) -> Fed {
        if candidate.kind() != Kind::Object {
            return Fed::Malformed;
        }
        let (mut number, mut content, mut reason, mut message) = (0, None, None, None);
        let (mut sources, mut tokens) = (Sources::default(), None);
        for (name, value) in fields(candidate) {
            match &*name {
                "index" => number = whole(value).and_then(|index| u32::try_from(index).ok()).unwrap_or(MOST_CHOICES),
                "content" => content = Some(value),
                "finishReason" => reason = value.as_str(),
                "finishMessage" => message = value.as_str(),
                "groundingMetadata" => sources.grounding = Some(value),
                "citationMetadata" => sources.citations = Some(value),
                "urlContextMetadata" => sources.addresses = Some(value),
                "logprobsResult" => tokens = Some(value),
                _ => {}
            }
        }
        if number >= MOST_CHOICES {
            return Fed::Malformed;
        }
        while self.choices.len() <= number as usize {
            self.choices.push(Choice::default());
        }
        let Some(choice) = self.choices.get_mut(number as usize) else { return Fed::Malformed };
        let before = items.len();
        let mut saying = Saying { number, choice, answer, tokens: tokens.map(logprobs::read).unwrap_or_default() };
        for part in content.and_then(|content| get(content, "parts")).into_iter().flat_map(Value::elements) {
            if saying.part(part, items).is_none() {
                return Fed::Malformed;
            }
        }
        // A signature says nothing: one may come behind the reason.
        let is_saying = items.iter().skip(before).any(|item| !matches!(item, Item::Thought { .. }));
        saying.rest(items);
        choice.sources.read(number, &choice.said, sources, items);
        match finish::read(reason.as_deref().unwrap_or_default()) {
            Finish::Open => choice.finish = choice.finish.filter(|reason| !is_saying || *reason != "stop"),
            Finish::Ended(reason) => {
                choice.finish = Some(reason);
                choice.refusal = message.map(|words| words.chars().take(MOST_WORDS).collect());
            }
            Finish::Broken => {
                let words = message.or(reason).unwrap_or_default();
                return Fed::Error(words.chars().take(512).collect());
            }
        }
        Fed::Open
    }
}

/// One candidate of one event.
struct Saying<'s, 'a> {
    number: u32,
    choice: &'s mut Choice,
    /// `responseId`
    answer: Option<Value<'a>>,
    /// Of the event's text, until it is met.
    tokens: Vec<TokenLogprob>,
}

impl Saying<'_, '_> {
    fn part(&mut self, part: Value<'_>, items: &mut Vec<Item>) -> Option<()> {
        let (mut said, mut call, mut thought, mut signature) = (None, None, false, None);
        for (name, value) in fields(part) {
            match &*name {
                "text" => said = Some(value.as_str()?.into_owned()),
                "functionCall" => call = Some(value),
                "thought" => thought = value.as_bool() == Some(true),
                "thoughtSignature" => signature = value.as_str(),
                // What Google's own tools did has no place across, and its signature signs nothing that is told.
                "toolCall" | "toolResponse" => return Some(()),
                // But for code, which readers may still want to see.
                "executableCode" => said = Some(fenced("python\n", text(value, "code"))),
                "codeExecutionResult" => said = Some(fenced("\n", text(value, "output"))),
                "inlineData" => said = Some(pictured(value)),
                _ => {}
            }
        }
        let choice = self.number;
        if let Some(call) = call {
            return self.call(call, signature.as_deref(), items);
        }
        match said.filter(|said| !said.is_empty()) {
            Some(text) if thought => items.push(Item::Reasoning { choice, text }),
            Some(text) => {
                self.choice.said.say(&text);
                items.push(Item::Text { choice, text, logprobs: std::mem::take(&mut self.tokens) });
            }
            None => {}
        }
        self.sign(signature.as_deref(), Thought::OfText, items);
        Some(())
    }

    /// A signature: the model's, none in Google's words, or what another hoosh carries in it.
    fn sign(&self, signature: Option<&str>, of: impl Fn(String) -> Thought, items: &mut Vec<Item>) {
        let Some(signature) = signature.filter(|text| !text.is_empty() && !is_stand_in(text)) else { return };
        let choice = self.number;
        let Some(data) = data_of(signature) else {
            items.push(Item::Thought { choice, origin: Dialect::Gemini, thought: of(signature.to_owned()) });
            return;
        };
        let entries = of_data(&data).and_then(|json| json::validate(json.as_bytes(), Limits::default()).ok());
        for entry in entries.into_iter().flat_map(Value::elements).take(MOST_ENTRIES) {
            let read = read_entry(entry, |_| None);
            items.extend(read.map(|(origin, thought)| Item::Thought { choice, origin, thought }));
        }
    }

    fn call(&mut self, call: Value<'_>, signature: Option<&str>, items: &mut Vec<Item>) -> Option<()> {
        let name = text(call, "name").filter(|name| !name.is_empty())?;
        let index = self.choice.calls;
        self.choice.calls = index.checked_add(1)?;
        let id = text(call, "id").filter(|id| !id.is_empty()).map_or_else(
            || {
                let answer = self.answer.and_then(Value::as_str);
                ids::of_answer(answer.as_deref().unwrap_or_default(), self.number, index, &name)
            },
            |id| id.into_owned(),
        );
        let arguments = match get(call, "args") {
            Some(arguments) if arguments.kind() == Kind::Object => {
                String::from_utf8_lossy(arguments.raw()).into_owned()
            }
            Some(_) => return None,
            None => "{}".into(),
        };
        let choice = self.number;
        items.push(Item::ToolCall {
            choice,
            index,
            id: Some(id),
            name: Some(name.into_owned()),
            arguments,
            kind: CallKind::Function,
        });
        self.sign(signature, |signature| Thought::OfCall(index, signature), items);
        Some(())
    }

    /// Tokens of an event without text.
    fn rest(&mut self, items: &mut Vec<Item>) {
        if !self.tokens.is_empty() {
            let logprobs = std::mem::take(&mut self.tokens);
            items.push(Item::Text { choice: self.number, text: String::new(), logprobs });
        }
    }
}

fn fenced(head: &str, text: Option<std::borrow::Cow<'_, str>>) -> String {
    format!("\n```{head}{}\n```\n", text.unwrap_or_default().trim_end())
}

/// A picture or sound that the model made, as Markdown.
fn pictured(data: Value<'_>) -> String {
    let media = text(data, "mimeType").unwrap_or_default();
    let bytes = text(data, "data").unwrap_or_default();
    let mark = if media.starts_with("image/") { "!" } else { "" };
    format!("{mark}[{media}](data:{media};base64,{})", super::data::usual(&bytes))
}
