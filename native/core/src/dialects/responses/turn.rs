//! What the model said in one turn: neighbouring items of it are one message of the assistant in the neutral request.

use std::fmt::Arguments;

use super::fields::pick;
use super::read_content::is_text;
use super::refuse::{as_text, of_kind, wrong_type, wrong_value};
use super::tools::joined;
use crate::dialects::wrapped::of_data;
use crate::dialects::{Dialect, Loss};
use crate::error::Failure;
use crate::json::{validate, write_string, Kind, Limits, Value, Writer};

/// A turn of the model that is being gathered.
#[derive(Default)]
pub(super) struct Turn<'a> {
    texts: Vec<Value<'a>>,
    refusals: Vec<Value<'a>>,
    reasoning: String,
    /// Elements of `thoughts`, with commas.
    thoughts: Vec<u8>,
    calls: Vec<Call<'a>>,
    /// Signatures of calls, by the calls' ids.
    signatures: Vec<(String, String)>,
}

struct Call<'a> {
    is_custom: bool,
    id: Value<'a>,
    name: Value<'a>,
    namespace: Option<Value<'a>>,
    input: Value<'a>,
}

impl<'a> Turn<'a> {
    /// Whether a message begins another turn: the model has said something, and called nothing whose result must follow.
    pub fn is_over(&self) -> bool {
        self.calls.is_empty() && !(self.texts.is_empty() && self.refusals.is_empty())
    }

    fn is_empty(&self) -> bool {
        !self.is_over() && self.calls.is_empty() && self.thoughts.is_empty() && self.reasoning.is_empty()
    }

    /// What it said.
    pub fn say(&mut self, content: Value<'a>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
        match content.kind() {
            Kind::String => self.texts.push(content),
            Kind::Array => {
                for (at, part) in content.elements().enumerate() {
                    self.part(part, format_args!("{place}[{at}]"), loss)?;
                }
            }
            _ => return Err(wrong_type(&place.to_string(), "a string or an array of parts", content)),
        }
        Ok(())
    }

    fn part(&mut self, part: Value<'a>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
        of_kind(place, Kind::Object, part)?;
        let names = ["type", "text", "refusal"];
        let [kind, text, refusal] = pick(part, names, "input[].content[].", loss);
        let kind = as_text(kind, "type", place)?;
        if kind.str_eq("refusal") {
            self.refusals.push(as_text(refusal, "refusal", place)?);
        } else if is_text(kind) {
            self.texts.push(as_text(text, "text", place)?);
        } else {
            return Err(wrong_value(&format!("{place}.type"), "one of 'output_text' and 'refusal'", kind));
        }
        Ok(())
    }

    /// A call that it made.
    pub fn call(
        &mut self,
        item: Value<'a>,
        is_custom: bool,
        place: Arguments<'_>,
        loss: &mut Loss,
    ) -> Result<(), Failure> {
        let input = if is_custom { "input" } else { "arguments" };
        let names = ["call_id", "name", input, "namespace", "type", "id", "status"];
        let [id, name, its, namespace, ..] = pick(item, names, "input[].", loss);
        self.calls.push(Call {
            is_custom,
            id: as_text(id, "call_id", place)?,
            name: as_text(name, "name", place)?,
            namespace,
            input: as_text(its, input, place)?,
        });
        Ok(())
    }

    /// What it thought.
    pub fn think(&mut self, item: Value<'a>) {
        let text = reasoning_of(item);
        if !text.is_empty() {
            if !self.reasoning.is_empty() {
                self.reasoning.push_str("\n\n");
            }
            self.reasoning.push_str(&text);
        }
        match wrapped_of(item) {
            Some(entries) => self.unwrap(&entries, &text),
            None => self.item(item),
        }
    }

    /// An item that only this dialect knows: its origin gets it back.
    pub fn item(&mut self, item: Value<'_>) {
        for piece in ["{\"origin\":\"", Dialect::OpenAiResponses.as_str(), "\",\"type\":\"item\",\"item\":"] {
            self.thoughts.extend_from_slice(piece.as_bytes());
        }
        self.thoughts.extend_from_slice(item.raw());
        self.thoughts.extend_from_slice(b"},");
    }

