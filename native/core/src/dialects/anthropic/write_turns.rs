//! Neutral messages as Anthropic's turns: they alternate, the user's come first, the results of tools stand at the
//! beginning of the user's turn after the calls, and no text is empty.

use super::write_parts::{part, text_block};
use crate::dialects::{Change, Dialect, Loss};
use crate::json::{Kind, Value, Writer};

/// Stands for a user's turn where the conversation begins with the assistant's.
const BEFORE: &str = "(The conversation goes on.)";

/// The turns of a request, and what stands above them.
#[derive(Default)]
pub(super) struct Turns {
    /// Blocks of text.
    system: Vec<Vec<u8>>,
    turns: Vec<Turn>,
    /// The turn in progress has calls whose thoughts are not signed.
    unsigned: bool,
}

struct Turn {
    assistant: bool,
    blocks: Vec<Vec<u8>>,
}

impl Turns {
    /// Takes all messages.
    pub fn read(&mut self, messages: Option<Value<'_>>, loss: &mut Loss) {
        for message in messages.into_iter().flat_map(Value::elements) {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
            let content = message.get("content").filter(|content| !content.is_null());
            match &*role {
                "system" | "developer" => self.instruct(content, loss),
                "assistant" => self.assist(message, content, loss),
                "tool" | "function" => {
                    let block = tool_result(message, content, loss);
                    self.push(false, block);
                }
                _ => {
                    self.unsigned = false;
                    self.say(false, content, loss);
                    marked(message, self.turns.last_mut().and_then(|turn| turn.blocks.last_mut()));
                }
            }
            if message.get("name").is_some_and(|name| !name.is_null()) && role != "tool" && role != "function" {
                loss.add(Change::Dropped, "messages[].name", "Anthropic's turns have no names");
            }
        }
    }

    /// Adds to what stands above the turns.
    pub fn add_system(&mut self, text: &str) {
        self.system.push(text_block(text));
    }

    /// Whether the model may think: a turn that it began without signed thoughts it must end so.
    pub fn may_think(&self) -> bool {
        !self.unsigned
    }

    /// Instructions: above the turns, as long as there is none; later ones in a user's turn.
    fn instruct(&mut self, content: Option<Value<'_>>, loss: &mut Loss) {
        if self.turns.is_empty() {
            let mut blocks = Vec::new();
            blocks_of(content, &mut blocks, loss);
            self.system.append(&mut blocks);
            return;
        }
        loss.add(Change::Approximated, "messages[].role", "a later system message as a user's");
        let mut blocks = Vec::new();
        blocks_of(content, &mut blocks, loss);
        for block in blocks {
            self.push(false, block);
        }
    }

    fn assist(&mut self, message: Value<'_>, content: Option<Value<'_>>, loss: &mut Loss) {
        let mut signed = false;
        for thought in message.get("thoughts").into_iter().flat_map(Value::elements) {
            match thinking_block(thought) {
                Some(block) => {
                    signed = true;
                    self.push(true, block);
                }
                None => loss.add(Change::Dropped, "messages[].thoughts", "of another origin"),
            }
        }
        let thought = message.get("reasoning_content").and_then(Value::as_str);
        if !signed && thought.is_some_and(|text| !text.is_empty()) {
            loss.add(Change::Dropped, "messages[].reasoning_content", "only signed thoughts are taken back");
        }
        self.say(true, content, loss);
        if let Some(refusal) = message.get("refusal").and_then(Value::as_str).filter(|text| !text.is_empty()) {
            self.push(true, text_block(&refusal));
        }
        let calls = message.get("tool_calls").into_iter().flat_map(Value::elements);
        let mut called = false;
        for call in calls {
            called = true;
            let block = tool_use(call, loss);
            self.push(true, block);
        }
        self.unsigned = called && !signed;
    }

    fn say(&mut self, assistant: bool, content: Option<Value<'_>>, loss: &mut Loss) {
        let mut blocks = Vec::new();
        blocks_of(content, &mut blocks, loss);
        for block in blocks {
            self.push(assistant, block);
        }
    }

    /// Adds a block to the turn of its role. A tool's result goes before what else the user says in that turn.
    fn push(&mut self, assistant: bool, block: Vec<u8>) {
        match self.turns.last_mut().filter(|turn| turn.assistant == assistant) {
            Some(turn) => turn.blocks.push(block),
            None => self.turns.push(Turn { assistant, blocks: vec![block] }),
        }
    }

    /// The members `system` and `messages`.
    pub fn write(&self, out: &mut Writer, loss: &mut Loss) {
        if !self.system.is_empty() {
            out.key("system");
            list(out, self.system.iter());
        }
        out.key("messages").open_array();
        if self.turns.first().is_some_and(|turn| turn.assistant) {
            loss.add(Change::Approximated, "messages", "a user's turn was put before the assistant's");
            out.open_object().text_member("role", "user").text_member("content", BEFORE).close_object();
        }
        for turn in &self.turns {
            out.open_object().text_member("role", if turn.assistant { "assistant" } else { "user" }).key("content");
            let is_result = |block: &&Vec<u8>| block.starts_with(RESULT);
            let (results, others): (Vec<_>, Vec<_>) = turn.blocks.iter().partition(is_result);
            list(out, results.into_iter().chain(others));
            out.close_object();
        }
        out.close_array();
    }
}

