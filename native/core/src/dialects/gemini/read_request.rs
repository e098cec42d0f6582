//! A caller's body as the neutral request.

use super::embed;
use super::fields::{self, REQUEST_FIELDS};
use super::names::{self, camel, invalid, object, string, wrong};
use super::{read_config, read_content, read_tools};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Ask, Change, Loss};
use crate::error::{Code, Failure};
use crate::json::{Index, Limits, Outline, Value, Writer};

/// Reads a body of `generateContent` and its like, or of the embeddings.
pub(super) fn read(ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let mut outline = Outline::default();
    let mut index = Index::default();
    outline.scan(&mut index, body, Limits::default()).map_err(|error| json_failure(&error))?;
    names::refuse_twice(index.iter(body).map(|(key, _)| key))?;
    if ask.endpoint == Some(Endpoint::Embeddings) {
        return embed::read(ask, outline.fields(&index, body), loss);
    }
    generate(ask, outline.fields(&index, body), loss)
}

/// Reads the members of a `generateContent` request, wherever they stand.
pub(super) fn generate<'a>(
    ask: &Ask,
    members: impl Iterator<Item = (std::borrow::Cow<'a, [u8]>, Value<'a>)>,
    loss: &mut Loss,
) -> Result<Vec<u8>, Failure> {
    let mut top = Top::default();
    let mut rest = Writer::with_capacity(512);
    for (key, value) in members.filter(|(_, value)| !value.is_null()) {
        let key = String::from_utf8_lossy(&key);
        let name = camel(&key);
        match &*name {
            "model" => top.model = Some(value),
            "contents" => top.contents = Some(value),
            "systemInstruction" => top.system = Some(value),
            "generationConfig" => top.config = Some(value),
            "tools" => top.tools = Some(value),
            "toolConfig" => top.choice = Some(value),
            "safetySettings" => {
                rest.key("safety_settings").value(names::array(value, "safetySettings")?);
            }
            "labels" => {
                rest.key("metadata").value(object(value, "labels")?);
            }
            "store" => {
                rest.member("store", Some(value));
            }
            // The gateway's own: which budget pays.
            "pool" => {
                rest.key("pool").value(value);
            }
            "serviceTier" => tier(value, &mut rest, loss)?,
            name => loss.add(Change::Dropped, name.to_owned(), fields::note(REQUEST_FIELDS, name)),
        }
    }
    top.write(ask, rest, loss)
}

/// The members that are read in an order of ours.
#[derive(Default)]
struct Top<'a> {
    model: Option<Value<'a>>,
    contents: Option<Value<'a>>,
    system: Option<Value<'a>>,
    config: Option<Value<'a>>,
    tools: Option<Value<'a>>,
    choice: Option<Value<'a>>,
}

impl Top<'_> {
    fn write(self, ask: &Ask, rest: Writer, loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        let Some(contents) = self.contents else {
            return Err(Failure::new(Code::MissingField, "Missing required parameter: 'contents'.").param("contents"));
        };
        let mut out = Writer::with_capacity(1024);
        out.open_object();
        model(ask, self.model, &mut out)?;
        out.key("messages").open_array();
        if let Some(system) = self.system {
            read_content::system(system, &mut out, loss)?;
        }
        read_content::contents(contents, &mut out, loss)?;
        out.close_array();
        if ask.stream == Some(true) {
            out.key("stream").boolean(true);
        }
        if let Some(tools) = self.tools {
            read_tools::tools(tools, &mut out, loss)?;
        }
        if let Some(choice) = self.choice {
            read_tools::choice(choice, &mut out, loss)?;
        }
        if let Some(config) = self.config {
            read_config::read(config, &mut out, loss)?;
        }
        let rest = rest.into_bytes();
        if !rest.is_empty() {
            out.raw(&rest);
        }
        out.close_object();
        Ok(names::one_line(out.into_bytes()))
    }
}

/// Writes the model: that of the path, or of the body where the path has none.
pub(super) fn model(ask: &Ask, said: Option<Value<'_>>, out: &mut Writer) -> Result<(), Failure> {
    let said = said.map(|said| string(said, "model")).transpose()?;
    let name = ask.model.as_deref().or(said.as_deref()).unwrap_or_default();
    let name = name.strip_prefix("models/").unwrap_or(name);
    if name.is_empty() {
        return Err(Failure::new(Code::MissingField, "The path names no model.").param("model"));
    }
    out.text_member("model", name);
    Ok(())
}

fn tier(value: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let tier = value.as_str().ok_or_else(|| wrong("serviceTier", "a string", value))?.to_ascii_lowercase();
    match tier.strip_prefix("service_tier_").unwrap_or(&tier) {
        "unspecified" => {}
        "standard" => {
            out.text_member("service_tier", "default");
        }
        tier @ ("flex" | "priority") => {
            out.text_member("service_tier", tier);
        }
        _ => {
            loss.add(Change::Dropped, "serviceTier", "unknown tier");
            return Err(invalid("serviceTier", "must be 'standard', 'flex' or 'priority'"));
        }
    }
    Ok(())
}
