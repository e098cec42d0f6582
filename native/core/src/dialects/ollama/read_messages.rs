//! A caller's messages, and its prompt, as messages of the neutral request.

use std::borrow::Cow;

use super::calls::{as_text, Calls};
use super::errors::invalid;
use super::pictures::as_url;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// `/api/chat`'s `messages`.
pub(super) fn read_messages(messages: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if messages.kind() != Kind::Array {
        return Err(invalid("messages", "messages must be an array"));
    }
    let mut calls = Calls::default();
    for (at, message) in messages.elements().enumerate() {
        Message::read(at, message, loss)?.write(&mut calls, out, loss)?;
    }
    Ok(())
}

/// `/api/generate`'s `system`, `prompt` and `images`.
pub(super) fn read_prompt(
    system: Option<Value<'_>>,
    prompt: Option<Value<'_>>,
    images: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let text = |name: &str, value: Option<Value<'_>>| match value.map(Value::as_str) {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text.into_owned()).filter(|text| !text.is_empty())),
        Some(None) => Err(invalid(name, format!("{name} must be a string"))),
    };
    let (system, prompt) = (text("system", system)?, text("prompt", prompt)?);
    if prompt.is_none() {
        return Err(invalid("prompt", "prompt is empty: there is nothing to generate from"));
    }
    if let Some(system) = system {
        out.open_object().text_member("role", "system").text_member("content", &system).close_object();
    }
    out.open_object().text_member("role", "user");
    write_content(&prompt.unwrap_or_default(), images, &|at| format!("images[{at}]"), out, loss)?;
    out.close_object();
    Ok(())
}

/// What one message says.
struct Message<'a> {
    at: usize,
    role: Cow<'a, str>,
    content: Cow<'a, str>,
    thinking: Option<Value<'a>>,
    images: Option<Value<'a>>,
    tool_calls: Option<Value<'a>>,
    tool_name: Option<Cow<'a, str>>,
    tool_call_id: Option<Cow<'a, str>>,
}

impl<'a> Message<'a> {
    fn read(at: usize, message: Value<'a>, loss: &mut Loss) -> Result<Message<'a>, Failure> {
        if message.kind() != Kind::Object {
            return Err(invalid(format!("messages[{at}]"), format!("messages[{at}] must be an object")));
        }
        let (mut role, mut content) = (Cow::default(), Cow::default());
        let (mut thinking, mut images, mut tool_calls, mut tool_name, mut tool_call_id) =
            (None, None, None, None, None);
        for (key, value) in message.fields().filter(|(_, value)| !value.is_null()) {
            let name = key.as_str().unwrap_or_default();
            let text = || {
                let field = format!("messages[{at}].{name}");
                value.as_str().ok_or_else(|| invalid(field.clone(), format!("{field} must be a string")))
            };
            match &*name {
                "role" => role = text()?,
                "content" => content = text()?,
                "thinking" => thinking = Some(value).filter(|_| text().is_ok_and(|text| !text.is_empty())),
                "images" => images = Some(value),
                "tool_calls" => tool_calls = Some(value).filter(|calls| calls.elements().next().is_some()),
                "tool_name" => tool_name = Some(text()?).filter(|name| !name.is_empty()),
                "tool_call_id" => tool_call_id = Some(text()?).filter(|id| !id.is_empty()),
                other => loss.add(Change::Dropped, format!("messages[].{other}"), "unknown to other dialects"),
            }
        }
        Ok(Message { at, role, content, thinking, images, tool_calls, tool_name, tool_call_id })
    }

    fn write(self, calls: &mut Calls, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
        let at = self.at;
        let place = |image: usize| format!("messages[{at}].images[{image}]");
        out.open_object().text_member("role", &self.role);
        match &*self.role {
            "assistant" => {
                if self.content.is_empty() && self.tool_calls.is_some() {
                    out.key("content").null();
                } else {
                    write_content(&self.content, self.images, &place, out, loss)?;
                }
                out.member("reasoning_content", self.thinking);
                if let Some(made) = self.tool_calls {
                    write_calls(at, made, calls, out, loss)?;
                }
            }
            "tool" => {
                let (id, is_known) = calls.result(self.tool_call_id.as_deref(), self.tool_name.as_deref());
                if !is_known {
                    loss.add(Change::Approximated, "messages[].tool_name", "the result of a call that nobody made");
                }
                out.text_member("tool_call_id", &id);
                write_content(&self.content, self.images, &place, out, loss)?;
            }
            "system" | "user" | "developer" => write_content(&self.content, self.images, &place, out, loss)?,
            other => {
                let other: String = other.chars().take(32).collect();
                let words = format!("invalid role {other:?}: it must be system, user, assistant or tool");
                return Err(invalid(format!("messages[{at}].role"), words));
            }
        }
        let belongs = [
            ("tool_calls", self.tool_calls.is_some(), "assistant"),
            ("thinking", self.thinking.is_some(), "assistant"),
        ];
        for (name, is_there, role) in belongs {
            if is_there && self.role != role {
                loss.add(Change::Dropped, format!("messages[].{name}"), "the model's own messages alone have it");
            }
        }
        out.close_object();
        Ok(())
    }
}

/// Text, or parts where there are pictures: these first, as Ollama's templates put them.
fn write_content(
    text: &str,
    images: Option<Value<'_>>,
    at: &dyn Fn(usize) -> String,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let Some(images) = images.filter(|images| images.kind() != Kind::Array || images.elements().next().is_some())
    else {
        out.text_member("content", text);
        return Ok(());
    };
    if images.kind() != Kind::Array {
        return Err(invalid("images", "images must be an array of pictures in base64"));
    }
    out.key("content").open_array();
    for (place, image) in images.elements().enumerate() {
        let Some(image) = image.as_str() else {
            return Err(invalid(at(place), format!("{} must be a picture in base64", at(place))));
        };
        let url = as_url(image, &|| at(place), loss)?;
        out.open_object().text_member("type", "image_url");
        out.key("image_url").open_object().text_member("url", &url).close_object().close_object();
    }
    if !text.is_empty() {
        out.open_object().text_member("type", "text").text_member("text", text).close_object();
    }
    out.close_array();
    Ok(())
}

/// `[{"function":{"name","arguments":{}}}]`, with an `id` since 0.12.
fn write_calls(
    at: usize,
    made: Value<'_>,
    calls: &mut Calls,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    calls.turn();
    out.key("tool_calls").open_array();
    for (place, call) in made.elements().enumerate() {
        let field = || format!("messages[{at}].tool_calls[{place}].function");
        let function = Some(call).filter(|call| call.kind() == Kind::Object).and_then(|call| call.get("function"));
        let name = function.and_then(|function| function.get("name")).and_then(Value::as_str);
        let (Some(function), Some(name)) = (function, name) else {
            return Err(invalid(field(), format!("{} must have a name", field())));
        };
        let Some(arguments) = as_text(function.get("arguments")) else {
            let field = format!("{}.arguments", field());
            return Err(invalid(field.clone(), format!("{field} must be an object")));
        };
        let given = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = calls.call(given.as_deref(), &name);
        out.open_object().text_member("id", &id).text_member("type", "function");
        out.key("function").open_object().text_member("name", &name).text_member("arguments", &arguments);
        out.close_object().close_object();
        let note = "unknown to other dialects";
        loss.add_others(call, "messages[].tool_calls[]", &["id", "type", "function"], note);
        // `index` counts the calls of a turn, as their order does.
        loss.add_others(function, "messages[].tool_calls[].function", &["index", "name", "arguments"], note);
    }
    out.close_array();
    Ok(())
}
