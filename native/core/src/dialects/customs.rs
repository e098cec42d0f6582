//! Calls of custom tools over upstreams that have none.
//!
//! To such an upstream a custom tool is a function with one text, [`INPUT`]. Its caller declared a custom tool, and is told
//! of calls of it as such: the text is read out of the arguments while they come, at whatever split. Arguments that do
//! not begin with the text are held until the call is whole.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::neutral::{CallKind, Item};
use crate::json::{validate, Index, Kind, Limits, Value};

/// The member of the function's arguments.
const INPUT: &str = "input";

/// The custom tools of one request, and their calls in its answer.
#[derive(Debug, Default)]
pub struct Customs {
    names: Vec<String>,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    choice: u32,
    index: u32,
    input: Input,
}

impl Customs {
    /// Those that a neutral request declares.
    pub fn of(body: &[u8], index: &Index) -> Customs {
        // Most requests have none: these letters are sought faster than tools are read.
        static CUSTOM: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"custom\""));
        if CUSTOM.find(body).is_none() {
            return Customs::default();
        }
        let tools = index.get(body, "tools").filter(|tools| tools.kind() == Kind::Array);
        let names = tools.into_iter().flat_map(Value::elements).filter_map(name_of).collect();
        Customs { names, calls: Vec::new() }
    }

    /// Whether the request has none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Bytes that are held back.
    pub fn held(&self) -> usize {
        self.calls.iter().map(|call| call.input.held.len()).sum()
    }

    /// Gives `item` on to `say`, calls of custom tools as what they are; before the end of a choice what was held of it.
    /// `false`: something was not taken.
    pub fn take(&mut self, item: Item, mut say: impl FnMut(Item) -> bool) -> bool {
        match item {
            Item::ToolCall { choice, index, id, name, arguments, kind: CallKind::Function } if !self.is_empty() => {
                let is_first = name.as_ref().is_some_and(|name| self.names.contains(name));
                let known = self.calls.iter().position(|call| (call.choice, call.index) == (choice, index));
                if known.is_none() && is_first {
                    self.calls.push(Call { choice, index, input: Input::default() });
                }
                let at = known.or(self.calls.len().checked_sub(1).filter(|_| is_first));
                let Some(call) = at.and_then(|at| self.calls.get_mut(at)) else {
                    return say(Item::ToolCall { choice, index, id, name, arguments, kind: CallKind::Function });
                };
                let text = call.input.read(&arguments);
                if text.is_empty() && name.is_none() {
                    return true;
                }
                say(Item::ToolCall { choice, index, id, name, arguments: text, kind: CallKind::Custom })
            }
            Item::Finish { choice, reason } => {
                for call in self.calls.iter_mut().filter(|call| call.choice == choice) {
                    let (index, text) = (call.index, call.input.rest());
                    let more =
                        Item::ToolCall { choice, index, id: None, name: None, arguments: text, kind: CallKind::Custom };
                    if !matches!(&more, Item::ToolCall { arguments, .. } if arguments.is_empty()) && !say(more) {
                        return false;
                    }
                }
                say(Item::Finish { choice, reason })
            }
            item => say(item),
        }
    }
}

fn name_of(tool: Value<'_>) -> Option<String> {
    let is_custom = tool.get("type")?.str_eq("custom");
    let name = tool.get("custom").filter(|custom| is_custom && custom.kind() == Kind::Object)?.get("name")?;
    name.as_str().map(Cow::into_owned)
}

/// Reads the text out of `{"input":"…"}`.
#[derive(Debug, Default)]
struct Input {
    place: Place,
    /// What came of the arguments and is not told: the beginning, or an escape that is not whole.
    held: String,
    /// The first half of a character of two, from its escape.
    high: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the text.
    #[default]
    Before,
    /// They begin with something else.
    Odd,
    Inside,
    After,
}