/// How a tool's result begins.
const RESULT: &[u8] = b"{\"type\":\"tool_result\"";

fn list<'b>(out: &mut Writer, blocks: impl Iterator<Item = &'b Vec<u8>>) {
    out.open_array();
    for block in blocks {
        out.raw(block);
    }
    out.close_array();
}

/// Content as blocks; empty text is none.
fn blocks_of(content: Option<Value<'_>>, blocks: &mut Vec<Vec<u8>>, loss: &mut Loss) {
    let Some(content) = content else { return };
    if let Some(text) = content.as_str() {
        blocks.extend((!text.is_empty()).then(|| text_block(&text)));
        return;
    }
    for value in content.elements() {
        blocks.extend(part(value, loss));
    }
}

/// The cache marker of a message stands on its last block here.
fn marked(message: Value<'_>, block: Option<&mut Vec<u8>>) {
    let Some((mark, block)) = message.get("cache_control").filter(|mark| !mark.is_null()).zip(block) else { return };
    if block.pop().is_some() {
        block.extend_from_slice(b",\"cache_control\":");
        block.extend_from_slice(mark.raw());
        block.push(b'}');
    }
}

/// Thoughts of Anthropic's own.
fn thinking_block(thought: Value<'_>) -> Option<Vec<u8>> {
    let is = |name: &str, word: &str| thought.get(name).is_some_and(|value| value.str_eq(word));
    if !is("origin", Dialect::Anthropic.as_str()) {
        return None;
    }
    let mut out = Writer::with_capacity(thought.raw().len());
    out.open_object();
    if is("type", "redacted") {
        out.text_member("type", "redacted_thinking").key("data").value(thought.get("data")?);
    } else {
        let thinking = thought.get("thinking").and_then(Value::as_str).unwrap_or_default();
        out.text_member("type", "thinking").text_member("thinking", &thinking);
        out.key("signature").value(thought.get("signature").filter(|signature| signature.kind() == Kind::String)?);
    }
    out.close_object();
    Some(out.into_bytes())
}

fn tool_use(call: Value<'_>, loss: &mut Loss) -> Vec<u8> {
    let function = call.get("function").or(call.get("custom"));
    let text = |name: &str| function.and_then(|function| function.get(name)?.as_str()).unwrap_or_default();
    let mut out = Writer::with_capacity(call.raw().len() + 16);
    let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
    out.open_object().text_member("type", "tool_use").text_member("id", &fit_id(&id));
    out.text_member("name", &text("name")).key("input");
    let arguments = text("arguments");
    let arguments = if arguments.trim().is_empty() { "{}".into() } else { arguments };
    match crate::json::validate(arguments.as_bytes(), crate::json::Limits::default()) {
        Ok(value) if value.kind() == Kind::Object => {
            out.value(value);
        }
        _ => {
            loss.add(
                Change::Approximated,
                "messages[].tool_calls[].function.arguments",
                "no JSON object: as text in one",
            );
            out.open_object().text_member("arguments", &arguments).close_object();
        }
    }
    out.member("cache_control", call.get("cache_control"));
    if call.get("extra_content").is_some_and(|extra| !extra.is_null()) {
        loss.add(Change::Dropped, "messages[].tool_calls[].extra_content", "of another model");
    }
    out.close_object();
    out.into_bytes()
}

fn tool_result(message: Value<'_>, content: Option<Value<'_>>, loss: &mut Loss) -> Vec<u8> {
    let mut blocks = Vec::new();
    blocks_of(content, &mut blocks, loss);
    let id = message.get("tool_call_id").or(message.get("name")).and_then(Value::as_str).unwrap_or_default();
    let mut out = Writer::with_capacity(message.raw().len() + 32);
    out.open_object().text_member("type", "tool_result").text_member("tool_use_id", &fit_id(&id));
    match content.and_then(Value::as_str) {
        Some(text) => {
            out.text_member("content", &text);
        }
        None if blocks.is_empty() => {}
        None => {
            out.key("content");
            list(&mut out, blocks.iter());
        }
    }
    if message.get("is_error").and_then(Value::as_bool) == Some(true) {
        out.key("is_error").boolean(true);
    }
    out.member("cache_control", message.get("cache_control")).close_object();
    out.into_bytes()
}

/// Ids have letters, digits, `_` and `-` here; one that has others is written so that equal ones stay equal.
fn fit_id(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if id.chars().all(fits) && !id.is_empty() {
        return id.to_owned();
    }
    let digest = blake3::hash(id.as_bytes()).to_hex();
    format!("toolu_{}", &digest.as_str()[..24])
}
