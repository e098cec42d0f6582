//! One line of an upstream's answer: of a stream one of many, else all of it.

use super::calls::{as_text, id_of_answer};
use super::errors::words_of;
use super::finish::reason_of;
use super::logprobs;
use crate::dialects::neutral::{CallKind, Item};
use crate::dialects::Fed;
use crate::json::{Index, Kind, Limits, Value};
use crate::ledger::{Usage, UsageSource, MOST_TOKENS};

/// The members of a line, or of its message, that say something.
#[derive(Default)]
struct Said<'a> {
    content: Option<Value<'a>>,
    thinking: Option<Value<'a>>,
    tool_calls: Option<Value<'a>>,
}

impl<'a> Said<'a> {
    fn of(message: Value<'a>) -> Said<'a> {
        let mut said = Said::default();
        for (key, value) in message.fields() {
            if key.str_eq("content") {
                said.content = Some(value);
            } else if key.str_eq("thinking") {
                said.thinking = Some(value);
            } else if key.str_eq("tool_calls") {
                said.tool_calls = Some(value);
            }
        }
        said
    }
}

/// What must be remembered between lines: the calls so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    calls: u32,
}

impl Heard {
    /// Reads a line of chat (`message`) or of generate (`response`).
    pub fn read(&mut self, line: &[u8], items: &mut Vec<Item>) -> Fed {
        let Ok(index) = Index::scan(line, Limits::default()) else { return Fed::Malformed };
        let field = |name: &str| index.get(line, name).filter(|value| !value.is_null());
        if let Some(error) = field("error") {
            return Fed::Error(words_of(error).unwrap_or_default());
        }
        let done = field("done").and_then(Value::as_bool);
        let said = match field("message").filter(|message| message.kind() == Kind::Object) {
            Some(message) => Said::of(message),
            None => Said { content: field("response"), thinking: field("thinking"), tool_calls: field("tool_calls") },
        };
        if field("message").is_none() && said.content.is_none() && done.is_none() {
            return Fed::Malformed;
        }
        if let Some(text) = said.thinking.and_then(Value::as_str).filter(|text| !text.is_empty()) {
            items.push(Item::Reasoning { choice: 0, text: text.into_owned() });
        }
        let logprobs = logprobs::read(field("logprobs"));
        let text = said.content.and_then(Value::as_str).unwrap_or_default();
        if !text.is_empty() || !logprobs.is_empty() {
            items.push(Item::Text { choice: 0, text: text.into_owned(), logprobs });
        }
        let created_at = field("created_at").map_or(&b""[..], Value::raw);
        for call in said.tool_calls.into_iter().flat_map(Value::elements) {
            if !self.call(call, created_at, items) {
                return Fed::Malformed;
            }
        }
        if done != Some(true) {
            return Fed::Open;
        }
        let reason = field("done_reason").and_then(Value::as_str).unwrap_or_default();
        items.push(Item::Finish { choice: 0, reason: reason_of(&reason, self.calls > 0).to_owned() });
        items.extend(usage(field("prompt_eval_count"), field("eval_count")));
        Fed::Done
    }

    /// A call comes whole. Each is another, whatever its `index` says: some versions count from 0 in every line.
    fn call(&mut self, call: Value<'_>, created_at: &[u8], items: &mut Vec<Item>) -> bool {
        let Some(function) = call.get("function").filter(|function| function.kind() == Kind::Object) else {
            return false;
        };
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default().into_owned();
        let Some(arguments) = as_text(function.get("arguments")) else { return false };
        let given = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = given.map_or_else(|| id_of_answer(created_at, self.calls, &name, &arguments), String::from);
        items.push(Item::ToolCall {
            choice: 0,
            index: self.calls,
            id: Some(id),
            name: Some(name),
            arguments,
            kind: CallKind::Function,
        });
        self.calls = self.calls.saturating_add(1);
        true
    }
}

/// Tokens, where they are told. Older versions do not tell those of a prompt that was in memory.
pub(super) fn usage(input: Option<Value<'_>>, output: Option<Value<'_>>) -> Option<Item> {
    let count = |value: Option<Value<'_>>| value.and_then(Value::as_u64).filter(|count| *count <= MOST_TOKENS);
    let (input, output) = (count(input), count(output));
    (input.is_some() || output.is_some()).then(|| {
        Item::Usage(Usage {
            input_tokens: input.unwrap_or_default(),
            output_tokens: output.unwrap_or_default(),
            source: UsageSource::Reported,
            ..Usage::default()
        })
    })
}
