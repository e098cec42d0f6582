//! A caller's body as the neutral request.

use super::fields::is_carried;
use super::read_messages::{read_messages, system_message};
use super::read_tools::{read_choice, read_tools};
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Ask, Change, Loss};
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Value, Writer};

/// Members that say nothing where they are so.
const SAYS_NOTHING: [(&str, &[u8]); 2] = [("stream", b"false"), ("service_tier", b"\"auto\"")];

/// See [`crate::dialects::Protocol::read_request`].
pub(super) fn read_request(ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let index = Index::scan(body, Limits::default()).map_err(|error| json_failure(&error))?;
    let field = |name: &str| index.get(body, name).filter(|value| !value.is_null());
    let mut out = Writer::with_capacity(body.len() + 128);
    out.open_object();
    out.key("model").value(field("model").ok_or_else(|| missing("model"))?);
    let messages = field("messages").ok_or_else(|| missing("messages"))?;
    if messages.kind() != Kind::Array {
        return Err(invalid("messages", "'messages' must be an array."));
    }
    match field("max_tokens") {
        Some(most) => {
            if most.as_u64().is_none_or(|most| most == 0) {
                return Err(invalid("max_tokens", "'max_tokens' must be a whole number above 0."));
            }
            out.key("max_tokens").value(most);
        }
        None if ask.count => {}
        None => return Err(missing("max_tokens")),
    }
    out.key("messages").open_array();
    if let Some(system) = field("system") {
        system_message(system, &mut out, loss)?;
    }
    read_messages(messages, &mut out, loss)?;
    out.close_array();
    for (key, value) in index.iter(body).filter(|(_, value)| !value.is_null()) {
        member(&key, value, &mut out, loss)?;
    }
    out.close_object();
    Ok(one_line(out.into_bytes()))
}

fn member(name: &str, value: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if SAYS_NOTHING.iter().any(|(said, raw)| *said == name && value.raw() == *raw) {
        return Ok(());
    }
    match name {
        "model" | "max_tokens" | "messages" | "system" => {}
        "stream" | "temperature" | "top_p" | "top_k" | "thinking" => {
            out.key(name).value(value);
        }
        // Whoever bounds a turn by nothing has an empty list.
        "stop_sequences" if value.elements().next().is_none() => {}
        "stop_sequences" => {
            out.key("stop").value(value);
        }
        "tools" => read_tools(value, out, loss)?,
        "tool_choice" => read_choice(value, out)?,
        "output_config" => output_config(value, out, loss),
        "output_format" => format(value, out),
        "metadata" => {
            if let Some(user) = value.get("user_id").filter(|user| !user.is_null()) {
                out.key("user").value(user);
            }
            for (key, _) in value.fields().filter(|(key, _)| !key.str_eq("user_id")) {
                let key = key.as_str().unwrap_or_default();
                loss.add(Change::Dropped, format!("metadata.{key}"), "unknown to other dialects");
            }
        }
        "service_tier" => {
            out.text_member("service_tier", "default");
        }
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

fn output_config(config: Value<'_>, out: &mut Writer, loss: &mut Loss) {
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
            "format" => format(value, out),
            other => loss.add(Change::Dropped, format!("output_config.{other}"), "unknown to other dialects"),
        }
    }
}

/// `{"type":"json_schema","schema":…}` as OpenAI nests it.
fn format(format: Value<'_>, out: &mut Writer) {
    let Some(schema) = format.get("schema") else { return };
    out.key("response_format").open_object().text_member("type", "json_schema");
    out.key("json_schema").open_object().text_member("name", "answer").key("strict").boolean(true);
    out.key("schema").value(schema).close_object().close_object();
}

/// No string of checked JSON holds a line end as it is: those between its tokens become spaces.
fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    json
}

pub(super) fn missing(name: &str) -> Failure {
    Failure::new(Code::MissingField, format!("{name}: Field required.")).param(name)
}

pub(super) fn invalid(param: impl Into<String>, words: impl Into<String>) -> Failure {
    Failure::new(Code::InvalidValue, words).param(param)
}
