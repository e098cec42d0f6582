//! Reads output items, whole or as far as a stream has not told them.

use super::annotations;
use super::logprobs;
use super::refuse::present;
use super::tools::joined;
use super::turn::{reasoning_of, wrapped_of};
use crate::dialects::neutral::{CallKind, Item, Thought};
use crate::dialects::wrapped::{one_line, read_entry};
use crate::dialects::Dialect;
use crate::json::{validate, Limits, Value};

/// Thoughts that one item wraps.
const MOST_ENTRIES: usize = 1_024;

/// What of an output item was told already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Parts of a message, by their places; those from the 64th on are one.
    pub parts: u64,
    pub annotations: bool,
    pub reasoning: bool,
    /// Which call it is.
    pub call: Option<u32>,
    pub arguments: bool,
    pub kind: CallKind,
}

impl Told {
    /// Notes that a part is told; whether it was before.
    pub fn part(&mut self, at: u64) -> bool {
        let bit = 1 << at.min(63);
        let before = self.parts & bit != 0;
        self.parts |= bit;
        before
    }
}

/// The calls of an answer, by their ids.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<String>);

impl Calls {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Begins a call: its first piece, with all of its arguments where they are not to come piece by piece.
    pub fn begin(&mut self, item: Value<'_>, arguments: String, told: &mut Told, items: &mut Vec<Item>) {
        let text = |name: &str| present(item, name).and_then(Value::as_str);
        let id = text("call_id").or_else(|| text("id")).unwrap_or_default().into_owned();
        let name = text("name").unwrap_or_default();
        let name = match text("namespace").filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => joined(&namespace, &name),
            None => name.into_owned(),
        };
        let index = self.0.len() as u32;
        told.call = Some(index);
        self.0.push(id.clone());
        told.kind = kind_of(item);
        told.arguments |= !arguments.is_empty();
        items.push(Item::ToolCall { choice: 0, index, id: Some(id), name: Some(name), arguments, kind: told.kind });
    }

    /// What is not told yet of a whole item.
    pub fn rest_of(&mut self, item: Value<'_>, told: &mut Told, items: &mut Vec<Item>) {
        let kind = present(item, "type").and_then(Value::as_str).unwrap_or_default();
        match &*kind {
            "message" => message(item, told, items),
            "reasoning" => {
                let text = reasoning_of(item);
                if !told.reasoning && !text.is_empty() {
                    items.push(Item::Reasoning { choice: 0, text });
                }
                self.thoughts(item, items);
            }
            "function_call" | "custom_tool_call" => match told.call {
                None => self.begin(item, arguments_of(item), told, items),
                Some(index) if !told.arguments => {
                    let arguments = arguments_of(item);
                    if !arguments.is_empty() {
                        items.push(Item::ToolCall {
                            choice: 0,
                            index,
                            id: None,
                            name: None,
                            arguments,
                            kind: told.kind,
                        });
                    }
                }
                Some(_) => {}
            },
            // Of a tool that the provider ran, and whatever else only it reads.
            _ => items.push(thought(Dialect::OpenAiResponses, Thought::Item(one_line(item)))),
        }
    }

    fn thoughts(&self, item: Value<'_>, items: &mut Vec<Item>) {
        let Some(entries) = wrapped_of(item) else {
            items.push(thought(Dialect::OpenAiResponses, Thought::Item(one_line(item))));
            return;
        };
        // Of another hoosh.
        let Ok(entries) = validate(entries.as_bytes(), Limits::default()) else { return };
        let call = |id: &str| self.0.iter().position(|known| known == id).map(|at| at as u32);
        let read = entries.elements().take(MOST_ENTRIES).filter_map(|entry| read_entry(entry, call));
        items.extend(read.map(|(origin, what)| thought(origin, what)));
    }
}

fn thought(origin: Dialect, thought: Thought) -> Item {
    Item::Thought { choice: 0, origin, thought }
}

fn kind_of(item: Value<'_>) -> CallKind {
    match item.get("type").is_some_and(|kind| kind.str_eq("custom_tool_call")) {
        true => CallKind::Custom,
        false => CallKind::Function,
    }
}

/// JSON, or the text of a tool that takes text.
fn arguments_of(item: Value<'_>) -> String {
    let text = |name: &str| present(item, name).and_then(Value::as_str);
    text("arguments").or_else(|| text("input")).unwrap_or_default().into_owned()
}

fn message(item: Value<'_>, told: &mut Told, items: &mut Vec<Item>) {
    let parts = item.get("content").into_iter().flat_map(Value::elements);
    for (at, part) in parts.enumerate() {
        let before = told.part(at as u64);
        if let Some(text) = present(part, "refusal").and_then(Value::as_str).filter(|_| !before) {
            items.push(Item::Refusal { choice: 0, text: text.into_owned() });
        }
        if let Some(text) = present(part, "text").and_then(Value::as_str).filter(|text| !before && !text.is_empty()) {
            let logprobs = present(part, "logprobs").map(logprobs::read).unwrap_or_default();
            items.push(Item::Text { choice: 0, text: text.into_owned(), logprobs });
        }
        if told.annotations {
            continue;
        }
        let found = part.get("annotations").into_iter().flat_map(Value::elements).filter_map(annotations::read);
        items.extend(found.map(|json| Item::Annotation { choice: 0, json }));
    }
}
