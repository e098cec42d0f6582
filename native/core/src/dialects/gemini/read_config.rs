//! A caller's `generationConfig`, as members of the neutral request.

use super::fields::{self, CONFIG_FIELDS};
use super::names::{self, object, whole, wrong};
use super::read_tools::each;
use super::{schema, thinking};
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes what it says behind the members of `out`.
pub(super) fn read(config: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut format = Format::default();
    names::refuse_twice(config.fields().filter_map(|(key, _)| key.as_str()))?;
    for (name, value) in names::fields(object(config, "generationConfig")?) {
        match &*name {
            "temperature" => number("temperature", value, "temperature", out)?,
            "topP" => number("topP", value, "top_p", out)?,
            "topK" => number("topK", value, "top_k", out)?,
            "presencePenalty" => number("presencePenalty", value, "presence_penalty", out)?,
            "frequencyPenalty" => number("frequencyPenalty", value, "frequency_penalty", out)?,
            "candidateCount" => integer("candidateCount", value, "n", out)?,
            "maxOutputTokens" => integer("maxOutputTokens", value, "max_tokens", out)?,
            "seed" => integer("seed", value, "seed", out)?,
            "logprobs" => integer("logprobs", value, "top_logprobs", out)?,
            "responseLogprobs" => {
                let wanted = value.as_bool();
                out.key("logprobs");
                out.boolean(wanted.ok_or_else(|| wrong("generationConfig.responseLogprobs", "true or false", value))?);
            }
            "stopSequences" => {
                out.key("stop").open_array();
                for stop in each(value) {
                    out.string(&names::string(stop, "generationConfig.stopSequences")?);
                }
                out.close_array();
            }
            "thinkingConfig" => thinking::read(object(value, "generationConfig.thinkingConfig")?, out, loss)?,
            "responseModalities" => modalities(value, out, loss)?,
            "responseMimeType" => format.media = Some(value),
            "responseSchema" => format.openapi = Some(value),
            "responseJsonSchema" => format.schema = Some(value),
            name => {
                loss.add(Change::Dropped, format!("generationConfig.{name}"), fields::note(CONFIG_FIELDS, name));
            }
        }
    }
    format.write(out, loss)
}

fn number(field: &str, value: Value<'_>, name: &str, out: &mut Writer) -> Result<(), Failure> {
    if value.kind() != Kind::Number {
        return Err(wrong(format!("generationConfig.{field}"), "a number", value));
    }
    out.key(name).value(value);
    Ok(())
}

fn integer(field: &str, value: Value<'_>, name: &str, out: &mut Writer) -> Result<(), Failure> {
    let Some(number) = whole(value) else {
        return Err(wrong(format!("generationConfig.{field}"), "a whole number", value));
    };
    out.key(name).raw(number.to_string().as_bytes());
    Ok(())
}

/// OpenAI's words for what an answer may be of; Gemini has text alone where nothing is said.
fn modalities(value: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut words = Vec::new();
    for one in each(value) {
        let word = names::string(one, "generationConfig.responseModalities")?.to_ascii_lowercase();
        match &*word {
            "modality_unspecified" => {}
            "text" | "audio" | "image" => words.push(word),
            _ => loss.add(Change::Dropped, "generationConfig.responseModalities", "unknown modality"),
        }
    }
    if words.iter().any(|word| word != "text") {
        out.key("modalities").open_array();
        words.iter().for_each(|word| {
            out.string(word);
        });
        out.close_array();
    }
    Ok(())
}

/// What form an answer shall have.
#[derive(Default)]
struct Format<'a> {
    media: Option<Value<'a>>,
    openapi: Option<Value<'a>>,
    schema: Option<Value<'a>>,
}

impl Format<'_> {
    fn write(self, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
        const AT: &str = "generationConfig.responseMimeType";
        let media = self.media.map(|media| names::string(media, AT)).transpose()?;
        match (media.as_deref(), self.schema.or(self.openapi)) {
            (Some("text/x.enum"), Some(schema)) | (Some("application/json") | None, Some(schema)) => {
                if media.as_deref() == Some("text/x.enum") {
                    loss.add(Change::Approximated, AT, "the word as JSON, in quotes");
                }
                out.key("response_format").open_object().text_member("type", "json_schema");
                out.key("json_schema").open_object().text_member("name", "response").key("schema");
                match self.schema {
                    Some(schema) => {
                        out.value(schema);
                    }
                    None => schema::write(schema, "generationConfig.responseSchema", out, loss),
                }
                out.close_object().close_object();
            }
            (Some("application/json"), None) => {
                out.key("response_format").open_object().text_member("type", "json_object").close_object();
            }
            (Some("text/plain") | None, _) => {}
            (Some(_), _) => loss.add(Change::Dropped, AT, "unknown media type"),
        }
        Ok(())
    }
}