impl Input {
    /// More of the arguments; what of the text is whole by now.
    fn read(&mut self, more: &str) -> String {
        self.held.push_str(more);
        if self.place == Place::Before {
            match beginning(&self.held) {
                Beginning::Open => return String::new(),
                Beginning::Odd => self.place = Place::Odd,
                Beginning::At(at) => {
                    self.held.drain(..at);
                    self.place = Place::Inside;
                }
            }
        }
        match self.place {
            Place::Inside => self.text(),
            Place::After => {
                self.held.clear();
                String::new()
            }
            Place::Before | Place::Odd => String::new(),
        }
    }

    /// What is left once the arguments are whole.
    fn rest(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.place, Place::After) {
            Place::Before | Place::Odd => whole(&held),
            // It was cut in the middle of an escape, which says nothing.
            Place::Inside => self.high.take().map(|_| char::REPLACEMENT_CHARACTER.to_string()).unwrap_or_default(),
            Place::After => String::new(),
        }
    }

    /// Takes what is whole of the text from what is held.
    fn text(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let mut out = String::with_capacity(held.len());
        let mut rest = held.as_str();
        loop {
            let end = memchr::memchr2(b'"', b'\\', rest.as_bytes()).unwrap_or(rest.len());
            let (plain, tail) = rest.split_at(end);
            if !plain.is_empty() {
                self.single(&mut out);
                out.push_str(plain);
            }
            rest = tail;
            if rest.starts_with('"') {
                self.single(&mut out);
                self.place = Place::After;
                return out;
            }
            let Some(size) = escape_len(rest) else {
                rest.clone_into(&mut self.held);
                return out;
            };
            let (escape, tail) = rest.split_at(size);
            self.unescape(escape, &mut out);
            rest = tail;
        }
    }

    fn unescape(&mut self, escape: &str, out: &mut String) {
        let plain = match escape.as_bytes() {
            [_, b'n'] => "\n",
            [_, b't'] => "\t",
            [_, b'r'] => "\r",
            [_, b'b'] => "\u{8}",
            [_, b'f'] => "\u{c}",
            [_, b'u', ..] => {
                let unit = escape.get(2..).and_then(|hex| u16::from_str_radix(hex, 16).ok());
                return self.unit(unit.unwrap_or(0xFFFD), out);
            }
            _ => escape.get(1..).unwrap_or_default(),
        };
        self.single(out);
        out.push_str(plain);
    }

    fn unit(&mut self, unit: u16, out: &mut String) {
        let high = self.high.take();
        if (0xD800..0xDC00).contains(&unit) {
            out.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
            self.high = Some(unit);
            return;
        }
        let units = high.into_iter().chain([unit]);
        out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }

    /// A half without the other is no character.
    fn single(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Bytes of the escape that `text` begins with; `None`: more is to come.
fn escape_len(text: &str) -> Option<usize> {
    let mut characters = text.chars();
    characters.next()?;
    match characters.next()? {
        // Not more than is there of what are hexadecimal digits: what is no escape is not to swallow the end of the text.
        'u' => {
            let digits = text.get(2..)?.bytes().take(4).take_while(u8::is_ascii_hexdigit).count();
            (digits == 4 || text.len() > 2 + digits).then_some(2 + digits)
        }
        other => Some(1 + other.len_utf8()),
    }
}

enum Beginning {
    /// So far it may be the one that is looked for.
    Open,
    Odd,
    /// The text begins here.
    At(usize),
}

/// Looks for the text's beginning at that of the arguments.
fn beginning(held: &str) -> Beginning {
    let mut rest = held;
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Beginning::Open,
            None => return Beginning::Odd,
        }
    }
    Beginning::At(held.len() - rest.len())
}

/// The text in whole arguments; where there is none, they are the text.
fn whole(arguments: &str) -> String {
    let Ok(value) = validate(arguments.as_bytes(), Limits::default()) else { return arguments.to_owned() };
    if value.kind() != Kind::Object {
        return arguments.to_owned();
    }
    match value.get(INPUT).and_then(Value::as_str) {
        Some(text) => text.into_owned(),
        None if value.fields().next().is_none() => String::new(),
        None => arguments.to_owned(),
    }
}

#[cfg(test)]
mod tests;
