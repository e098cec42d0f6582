//! The neutral request's messages as `contents` and the parts of `systemInstruction`.

use std::borrow::Cow;

use super::names::{invalid, wrong};
use super::{abilities, write_part};
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes the elements of `contents` into `out`, and those of the instruction's `parts` into `system`.
pub(super) fn messages(
    model: &str,
    messages: Value<'_>,
    out: &mut Writer,
    system: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    if messages.kind() != Kind::Array {
        return Err(wrong("messages", "an array of messages", messages));
    }
    let asks = |message: Value<'_>| message.get("role").is_some_and(|role| role.str_eq("user"));
    let last = messages.elements().enumerate().filter(|(_, message)| asks(*message)).last();
    let abilities = abilities::of(model);
    let mut writing = Writing {
        signs: abilities.wants_signatures,
        shows: abilities.combines,
        media: Vec::new(),
        turn: last.map_or(0, |(at, _)| at),
        calls: Vec::new(),
        open: None,
        begun: false,
        opened: 0,
        out,
        system,
        loss,
    };
    for (at, message) in messages.elements().enumerate() {
        let message = Message::of(at, message, writing.loss)?;
        writing.message(at, &message)?;
    }
    writing.show_media()?;
    writing.close();
    if !writing.begun {
        return Err(invalid("messages", "holds nothing but system messages: Gemini wants something to answer"));
    }
    Ok(())
}

/// One message's members.
#[derive(Default)]
pub(super) struct Message<'a> {
    role: Cow<'a, str>,
    content: Option<Value<'a>>,
    name: Option<Cow<'a, str>>,
    pub(super) calls: Option<Value<'a>>,
    pub(super) call: Option<Value<'a>>,
    call_id: Option<Cow<'a, str>>,
    is_error: bool,
    reasoning: Option<Value<'a>>,
    thoughts: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
}

impl<'a> Message<'a> {
    fn of(at: usize, message: Value<'a>, loss: &mut Loss) -> Result<Message<'a>, Failure> {
        if message.kind() != Kind::Object {
            return Err(wrong(format!("messages[{at}]"), "an object", message));
        }
        let mut read = Message::default();
        for (key, value) in message.fields().filter(|(_, value)| !value.is_null()) {
            match &*key.as_str().unwrap_or_default() {
                "role" => read.role = value.as_str().unwrap_or_default(),
                "content" => read.content = Some(value),
                "name" => read.name = value.as_str(),
                "tool_calls" => read.calls = Some(value),
                "function_call" => read.call = Some(value),
                "tool_call_id" => read.call_id = value.as_str(),
                "is_error" => read.is_error = value.as_bool() == Some(true),
                "reasoning_content" => read.reasoning = Some(value),
                "thoughts" => read.thoughts = Some(value),
                "refusal" => read.refusal = Some(value),
                "cache_control" => loss.add(Change::Dropped, "messages[].cache_control", "Gemini caches by itself"),
                _ if value.kind() == Kind::Array && value.elements().next().is_none() => {}
                name => loss.add(Change::Dropped, format!("messages[].{name}"), "Gemini has no such field"),
            }
        }
        Ok(read)
    }
}

pub(super) struct Writing<'w, 'm> {
    /// The model wants calls with signatures.
    pub(super) signs: bool,
    /// The model takes media within results (ai.google.dev, "Function calling", multimodal responses: Gemini 3).
    shows: bool,
    /// Media of results that wait until the results are all written.
    media: Vec<(String, Value<'m>)>,
    /// The last message of a user: calls behind it are of the present turn.
    pub(super) turn: usize,
    /// Id and name of each call so far.
    pub(super) calls: Vec<(String, String)>,
    /// What the content holds that is being written.
    open: Option<Holds>,
    /// There is a content.
    begun: bool,
    /// Where the parts of the last content begin.
    opened: usize,
    pub(super) out: &'w mut Writer,
    system: &'w mut Writer,
    pub(super) loss: &'w mut Loss,
}

/// What a content holds. Gemini wants user and model by turns, and the results of parallel calls in one content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// What a user says. Never beside results, or Gemini takes it for a part of them (pydantic/pydantic-ai#4210,
    /// NousResearch/hermes-agent#79791, dust-tt/dust#32270).
    Said,
    Results,
    Model,
}

impl<'m> Writing<'_, 'm> {
    fn message(&mut self, at: usize, message: &Message<'m>) -> Result<(), Failure> {
        if !matches!(&*message.role, "tool" | "function") {
            self.show_media()?;
        }
        match &*message.role {
            "system" | "developer" => self.system(at, message),
            "user" => self.user(at, message),
            "assistant" => self.assistant(at, message),
            "tool" | "function" => self.result(at, message),
            _ => Err(invalid(format!("messages[{at}].role"), "must be system, user, assistant or tool")),
        }
    }

    /// Gemini has one instruction, before all else.
    fn system(&mut self, at: usize, message: &Message<'_>) -> Result<(), Failure> {
        if self.begun {
            self.loss.add(Change::Approximated, "messages[].role:system", "moved before the conversation");
        }
        self.drop_name(message);
        let Some(content) = message.content else { return Ok(()) };
        write_part::content(content, &format!("messages[{at}].content"), self.system, self.loss)
    }

