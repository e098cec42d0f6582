//! A caller's request as the neutral one.

use super::fields::{drop_field, REQUEST_FIELDS};
use super::history::not_found;
use super::read_input::read_messages;
use super::refuse::{boolean, integer, missing, number, of_kind, present, refused, text_of, wrong_value};
use super::tools::{read_choice, read_tools};
use crate::dialects::openai::fields::MAX_MODEL_BYTES;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Ask, Change, Loss};
use crate::error::Failure;
use crate::json::{Index, Kind, Limits, Outline, Value, Writer};

/// Most alternatives that OpenAI tells of a token.
const MOST_LOGPROBS: u64 = 20;

/// What belongs together and comes in any order.
#[derive(Default)]
struct Given<'a> {
    model: Option<Value<'a>>,
    instructions: Option<Value<'a>>,
    input: Option<Value<'a>>,
    logprobs: bool,
    /// The provider holds what `input` may leave out.
    held: bool,
}

/// See [`crate::dialects::Protocol::read_request`].
///
/// # Errors
/// What is not of the protocol. What needs something that only a provider holds is barred from other dialects.
pub(super) fn read_request(_: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let mut outline = Outline::default();
    let mut index = Index::default();
    outline.scan(&mut index, body, Limits::default()).map_err(|error| json_failure(&error))?;
    let mut given = Given::default();
    let mut out = Writer::with_capacity(body.len() + body.len() / 4 + 128);
    out.open_object();
    for (key, value) in outline.fields(&index, body).filter(|(_, value)| !value.is_null()) {
        read_field(&mut out, &mut given, &key, value, loss)?;
    }
    let model = given.model.ok_or_else(|| missing("model"))?;
    if given.input.is_none() && !given.held {
        return Err(missing("input"));
    }
    out.key("model").value(name_of_model(model)?);
    if given.logprobs {
        out.key("logprobs").boolean(true);
    }
    read_messages(&mut out, given.instructions, given.input, loss)?;
    out.close_object();
    let mut out = out.into_bytes();
    // No string of checked JSON holds a line end as it is.
    out.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    Ok(out)
}

fn read_field<'a>(
    out: &mut Writer,
    given: &mut Given<'a>,
    key: &[u8],
    value: Value<'a>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    match key {
        b"model" => given.model = Some(value),
        b"instructions" => given.instructions = Some(value),
        b"input" => given.input = Some(value),
        b"stream" => {
            if boolean("stream", value)? {
                out.key("stream").boolean(true);
            }
        }
        b"temperature" => {
            out.key("temperature").value(number("temperature", 0.0, 2.0, value)?);
        }
        b"top_p" => {
            out.key("top_p").value(number("top_p", 0.0, 1.0, value)?);
        }
        b"max_output_tokens" => {
            out.key("max_completion_tokens").integer(integer("max_output_tokens", 1, u32::MAX.into(), value)?);
        }
        b"top_logprobs" => {
            given.logprobs = true;
            out.key("top_logprobs").integer(integer("top_logprobs", 0, MOST_LOGPROBS, value)?);
        }
        b"parallel_tool_calls" => {
            out.key("parallel_tool_calls").boolean(boolean("parallel_tool_calls", value)?);
        }
        b"store" => {
            out.key("store").boolean(boolean("store", value)?);
        }
        b"tools" => read_tools(out, value, loss)?,
        b"tool_choice" => read_choice(out, value, loss)?,
        b"text" => read_text(out, of_kind("text", Kind::Object, value)?, loss)?,
        b"reasoning" => read_reasoning(out, of_kind("reasoning", Kind::Object, value)?, loss)?,
        b"include" => given.logprobs |= read_include(value, loss)?,
        b"metadata" | b"stream_options" | b"prompt_cache_options" | b"moderation" => {
            carry(out, key, Kind::Object, value)?
        }
        b"user" | b"safety_identifier" | b"prompt_cache_key" | b"prompt_cache_retention" | b"service_tier" => {
            carry(out, key, Kind::String, value)?;
        }
        b"pool" => {}
        b"truncation" if value.str_eq("disabled") => {}
        b"background" if !boolean("background", value)? => {}
        b"background" => loss.bar(refused("background", BACKGROUND)),
        b"previous_response_id" => return Err(not_found(&value.as_str().unwrap_or_default())),
        b"conversation" => {
            if value.kind() != Kind::String {
                of_kind("conversation", Kind::Object, value)?;
            }
            given.held = true;
            loss.bar(refused("conversation", CONVERSATION));
        }
        b"prompt" => {
            of_kind("prompt", Kind::Object, value)?;
            given.held = true;
            loss.bar(refused("prompt", PROMPT));
        }
        _ => drop_field(REQUEST_FIELDS, key, loss),
    }
    Ok(())
}

