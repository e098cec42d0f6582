//! The neutral request as a Gemini upstream takes it.

use super::names::invalid;
use super::write_config::Config;
use super::{embed, write_content, write_tools};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Change, Loss, To};
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Outline, Value, Writer};

/// Writes a request; its model is in the path.
pub(super) fn write(to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let mut outline = Outline::default();
    let mut index = Index::default();
    outline.scan(&mut index, neutral, Limits::default()).map_err(|error| json_failure(&error))?;
    let members = outline.fields(&index, neutral).filter(|(_, value)| !value.is_null());
    if to.endpoint == Endpoint::Embeddings {
        return embed::write(to.model, members, loss);
    }
    let mut top = Top::default();
    let mut config = Config::new(to);
    for (key, value) in members {
        match &*key {
            b"model" | b"stream" | b"stream_options" => {}
            b"messages" => top.messages = Some(value),
            b"prompt" if to.endpoint == Endpoint::Completions => top.prompt = Some(value),
            b"tools" => top.tools = Some(value),
            b"functions" => top.functions = Some(value),
            b"tool_choice" => top.choice = Some(value),
            b"function_call" => top.call = Some(value),
            b"parallel_tool_calls" if value.as_bool() == Some(true) => {}
            b"parallel_tool_calls" => {
                loss.add(Change::Dropped, "parallel_tool_calls", "Gemini calls as many as it likes")
            }
            b"web_search_options" => {
                loss.add(Change::Emulated, "web_search_options", "as Google's search");
                top.searches = true;
            }
            b"safety_settings" => top.safety = Some(value),
            b"metadata" => top.labels = Some(value),
            b"service_tier" => top.tier = Some(value),
            b"store" => top.store = Some(value),
            _ => config.take(&String::from_utf8_lossy(&key), value, loss),
        }
    }
    top.write(to, config, loss)
}

/// The members that are written in an order of ours.
#[derive(Default)]
struct Top<'a> {
    messages: Option<Value<'a>>,
    prompt: Option<Value<'a>>,
    tools: Option<Value<'a>>,
    functions: Option<Value<'a>>,
    choice: Option<Value<'a>>,
    call: Option<Value<'a>>,
    searches: bool,
    safety: Option<Value<'a>>,
    labels: Option<Value<'a>>,
    tier: Option<Value<'a>>,
    store: Option<Value<'a>>,
}

impl Top<'_> {
    fn write(self, to: &To<'_>, mut config: Config<'_>, loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        let mut out = Writer::with_capacity(1024);
        out.open_object();
        let mut system = Writer::default();
        out.key("contents").open_array();
        match (self.messages, self.prompt) {
            (Some(messages), _) => write_content::messages(to.model, messages, &mut out, &mut system, loss)?,
            (None, Some(prompt)) => write_prompt(prompt, &mut out, loss)?,
            (None, None) => {
                let words = "Missing required parameter: 'messages'.";
                return Err(Failure::new(Code::MissingField, words).param("messages"));
            }
        }
        out.close_array();
        let mut tools = Writer::default();
        let written = write_tools::tools(to.model, self.tools, self.functions, self.searches, &mut tools, loss);
        if !tools.is_empty() {
            config.beside_tools(&mut system, loss);
        }
        if !system.is_empty() {
            out.key("systemInstruction").open_object().key("parts").open_array().raw(&system.into_bytes());
            out.close_array().close_object();
        }
        if !tools.is_empty() {
            out.raw(&tools.into_bytes());
        }
        write_tools::choice(self.choice, self.call, written, &mut out, loss);
        config.write(&mut out, loss);
        out.member("safetySettings", self.safety);
        self.write_rest(&mut out, loss);
        out.close_object();
        Ok(out.into_bytes())
    }

    fn write_rest(&self, out: &mut Writer, loss: &mut Loss) {
        if let Some(labels) = self.labels {
            let texts = |(_, value): &(Value<'_>, Value<'_>)| value.kind() == Kind::String;
            if labels.fields().all(|pair| texts(&pair)) && labels.fields().next().is_some() {
                loss.add(Change::Renamed, "metadata", "labels");
                out.key("labels").value(labels);
            } else if labels.fields().next().is_some() {
                loss.add(Change::Dropped, "metadata", "labels are texts");
            }
        }
        match self.tier.and_then(Value::as_str).as_deref() {
            None | Some("auto") => {}
            Some("default") => {
                out.text_member("serviceTier", "standard");
            }
            Some(tier @ ("flex" | "priority")) => {
                out.text_member("serviceTier", tier);
            }
            Some(_) => loss.add(Change::Dropped, "service_tier", "Gemini has flex, standard and priority"),
        }
        out.member("store", self.store.filter(|store| store.as_bool() == Some(true)));
    }
}

/// A prompt of the older completions as what a user says.
fn write_prompt(prompt: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut several = prompt.elements();
    let one = match (prompt.kind(), several.next(), several.next()) {
        (Kind::Array, Some(one), None) => one,
        _ => prompt,
    };
    let Some(text) = one.as_str() else {
        return Err(invalid(
            "prompt",
            "must be one text for this provider: it takes no tokens and one prompt at a time",
        ));
    };
    loss.add(Change::Approximated, "prompt", "as a user's message");
    out.open_object().text_member("role", "user").key("parts").open_array();
    out.open_object().text_member("text", &text).close_object().close_array().close_object();
    Ok(())
}
