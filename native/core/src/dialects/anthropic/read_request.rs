//! A caller's body as the neutral request.

use super::fields::is_carried;
use super::read_messages::{read_messages, system_message};
use super::read_tools::{read_choice, read_tools};
use super::thinking::read_thinking;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Ask, Change, Loss};
use crate::error::{Code, Failure};
use crate::json::{Kind, Limits, Object, Value, Writer};

/// Members that say nothing where they are so.
const SAYS_NOTHING: [(&str, &[u8]); 3] =
    [("stream", b"false"), ("service_tier", b"\"auto\""), ("speed", b"\"standard\"")];

/// The field of a conversation that Anthropic keeps, of which each request says only what is new.
pub(super) const THREAD_FIELD: &str = "thread";
const THREAD: &str = "'thread' is kept by Anthropic alone, and no provider of this model speaks its dialect. Send the whole conversation in 'messages'.";

/// See [`crate::dialects::Protocol::read_request`].
pub(super) fn read_request(ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let object = Object::scan(body, Limits::default()).map_err(|error| json_failure(&error))?;
    let field = |name: &str| object.get(name);
    let mut out = Writer::with_capacity(body.len() + 128);
    out.open_object();
    out.key("model").value(field("model").ok_or_else(|| missing("model"))?);
    let messages = field("messages").ok_or_else(|| missing("messages"))?;
    if messages.kind() != Kind::Array {
        return Err(invalid("messages", "'messages' must be an array."));
    }
    max_tokens(ask, field("max_tokens"), &mut out, loss)?;
    out.key("messages").open_array();
    if let Some(system) = field("system") {
        system_message(system, &mut out, loss)?;
    }
    let mark = field("cache_control");
    if mark.is_some() {
        loss.add(Change::Renamed, "cache_control", "as the last message's");
    }
    read_messages(messages, mark, &mut out, loss)?;
    out.close_array();
    for (key, value) in object.members() {
        member(&key, value, &mut out, loss)?;
    }
    out.close_object();
    Ok(one_line(out.into_bytes()))
}

/// The bound on output. 0 asks for none, so that only the cache is filled: nobody else has that.
fn max_tokens(ask: &Ask, most: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let Some(most) = most else {
        return if ask.count { Ok(()) } else { Err(missing("max_tokens")) };
    };
    match most.as_u64() {
        None => return Err(invalid("max_tokens", "'max_tokens' must be a whole number.")),
        Some(0) => {
            loss.add(Change::Clamped, "max_tokens", "0 as 1: only Anthropic fills its cache without an answer");
            out.key("max_tokens").integer(1);
        }
        Some(_) => {
            out.key("max_tokens").value(most);
        }
    }
    Ok(())
}

fn member(name: &str, value: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if SAYS_NOTHING.iter().any(|(said, raw)| *said == name && value.raw() == *raw) {
        return Ok(());
    }
    match name {
        "model" | "max_tokens" | "messages" | "system" | "cache_control" => {}
        "stream" | "temperature" | "top_p" | "top_k" => {
            out.key(name).value(value);
        }
        "thinking" => read_thinking(value, out, loss)?,
        "stop_sequences" => stops(value, out)?,
        "tools" => read_tools(value, out, loss)?,
        "tool_choice" => read_choice(value, out, loss)?,
        "output_config" => output_config(value, out, loss)?,
        "output_format" => format("output_format", value, out)?,
        "metadata" => metadata(value, out, loss)?,
        "service_tier" => {
            out.text_member("service_tier", "default");
        }
        // What was said before is at Anthropic, and at nobody else.
        "thread" => loss.bar(Failure::new(Code::UnsupportedByModel, THREAD).param(THREAD_FIELD)),
        // Which budget pays: hoosh's own.
        "pool" => {
            out.key("pool").value(value);
        }
        _ => {
            debug_assert!(!is_carried(name), "{name} is carried, and nobody carries it");
            loss.add(Change::Dropped, name.to_owned(), "unknown to other dialects");
        }
    }
    Ok(())
}

/// Whoever bounds a turn by nothing has an empty list.
fn stops(stops: Value<'_>, out: &mut Writer) -> Result<(), Failure> {
    if stops.kind() != Kind::Array || stops.elements().any(|stop| stop.kind() != Kind::String) {
        return Err(invalid("stop_sequences", "'stop_sequences' must be an array of strings."));
    }
    if stops.elements().next().is_some() {
        out.key("stop").value(stops);
    }
    Ok(())
}

fn metadata(metadata: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    object("metadata", metadata)?;
    for (key, value) in metadata.fields().filter(|(_, value)| !value.is_null()) {
        if key.str_eq("user_id") {
            out.key("user").value(value);
        } else {
            let key = key.as_str().unwrap_or_default();
            loss.add(Change::Dropped, format!("metadata.{key}"), "unknown to other dialects");
        }
    }
    Ok(())
}

fn output_config(config: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    object("output_config", config)?;
    for (key, value) in config.fields().filter(|(_, value)| !value.is_null()) {
        match &*key.as_str().unwrap_or_default() {
            // Of OpenAI's words the highest is another.
            "effort" if value.str_eq("max") => {
                out.text_member("reasoning_effort", "xhigh");
                loss.add(Change::Clamped, "output_config.effort", "max as xhigh");
            }
            "effort" => {
                out.key("reasoning_effort").value(value);
            }
            "format" => format("output_config.format", value, out)?,
            other => loss.add(Change::Dropped, format!("output_config.{other}"), "unknown to other dialects"),
        }
    }
    Ok(())
}

/// `{"type":"json_schema","schema":…}` as OpenAI nests it.
fn format(place: &str, format: Value<'_>, out: &mut Writer) -> Result<(), Failure> {
    object(place, format)?;
    if !format.get("type").is_some_and(|kind| kind.str_eq("json_schema")) {
        return Err(invalid(format!("{place}.type"), format!("'{place}.type' must be json_schema.")));
    }
    let schema = format.get("schema").filter(|schema| schema.kind() == Kind::Object);
    let schema = schema.ok_or_else(|| missing(&format!("{place}.schema")))?;
    out.key("response_format").open_object().text_member("type", "json_schema");
    out.key("json_schema").open_object().text_member("name", "answer").key("strict").boolean(true);
    out.key("schema").value(schema).close_object().close_object();
    Ok(())
}

/// No string of checked JSON holds a line end as it is: those between its tokens become spaces.
fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    json
}

/// Refuses what is no object.
pub(super) fn object(name: &str, value: Value<'_>) -> Result<(), Failure> {
    match value.kind() {
        Kind::Object => Ok(()),
        _ => Err(invalid(name, format!("'{name}' must be an object."))),
    }
}

pub(super) fn missing(name: &str) -> Failure {
    Failure::new(Code::MissingField, format!("{name}: Field required.")).param(name)
}

pub(super) fn invalid(param: impl Into<String>, words: impl Into<String>) -> Failure {
    Failure::new(Code::InvalidValue, words).param(param)
}