    fn unwrap(&mut self, entries: &str, thinking: &str) {
        let Ok(entries) = validate(entries.as_bytes(), Limits::default()) else { return };
        for entry in entries.elements().filter(|entry| entry.kind() == Kind::Object) {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            let kind = text("type").unwrap_or_default();
            if kind == "call" {
                if let (Some(id), Some(signature)) = (text("call_id"), text("signature")) {
                    self.signatures.push((id.into_owned(), signature.into_owned()));
                }
                continue;
            }
            let [b'{', inside @ ..] = entry.raw() else { continue };
            self.thoughts.push(b'{');
            if kind == "signature" && entry.get("thinking").is_none() {
                self.thoughts.extend_from_slice(b"\"thinking\":");
                write_string(&mut self.thoughts, thinking);
                self.thoughts.push(b',');
            }
            self.thoughts.extend_from_slice(inside);
            self.thoughts.push(b',');
        }
    }

    /// Whether a reasoning item belongs to what was said before it: hoosh's own, with what signs texts and calls.
    pub fn is_afterthought(item: Value<'_>) -> bool {
        let Some(entries) = wrapped_of(item) else { return false };
        let Ok(entries) = validate(entries.as_bytes(), Limits::default()) else { return false };
        let of_said = |kind: Value<'_>| kind.str_eq("call") || kind.str_eq("text");
        let mut kinds = entries.elements().map(|entry| entry.get("type")).peekable();
        kinds.peek().is_some() && kinds.all(|kind| kind.is_some_and(of_said))
    }

    /// Writes the turn as a message, if anything was said in it, and begins the next.
    pub fn write(&mut self, out: &mut Writer) {
        if self.is_empty() {
            return;
        }
        let mut turn = std::mem::take(self);
        turn.signatures.sort_unstable();
        out.open_object().text_member("role", "assistant").key("content");
        match &turn.texts[..] {
            [] if turn.calls.is_empty() && turn.refusals.is_empty() => out.string(""),
            [] => out.null(),
            [text] => out.value(*text),
            texts => {
                out.open_array();
                for text in texts {
                    out.open_object().text_member("type", "text").key("text").value(*text).close_object();
                }
                out.close_array()
            }
        };
        if !turn.refusals.is_empty() {
            let words: String = turn.refusals.iter().filter_map(|text| text.as_str()).collect();
            out.text_member("refusal", &words);
        }
        if !turn.reasoning.is_empty() {
            out.text_member("reasoning_content", &turn.reasoning);
        }
        if let [elements @ .., b','] = &turn.thoughts[..] {
            out.key("thoughts").raw(&[b"[", elements, b"]"].concat());
        }
        if !turn.calls.is_empty() {
            out.key("tool_calls").open_array();
            turn.calls.iter().for_each(|call| turn.write_call(out, call));
            out.close_array();
        }
        out.close_object();
    }

    fn write_call(&self, out: &mut Writer, call: &Call<'_>) {
        let (word, input) = if call.is_custom { ("custom", "input") } else { ("function", "arguments") };
        out.open_object().key("id").value(call.id).text_member("type", word).key(word).open_object();
        match call.namespace.and_then(Value::as_str).filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => out.text_member("name", &joined(&namespace, &call.name.as_str().unwrap_or_default())),
            None => out.key("name").value(call.name),
        };
        out.key(input).value(call.input).close_object();
        let id = call.id.as_str().unwrap_or_default();
        let own = self.signatures.binary_search_by(|(of, _)| of.as_str().cmp(&*id));
        if let Some((_, signature)) = own.ok().and_then(|at| self.signatures.get(at)) {
            out.key("extra_content").open_object().key("google").open_object();
            out.text_member("thought_signature", signature).close_object().close_object();
        }
        out.close_object();
    }
}

/// The wrapped thoughts of a reasoning item, as the JSON of an array. Items that hoosh wrote have such content even where it
/// wraps nothing: so it is known that no OpenAI knows them. An item of this dialect is wrapped too where it comes after its
/// text has been streamed under another id: OpenAI refuses encrypted content whose item has another id than that which it
/// was made for.
pub(super) fn wrapped_of(item: Value<'_>) -> Option<String> {
    of_data(&item.get("encrypted_content")?.as_str()?).map(str::to_owned)
}

/// The words of a reasoning item: what was thought where it is told, else its summary.
pub(super) fn reasoning_of(item: Value<'_>) -> String {
    let list = |name: &str| item.get(name).filter(|list| list.elements().next().is_some());
    let Some(list) = list("content").or_else(|| list("summary")) else { return String::new() };
    let mut words = String::new();
    for text in list.elements().filter_map(|part| part.get("text")?.as_str()) {
        if !words.is_empty() {
            words.push_str(PARAGRAPH);
        }
        words.push_str(&text);
    }
    words
}

/// Between two parts of a summary, as in OpenAI's own.
pub(super) const PARAGRAPH: &str = "\n\n";
