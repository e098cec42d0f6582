//! A caller's body as the neutral request.

use super::errors::{invalid, missing};
use super::fields::reason;
use super::read_messages::{read_messages, read_prompt};
use super::read_options::{drop_options, read_options};
use super::think::read_think;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Ask, Change, Form, Loss};
use crate::error::Failure;
use crate::json::{Kind, Limits, Object, Value, Writer};

/// Which of the paths is asked.
#[derive(Clone, Copy, PartialEq)]
enum Path {
    Chat,
    Generate,
    Embed,
    Embeddings,
}

impl Path {
    fn of(ask: &Ask) -> Path {
        match (ask.endpoint, ask.form) {
            (Some(Endpoint::Embeddings), Form::Other) => Path::Embeddings,
            (Some(Endpoint::Embeddings), _) => Path::Embed,
            (Some(Endpoint::Completions), _) | (_, Form::Prompt) => Path::Generate,
            _ => Path::Chat,
        }
    }

    const fn generates(self) -> bool {
        matches!(self, Path::Chat | Path::Generate)
    }

    /// Fields that were read before the others.
    const fn read_first(self) -> &'static [&'static str] {
        match self {
            Path::Chat => &["model", "messages", "stream"],
            Path::Generate => &["model", "prompt", "system", "images", "stream"],
            Path::Embed => &["model", "input"],
            Path::Embeddings => &["model", "prompt"],
        }
    }
}

/// See [`crate::dialects::Protocol::read_request`].
pub(super) fn read_request(ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let object = Object::scan(body, Limits::default()).map_err(|error| json_failure(&error))?;
    let field = |name: &str| object.get(name);
    let path = Path::of(ask);
    let model = field("model").ok_or_else(|| missing("model"))?;
    if model.kind() != Kind::String || model.str_eq("") {
        return Err(missing("model"));
    }
    let mut out = Writer::with_capacity(body.len() + body.len() / 8 + 128);
    out.open_object().key("model").value(model);
    match path {
        Path::Chat => {
            out.key("messages").open_array();
            read_messages(field("messages").ok_or_else(|| missing("messages"))?, &mut out, loss)?;
            out.close_array();
        }
        Path::Generate => {
            out.key("messages").open_array();
            read_prompt(field("system"), field("prompt"), field("images"), &mut out, loss)?;
            out.close_array();
        }
        Path::Embed => read_input(field("input").ok_or_else(|| missing("input"))?, "input", &mut out)?,
        Path::Embeddings => read_input(field("prompt").ok_or_else(|| missing("prompt"))?, "prompt", &mut out)?,
    }
    if path.generates() && read_stream(field("stream"), ask)? {
        out.key("stream").boolean(true);
    }
    for (name, value) in object.members() {
        if !path.read_first().contains(&&*name) {
            member(path, &name, value, &mut out, loss)?;
        }
    }
    out.close_object();
    Ok(one_line(out.into_bytes()))
}

fn member(path: Path, name: &str, value: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    match name {
        "options" if path.generates() => read_options(value, out, loss)?,
        "options" => drop_options(value, loss)?,
        "pool" => {
            out.key("pool").value(value);
        }
        "dimensions" if path == Path::Embed => {
            out.key("dimensions").value(value);
        }
        "format" if path.generates() => read_format(value, out)?,
        "think" if path.generates() => read_think(value, out, loss)?,
        "tools" if path == Path::Chat => read_tools(value, out, loss)?,
        "logprobs" | "top_logprobs" if path.generates() => {
            if value.as_bool() != Some(false) && value.as_u64() != Some(0) {
                out.key(name).value(value);
            }
        }
        _ if says_nothing(name, value) => {}
        _ => loss.add(Change::Dropped, name.to_owned(), reason(name)),
    }
    Ok(())
}

/// SDKs send what was not asked for too (`ollama-python` 0.6: `"raw":false`, `"system":""`), and some ask for what others do anyway.
fn says_nothing(name: &str, value: Value<'_>) -> bool {
    let is_empty = value.str_eq("") || value.kind() == Kind::Array && value.elements().next().is_none();
    is_empty || value.as_bool() == Some(false) && ["raw", "truncate", "shift", "stream"].contains(&name)
}

/// Streams are the default.
fn read_stream(stream: Option<Value<'_>>, ask: &Ask) -> Result<bool, Failure> {
    let said = match stream {
        None => true,
        Some(value) => value.as_bool().ok_or_else(|| invalid("stream", "stream must be true or false"))?,
    };
    Ok(ask.stream.unwrap_or(said))
}

/// Text, or an array of texts.
fn read_input(input: Value<'_>, name: &str, out: &mut Writer) -> Result<(), Failure> {
    let is_text = |value: Value<'_>| value.kind() == Kind::String;
    if !is_text(input) && (name == "prompt" || input.kind() != Kind::Array || !input.elements().all(is_text)) {
        let kinds = if name == "prompt" { "a string" } else { "a string or an array of strings" };
        return Err(invalid(name, format!("{name} must be {kinds}")));
    }
    out.key("input").value(input);
    Ok(())
}

/// `"json"`, or a schema. OpenAI's `strict` is not asked for: it refuses schemas that Ollama takes.
fn read_format(format: Value<'_>, out: &mut Writer) -> Result<(), Failure> {
    match format.kind() {
        Kind::Object => {
            out.key("response_format").open_object().text_member("type", "json_schema");
            out.key("json_schema").open_object().text_member("name", "answer");
            out.key("schema").value(format).close_object().close_object();
        }
        _ if format.str_eq("") => {}
        _ if format.str_eq("json") => {
            out.key("response_format").open_object().text_member("type", "json_object").close_object();
        }
        _ => return Err(invalid("format", "format must be \"json\" or a JSON schema")),
    }
    Ok(())
}

/// OpenAI's form, whose `type` Ollama's SDKs may leave out.
fn read_tools(tools: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if tools.kind() != Kind::Array {
        return Err(invalid("tools", "tools must be an array"));
    }
    if tools.elements().next().is_none() {
        return Ok(());
    }
    out.key("tools").open_array();
    for (at, tool) in tools.elements().enumerate() {
        let function = Some(tool).filter(|tool| tool.kind() == Kind::Object).and_then(|tool| tool.get("function"));
        let named = |function: &Value<'_>| function.get("name").is_some_and(|name| name.kind() == Kind::String);
        let Some(function) = function.filter(|function| function.kind() == Kind::Object).filter(named) else {
            let field = format!("tools[{at}].function");
            return Err(invalid(field.clone(), format!("{field} must have a name")));
        };
        out.open_object().text_member("type", "function").key("function").value(function).close_object();
        for (key, _) in tool.fields().filter(|(key, _)| !key.str_eq("type") && !key.str_eq("function")) {
            let key = key.as_str().unwrap_or_default();
            loss.add(Change::Dropped, format!("tools[].{key}"), "unknown to other dialects");
        }
    }
    out.close_array();
    Ok(())
}

/// No string of checked JSON holds a line end as it is: those between its tokens become spaces.
fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    json
}
