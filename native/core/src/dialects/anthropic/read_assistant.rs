//! An assistant's turn in the neutral form: one message with its thoughts, its words and its calls.

use super::fields::report_unknown;
use super::read_messages::{is, part};
use super::read_request::missing;
use crate::dialects::wrapped::Unwrapped;
use crate::dialects::{Dialect, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// What a turn says, sorted.
#[derive(Default)]
struct Turn<'a> {
    /// All that was thought.
    thinking: String,
    /// Elements of `thoughts`, Anthropic's own.
    thoughts: Vec<Vec<u8>>,
    unwrapped: Unwrapped,
    calls: Vec<Value<'a>>,
    /// Text and what else may stand in any content, and blocks that are reported when they are read.
    words: Vec<Value<'a>>,
}

/// Writes the turn. `mark`: the cache marker of its last block.
pub(super) fn assistant(
    said: Value<'_>,
    place: &str,
    mark: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let turn = Turn::of(said, loss);
    out.open_object().text_member("role", "assistant").key("content");
    match said.kind() {
        Kind::String => {
            out.value(said);
        }
        _ => turn.write_words(place, out, loss)?,
    }
    if !turn.thinking.is_empty() {
        out.text_member("reasoning_content", &turn.thinking);
    }
    if !turn.thoughts.is_empty() || !turn.unwrapped.thoughts.is_empty() {
        out.key("thoughts").open_array();
        for thought in turn.thoughts.iter().chain(&turn.unwrapped.thoughts) {
            out.raw(thought);
        }
        out.close_array();
    }
    if !turn.calls.is_empty() {
        out.key("tool_calls").open_array();
        for block in &turn.calls {
            call(*block, place, &turn.unwrapped, out)?;
            report_unknown(*block, "tool_use", loss);
        }
        out.close_array();
    }
    out.member("cache_control", mark).close_object();
    Ok(())
}

impl<'a> Turn<'a> {
    fn of(said: Value<'a>, loss: &mut Loss) -> Turn<'a> {
        let mut turn = Turn::default();
        for block in said.elements() {
            if is(block, "thinking") {
                turn.think(block);
                report_unknown(block, "thinking", loss);
            } else if is(block, "redacted_thinking") {
                turn.redacted(block);
                report_unknown(block, "redacted_thinking", loss);
            } else if is(block, "tool_use") {
                turn.calls.push(block);
            } else {
                turn.words.push(block);
            }
        }
        turn
    }

    /// Thinking, with what signs it for its origin alone. What nobody signed another dialect's model thought.
    fn think(&mut self, block: Value<'_>) {
        let thinking = block.get("thinking").and_then(Value::as_str).unwrap_or_default();
        self.thinking.push_str(&thinking);
        let signature = block.get("signature").filter(|it| it.kind() == Kind::String && !it.str_eq(""));
        let Some(signature) = signature else { return };
        let mut out = Writer::with_capacity(block.raw().len() + 48);
        out.open_object().text_member("origin", Dialect::Anthropic.as_str()).text_member("type", "signature");
        out.text_member("thinking", &thinking).key("signature").value(signature).close_object();
        self.thoughts.push(out.into_bytes());
    }

    fn redacted(&mut self, block: Value<'_>) {
        let Some(data) = block.get("data").and_then(Value::as_str) else { return };
        if self.unwrapped.take(&data) {
            return;
        }
        let mut out = Writer::with_capacity(block.raw().len() + 48);
        out.open_object().text_member("origin", Dialect::Anthropic.as_str()).text_member("type", "redacted");
        out.text_member("data", &data).close_object();
        self.thoughts.push(out.into_bytes());
    }

    /// The content: one text is a string, none is null.
    fn write_words(&self, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
        let mut parts = Writer::default();
        parts.open_array();
        let mut written = 0;
        for block in &self.words {
            let before = parts.len();
            part(*block, place, &mut parts, loss)?;
            written += usize::from(parts.len() > before);
        }
        parts.close_array();
        let only = self.words.iter().find(|block| is(**block, "text")).filter(|_| written == 1);
        match only.and_then(|only| only.get("text").filter(|_| only.get("cache_control").is_none_or(Value::is_null))) {
            _ if written == 0 => out.null(),
            Some(text) => out.value(text),
            None => out.raw(&parts.into_bytes()),
        };
        Ok(())
    }
}

fn call(block: Value<'_>, place: &str, unwrapped: &Unwrapped, out: &mut Writer) -> Result<(), Failure> {
    let text = |name: &str| {
        let value = block.get(name).filter(|value| value.kind() == Kind::String);
        value.ok_or_else(|| missing(&format!("{place}.content.tool_use.{name}")))
    };
    let id = text("id")?;
    out.open_object().key("id").value(id).text_member("type", "function").key("function").open_object();
    out.key("name").value(text("name")?);
    let input = block.get("input").filter(|input| input.kind() == Kind::Object);
    let input = input.map_or("{}".into(), |input| String::from_utf8_lossy(input.raw()));
    out.text_member("arguments", &input);
    out.close_object();
    if let Some(signature) = id.as_str().and_then(|id| unwrapped.of_call(&id).map(str::to_owned)) {
        out.key("extra_content").open_object().key("google").open_object();
        out.text_member("thought_signature", &signature).close_object().close_object();
    }
    out.member("cache_control", block.get("cache_control")).close_object();
    Ok(())
}