    fn user(&mut self, at: usize, message: &Message<'_>) -> Result<(), Failure> {
        self.drop_name(message);
        self.open(Holds::Said);
        if let Some(content) = message.content {
            write_part::content(content, &format!("messages[{at}].content"), self.out, self.loss)?;
        }
        Ok(())
    }

    fn assistant(&mut self, at: usize, message: &Message<'_>) -> Result<(), Failure> {
        self.drop_name(message);
        self.open(Holds::Model);
        if let Some(thought) = message.reasoning.and_then(Value::as_str).filter(|thought| !thought.is_empty()) {
            self.out.open_object().text_member("text", &thought).key("thought").boolean(true).close_object();
        }
        let mut signatures = self.signatures(message.thoughts);
        let last = signatures.pop();
        for signature in signatures {
            self.out.open_object().text_member("text", "").text_member("thoughtSignature", &signature).close_object();
        }
        let mut parts = Writer::default();
        if let Some(content) = message.content {
            write_part::content(content, &format!("messages[{at}].content"), &mut parts, self.loss)?;
        }
        if let Some(refusal) = message.refusal.and_then(Value::as_str).filter(|refusal| !refusal.is_empty()) {
            self.loss.add(Change::Approximated, "messages[].refusal", "as text");
            parts.open_object().text_member("text", &refusal).close_object();
        }
        let mut parts = parts.into_bytes();
        match (last, parts.pop()) {
            // Beside the last part, which is an object.
            (Some(signature), Some(_)) => {
                let mut member = Writer::default();
                member.text_member("thoughtSignature", &signature);
                parts.push(b',');
                parts.extend_from_slice(&member.into_bytes());
                parts.push(b'}');
            }
            (Some(signature), None) => {
                let mut part = Writer::default();
                part.open_object().text_member("text", "").text_member("thoughtSignature", &signature).close_object();
                parts = part.into_bytes();
            }
            (None, Some(end)) => parts.push(end),
            (None, None) => {}
        }
        if !parts.is_empty() {
            self.out.raw(&parts);
        }
        self.calls(at, message);
        Ok(())
    }

    /// Gemini's own signatures of text; those of others are reported.
    fn signatures(&mut self, thoughts: Option<Value<'_>>) -> Vec<String> {
        let mut signatures = Vec::new();
        for thought in thoughts.into_iter().flat_map(Value::elements) {
            if thought.get("origin").is_some_and(|origin| origin.str_eq("gemini")) {
                signatures.extend(thought.get("signature").and_then(Value::as_str).map(Cow::into_owned));
            } else {
                self.loss.add(Change::Dropped, "messages[].thoughts", "of another provider");
            }
        }
        signatures
    }

    fn result(&mut self, at: usize, message: &Message<'m>) -> Result<(), Failure> {
        let id = message.call_id.as_deref().unwrap_or_default();
        let called = self.calls.iter().rev().find(|(known, _)| known == id).map(|(_, name)| &**name);
        let Some(name) = called.or(message.name.as_deref()).filter(|name| !name.is_empty()) else {
            let words = "is the id of no call before it: Gemini wants results by the names of their functions";
            return Err(invalid(format!("messages[{at}].tool_call_id"), words));
        };
        let name = name.to_owned();
        self.open(Holds::Results);
        self.out.open_object().key("functionResponse").open_object();
        if !id.is_empty() {
            self.out.text_member("id", id);
        }
        self.out.text_member("name", &name).key("response");
        let place = format!("messages[{at}].content");
        let media = write_part::media(message.content, &place);
        write_part::result(message.content, message.is_error, self.out);
        if !media.is_empty() && self.shows {
            self.out.key("parts").open_array();
            media.iter().try_for_each(|(place, one)| write_part::part(*one, place, self.out, self.loss))?;
            self.out.close_array();
        } else if !media.is_empty() {
            self.loss.add(Change::Approximated, "messages[].content[]", "media behind the results");
            self.media.extend(media);
        }
        self.out.close_object().close_object();
        Ok(())
    }

    /// What belongs to results and may not stand within them.
    fn show_media(&mut self) -> Result<(), Failure> {
        if self.media.is_empty() {
            return Ok(());
        }
        self.open(Holds::Said);
        let media = std::mem::take(&mut self.media);
        media.iter().try_for_each(|(place, one)| write_part::part(*one, place, self.out, self.loss))
    }

    fn drop_name(&mut self, message: &Message<'_>) {
        if message.name.is_some() {
            self.loss.add(Change::Dropped, "messages[].name", "Gemini names no speakers");
        }
    }

    /// Opens a content, or goes on with the one before it.
    fn open(&mut self, holds: Holds) {
        if self.open == Some(holds) {
            return;
        }
        self.close();
        if holds == Holds::Model && !self.begun {
            // A call comes behind a user's turn or results, or is refused (google-gemini/gemini-cli#26486).
            self.open(Holds::Said);
            self.close();
        }
        self.begun = true;
        self.open = Some(holds);
        let role = if holds == Holds::Model { "model" } else { "user" };
        self.out.open_object().text_member("role", role).key("parts").open_array();
        self.opened = self.out.len();
    }

    /// Closes a content; one without parts would be refused.
    fn close(&mut self) {
        if self.open.take().is_none() {
            return;
        }
        if self.out.len() == self.opened {
            self.out.open_object().text_member("text", "").close_object();
        }
        self.out.close_array().close_object();
    }
}