/// Each is told where no provider of the model speaks Responses.
const BACKGROUND: &str =
    "'background' is offered by a provider that speaks Responses, and none serves this model here: leave it out, and read the answer or its stream.";
const CONVERSATION: &str =
    "'conversation' is kept by a provider that speaks Responses, and none serves this model here: send its turns in 'input', or go on by 'previous_response_id'.";
const PROMPT: &str =
    "'prompt' is kept by a provider that speaks Responses, and none serves this model here: send its text in 'instructions' and 'input'.";

fn name_of_model(value: Value<'_>) -> Result<Value<'_>, Failure> {
    let name = of_kind("model", Kind::String, value)?.as_str().unwrap_or_default();
    if name.is_empty() || name.len() > MAX_MODEL_BYTES || name.chars().any(char::is_control) {
        let words = format!("'model' must be a name of 1 to {MAX_MODEL_BYTES} bytes without control characters.");
        return Err(refused("model", &words));
    }
    Ok(value)
}

fn carry(out: &mut Writer, key: &[u8], kind: Kind, value: Value<'_>) -> Result<(), Failure> {
    let name = String::from_utf8_lossy(key);
    out.key(&name).value(of_kind(&name, kind, value)?);
    Ok(())
}

fn read_text(out: &mut Writer, text: Value<'_>, loss: &mut Loss) -> Result<(), Failure> {
    super::fields::drop_unknown(text, &["format", "verbosity"], "text.", loss);
    out.member("verbosity", text.get("verbosity"));
    let Some(format) = present(text, "format") else { return Ok(()) };
    let kind = text_of(of_kind("text.format", Kind::Object, format)?, "type", "text.format")?;
    if kind.str_eq("json_schema") {
        text_of(format, "name", "text.format")?;
        let schema = present(format, "schema").ok_or_else(|| missing("text.format.schema"))?;
        out.key("response_format").open_object().text_member("type", "json_schema").key("json_schema").open_object();
        out.member("name", format.get("name")).member("description", format.get("description"));
        out.key("schema").value(schema).member("strict", format.get("strict")).close_object().close_object();
    } else if kind.str_eq("json_object") {
        out.key("response_format").open_object().text_member("type", "json_object").close_object();
    } else if !kind.str_eq("text") {
        return Err(wrong_value("text.format.type", "one of 'text', 'json_schema' and 'json_object'", kind));
    }
    Ok(())
}

fn read_reasoning(out: &mut Writer, reasoning: Value<'_>, loss: &mut Loss) -> Result<(), Failure> {
    if let Some(effort) = present(reasoning, "effort") {
        out.key("reasoning_effort").value(of_kind("reasoning.effort", Kind::String, effort)?);
    }
    for name in ["summary", "generate_summary"].into_iter().filter(|name| present(reasoning, name).is_some()) {
        loss.add(Change::Approximated, format!("reasoning.{name}"), "thoughts are told where the model tells them");
    }
    super::fields::drop_unknown(reasoning, &["effort", "summary", "generate_summary"], "reasoning.", loss);
    Ok(())
}

/// Whether probabilities are to be included.
fn read_include(include: Value<'_>, loss: &mut Loss) -> Result<bool, Failure> {
    let mut logprobs = false;
    for one in of_kind("include", Kind::Array, include)?.elements() {
        if one.str_eq("message.output_text.logprobs") {
            logprobs = true;
        } else if !one.str_eq("reasoning.encrypted_content") {
            let name = one.as_str().unwrap_or_default();
            loss.add(Change::Dropped, format!("include.{name}"), "of tools and files that the provider holds");
        }
    }
    Ok(logprobs)
}
