//! Neutral messages as Anthropic's turns: they alternate, the user's come first, the results of tools stand at the
//! beginning of the user's turn after the calls, and no text is empty.

use super::write_blocks::{is_result, mark, thinking_block, tool_result, tool_use};
use super::write_parts::{blocks_of, text_block};
use crate::dialects::{Change, Loss};
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

/// The members of one message.
#[derive(Default)]
struct Message<'a> {
    role: Option<Value<'a>>,
    content: Option<Value<'a>>,
    name: Option<Value<'a>>,
    thoughts: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
    calls: Option<Value<'a>>,
    call_id: Option<Value<'a>>,
    is_error: Option<Value<'a>>,
    marker: Option<Value<'a>>,
}

impl<'a> Message<'a> {
    /// All members; those that Anthropic has no place for are reported.
    fn of(message: Value<'a>, loss: &mut Loss) -> Message<'a> {
        let mut own = Message::default();
        for (key, value) in message.fields().filter(|(_, value)| !value.is_null()) {
            let key = key.as_str().unwrap_or_default();
            let place = match &*key {
                "role" => &mut own.role,
                "content" => &mut own.content,
                "name" => &mut own.name,
                "thoughts" => &mut own.thoughts,
                "reasoning_content" => &mut own.reasoning,
                "refusal" => &mut own.refusal,
                "tool_calls" => &mut own.calls,
                "tool_call_id" => &mut own.call_id,
                "is_error" => &mut own.is_error,
                "cache_control" => &mut own.marker,
                _ => {
                    if value.kind() != Kind::Array || value.elements().next().is_some() {
                        loss.add(Change::Dropped, format!("messages[].{key}"), "Anthropic's turns have no such member");
                    }
                    continue;
                }
            };
            *place = Some(value);
        }
        own
    }
}

impl Turns {
    /// Takes all messages.
    pub fn read(&mut self, messages: Option<Value<'_>>, loss: &mut Loss) {
        for message in messages.into_iter().flat_map(Value::elements) {
            let message = Message::of(message, loss);
            let role = message.role.and_then(Value::as_str).unwrap_or_default();
            let is_result = matches!(&*role, "tool" | "function");
            match &*role {
                "system" | "developer" => self.instruct(&message, loss),
                "assistant" => self.assist(&message, loss),
                _ if is_result => {
                    let id = message.call_id.or(message.name);
                    let block = tool_result(id, message.content, message.is_error, message.marker, loss);
                    self.push(false, block);
                }
                _ => {
                    self.unsigned = false;
                    self.say(false, &message, loss);
                }
            }
            if message.name.is_some() && !is_result {
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

    /// Instructions: above the turns, as long as there is none. Later ones are a user's words: only the newest models take
    /// a message of role `system` between turns, and only after a user's.
    fn instruct(&mut self, message: &Message<'_>, loss: &mut Loss) {
        if !self.turns.is_empty() {
            loss.add(Change::Approximated, "messages[].role", "a later system message as a user's");
            self.say(false, message, loss);
            return;
        }
        let before = self.system.len();
        blocks_of(message.content, &mut self.system, loss);
        if let Some((marker, last)) = message.marker.zip(self.system.get_mut(before..).and_then(<[_]>::last_mut)) {
            mark(marker, last);
        }
    }

    fn assist(&mut self, message: &Message<'_>, loss: &mut Loss) {
        let mut signed = false;
        for thought in message.thoughts.into_iter().flat_map(Value::elements) {
            match thinking_block(thought) {
                Some(block) => {
                    signed = true;
                    self.push(true, block);
                }
                None => loss.add(Change::Dropped, "messages[].thoughts", "of another origin"),
            }
        }
        if !signed && message.reasoning.is_some_and(|text| !text.str_eq("")) {
            loss.add(Change::Dropped, "messages[].reasoning_content", "only signed thoughts are taken back");
        }
        let mut blocks = Vec::new();
        blocks_of(message.content, &mut blocks, loss);
        blocks.retain(|block| {
            let is_document = block.starts_with(b"{\"type\":\"document\"");
            if is_document {
                loss.add(Change::Dropped, "messages[].content[].file", "no documents in an assistant's turn");
            }
            !is_document
        });
        if let Some(refusal) = message.refusal.and_then(Value::as_str).filter(|text| !text.trim().is_empty()) {
            blocks.push(text_block(&refusal));
        }
        let before = blocks.len();
        blocks.extend(message.calls.into_iter().flat_map(Value::elements).map(|call| tool_use(call, loss)));
        self.unsigned = blocks.len() > before && !signed;
        if let Some((marker, last)) = message.marker.zip(blocks.last_mut()) {
            mark(marker, last);
        }
        blocks.into_iter().for_each(|block| self.push(true, block));
    }

    fn say(&mut self, assistant: bool, message: &Message<'_>, loss: &mut Loss) {
        let mut blocks = Vec::new();
        blocks_of(message.content, &mut blocks, loss);
        if let Some((marker, last)) = message.marker.zip(blocks.last_mut()) {
            mark(marker, last);
        }
        blocks.into_iter().for_each(|block| self.push(assistant, block));
    }

    /// Adds a block to the turn of its role.
    fn push(&mut self, assistant: bool, block: Vec<u8>) {
        match self.turns.last_mut().filter(|turn| turn.assistant == assistant) {
            Some(turn) => turn.blocks.push(block),
            None => self.turns.push(Turn { assistant, blocks: vec![block] }),
        }
    }

    /// The members `system` and `messages`.
    pub fn write(&mut self, out: &mut Writer, loss: &mut Loss) {
        if !self.system.is_empty() {
            out.key("system");
            list(out, self.system.iter());
        }
        self.trim_beginning(loss);
        out.key("messages").open_array();
        if self.turns.first().is_some_and(|turn| turn.assistant) {
            loss.add(Change::Approximated, "messages", "a user's turn was put before the assistant's");
            out.open_object().text_member("role", "user").text_member("content", BEFORE).close_object();
        }
        for turn in &self.turns {
            out.open_object().text_member("role", if turn.assistant { "assistant" } else { "user" }).key("content");
            // A tool's result goes before what else the user says in that turn.
            let (results, others): (Vec<_>, Vec<_>) = turn.blocks.iter().partition(|block| is_result(block));
            list(out, results.into_iter().chain(others));
            out.close_object();
        }
        out.close_array();
    }

    /// The beginning of an answer that the caller wrote must not end with white space
    /// (`final assistant content cannot end with trailing whitespace`).
    fn trim_beginning(&mut self, loss: &mut Loss) {
        let last = self.turns.last_mut().filter(|turn| turn.assistant).and_then(|turn| turn.blocks.last_mut());
        let Some(block) = last.filter(|block| block.starts_with(b"{\"type\":\"text\"")) else { return };
        let Ok(value) = crate::json::validate(block, crate::json::Limits::default()) else { return };
        let text = value.get("text").and_then(Value::as_str).unwrap_or_default();
        if text.trim_end().len() == text.len() {
            return;
        }
        loss.add(Change::Approximated, "messages[].content", "without the white space at the end of the last");
        let mut trimmed = Writer::with_capacity(block.len());
        trimmed.open_object().text_member("type", "text").text_member("text", text.trim_end());
        trimmed.member("cache_control", value.get("cache_control")).close_object();
        *block = trimmed.into_bytes();
    }
}

fn list<'b>(out: &mut Writer, blocks: impl Iterator<Item = &'b Vec<u8>>) {
    out.open_array();
    for block in blocks {
        out.raw(block);
    }
    out.close_array();
}
