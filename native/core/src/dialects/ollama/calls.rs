//! Tool calls: ids where there are none, and arguments, which are an object here and text elsewhere.

use std::collections::VecDeque;

use crate::json::{validate, Kind, Limits, Value, Writer};

/// Calls of one turn among which a result's is looked for.
const MOST: usize = 1_024;
/// Letters of a tool's name in an id, so that an id has at most 40, which is all that OpenAI takes.
const NAMED: usize = 24;
/// The member that holds arguments which are no object.
const BARE: &str = "arguments";

/// The calls of a caller's conversation, whose results often name nothing but the tool.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// So far.
    made: u64,
    /// Id and name of those of the last turn that have no result yet.
    open: VecDeque<(String, String)>,
}

impl Calls {
    /// A turn of the model begins: what an earlier one left without a result stays so.
    pub fn turn(&mut self) {
        self.open.clear();
    }

    /// The id of the next call. One that is made up tells its place and its tool, so that the same conversation has the same ids.
    pub fn call(&mut self, id: Option<&str>, name: &str) -> String {
        let id = id.map_or_else(|| self.make(name), str::to_owned);
        self.made += 1;
        self.open.push_back((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that a result is of, and whether there is one.
    pub fn result(&mut self, id: Option<&str>, name: Option<&str>) -> (String, bool) {
        let wanted = |call: &&(String, String)| match (id, name) {
            (Some(id), _) => call.0 == id,
            (None, Some(name)) => call.1 == name,
            (None, None) => true,
        };
        let at = self.open.iter().take(MOST).position(|call| wanted(&call));
        match (at.and_then(|at| self.open.remove(at)), id) {
            (Some((id, _)), _) => (id, true),
            (None, Some(id)) => (id.to_owned(), false),
            (None, None) => {
                let id = self.make(name.unwrap_or_default());
                self.made += 1;
                (id, false)
            }
        }
    }

    fn make(&self, name: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = name.chars().take(NAMED).map(letter).collect();
        format!("call_{}_{name}", self.made)
    }
}

/// The id of a call that an upstream made without one: the same for the same answer, and another in each.
pub(super) fn id_of_answer(created_at: &[u8], at: u32, name: &str, arguments: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [created_at, &at.to_le_bytes(), name.as_bytes(), arguments.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hex = hasher.finalize().to_hex();
    format!("call_{}", hex.get(..24).unwrap_or_default())
}

/// Arguments as text, of an object or of text. `None`: they are something else.
pub(super) fn as_text(arguments: Option<Value<'_>>) -> Option<String> {
    match arguments.filter(|arguments| !arguments.is_null()) {
        None => Some("{}".to_owned()),
        Some(object) if object.kind() == Kind::Object => Some(String::from_utf8_lossy(object.raw()).into_owned()),
        Some(text) => text.as_str().map(String::from),
    }
}

/// Text as an object of arguments; whether it is one. Ollama's SDKs read nothing else: text that is none becomes its only member.
pub(super) fn write_arguments(text: &str, out: &mut Writer) -> bool {
    match validate(text.as_bytes(), Limits::default()) {
        Ok(object) if object.kind() == Kind::Object => {
            out.value(object);
            true
        }
        _ if text.trim().is_empty() => {
            out.raw(b"{}");
            true
        }
        _ => {
            out.open_object().text_member(BARE, text).close_object();
            false
        }
    }
}

/// An answer's calls, which come in pieces and go out whole.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    calls: Vec<Call>,
}

#[derive(Debug, Default)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

impl Pieces {
    /// Adds a piece. An index out of all proportion is left out.
    pub fn add(&mut self, index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) {
        let at = match self.calls.iter().rposition(|call| call.index == index) {
            Some(at) => at,
            None if self.calls.len() >= MOST => return,
            None => {
                self.calls.push(Call { index, ..Call::default() });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return };
        call.id.push_str(id.unwrap_or_default());
        call.name.push_str(name.unwrap_or_default());
        call.arguments.push_str(arguments);
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// As `tool_calls`, in the order of their indices; none are left.
    pub fn write(&mut self, out: &mut Writer) {
        let mut calls = std::mem::take(&mut self.calls);
        calls.sort_by_key(|call| call.index);
        out.key("tool_calls").open_array();
        for (at, call) in (0u64..).zip(&calls) {
            out.open_object();
            if !call.id.is_empty() {
                out.text_member("id", &call.id);
            }
            out.key("function").open_object().key("index").integer(at).text_member("name", &call.name);
            out.key("arguments");
            write_arguments(&call.arguments, out);
            out.close_object().close_object();
        }
        out.close_array();
    }
}
