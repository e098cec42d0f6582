//! A whole answer from items: what a stream of them would say, collected into blocks.

use std::collections::BTreeMap;

use super::ended::{answer_id, call_id, citation, Ended};
use super::usage::write_usage;
use crate::dialects::neutral::{Item, Thought};
use crate::dialects::wrapped::Wrapping;
use crate::dialects::{Dialect, Reply};
use crate::json::{validate, Kind, Limits, Writer};
use crate::ledger::Usage;

/// A block that grows.
enum Block {
    Text { text: String, citations: Vec<Vec<u8>> },
    Thinking { text: String, signature: Option<String> },
    Redacted(String),
    Call { id: String, name: String, arguments: String },
}

/// See [`crate::dialects::Protocol::write_answer`]. Only the first choice is told: callers of this dialect ask for one.
pub(super) fn write_answer(reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
    let (mut blocks, mut calls, mut ended) = (Vec::new(), BTreeMap::new(), Ended::default());
    for item in items {
        ended.take(item);
        add(item, &mut blocks, &mut calls);
    }
    name_calls(reply, &mut blocks);
    blocks.extend(wrapped(items, &blocks, &calls));
    let mut out = Writer::with_capacity(512);
    out.open_object().text_member("id", &answer_id(reply)).text_member("type", "message");
    out.text_member("role", "assistant").text_member("model", &reply.model).key("content").open_array();
    blocks.iter().for_each(|block| write(block, &mut out));
    out.close_array();
    ended.write(&mut out);
    out.key("usage");
    write_usage(&mut out, usage, ended.thought);
    out.close_object();
    out.into_bytes()
}

/// Takes an item. `calls`: where the block of each call is.
fn add(item: &Item, blocks: &mut Vec<Block>, calls: &mut BTreeMap<u32, usize>) {
    match item {
        Item::Text { choice: 0, text, .. } | Item::Refusal { choice: 0, text } => match blocks.last_mut() {
            Some(Block::Text { text: before, .. }) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => blocks.push(Block::Text { text: text.clone(), citations: Vec::new() }),
        },
        Item::Annotation { choice: 0, json } => {
            if let Some(Block::Text { citations, .. }) = blocks.last_mut() {
                citations.extend(citation(json));
            }
        }
        Item::Reasoning { choice: 0, text } => match blocks.last_mut() {
            Some(Block::Thinking { text: before, signature: None }) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => blocks.push(Block::Thinking { text: text.clone(), signature: None }),
        },
        Item::Thought { choice: 0, origin: Dialect::Anthropic, thought } => think(thought, blocks),
        Item::ToolCall { choice: 0, index, id, name, arguments, .. } => {
            let at = *calls.entry(*index).or_insert(blocks.len());
            match blocks.get_mut(at) {
                Some(Block::Call { id: own_id, name: own_name, arguments: before }) => {
                    own_id.push_str(id.as_deref().unwrap_or_default());
                    own_name.push_str(name.as_deref().unwrap_or_default());
                    before.push_str(arguments);
                }
                _ => blocks.push(Block::Call {
                    id: id.clone().unwrap_or_default(),
                    name: name.clone().unwrap_or_default(),
                    arguments: arguments.clone(),
                }),
            }
        }
        _ => {}
    }
}

fn think(thought: &Thought, blocks: &mut Vec<Block>) {
    match (thought, blocks.last_mut()) {
        (Thought::Signature(signed), Some(Block::Thinking { signature: signature @ None, .. })) => {
            *signature = Some(signed.clone());
        }
        (Thought::Signature(signed), _) => {
            blocks.push(Block::Thinking { text: String::new(), signature: Some(signed.clone()) });
        }
        (Thought::Redacted(data), _) => blocks.push(Block::Redacted(data.clone())),
        _ => {}
    }
}

fn name_calls(reply: &Reply, blocks: &mut [Block]) {
    for (at, block) in blocks.iter_mut().enumerate() {
        if let Block::Call { id, .. } = block {
            if id.is_empty() {
                *id = call_id(reply, at as u64);
            }
        }
    }
}

/// Thoughts of other dialects, which come back with the caller's next turn.
fn wrapped(items: &[Item], blocks: &[Block], calls: &BTreeMap<u32, usize>) -> Option<Block> {
    let mut wrapping = Wrapping::default();
    for item in items {
        let Item::Thought { choice: 0, origin, thought } = item else { continue };
        let is_own = matches!(thought, Thought::Signature(_) | Thought::Redacted(_)) && *origin == Dialect::Anthropic;
        if is_own {
            continue;
        }
        let id = match thought {
            Thought::OfCall(index, _) => match calls.get(index).and_then(|at| blocks.get(*at)) {
                Some(Block::Call { id, .. }) => id,
                _ => "",
            },
            _ => "",
        };
        wrapping.add(*origin, thought, id, None);
    }
    wrapping.take().map(Block::Redacted)
}

fn write(block: &Block, out: &mut Writer) {
    out.open_object();
    match block {
        Block::Text { text, citations } => {
            out.text_member("type", "text").text_member("text", text);
            if !citations.is_empty() {
                out.key("citations").open_array();
                citations.iter().for_each(|citation| {
                    out.raw(citation);
                });
                out.close_array();
            }
        }
        Block::Thinking { text, signature } => {
            out.text_member("type", "thinking").text_member("thinking", text);
            out.text_member("signature", signature.as_deref().unwrap_or_default());
        }
        Block::Redacted(data) => {
            out.text_member("type", "redacted_thinking").text_member("data", data);
        }
        Block::Call { id, name, arguments, .. } => {
            out.text_member("type", "tool_use").text_member("id", id).text_member("name", name).key("input");
            match validate(arguments.as_bytes(), Limits::default()) {
                Ok(input) if input.kind() == Kind::Object => out.value(input),
                _ if arguments.trim().is_empty() => out.raw(b"{}"),
                // What a model wrote is given as it is, where an object must stand.
                _ => out.open_object().text_member("arguments", arguments).close_object(),
            };
        }
    }
    out.close_object();
}
