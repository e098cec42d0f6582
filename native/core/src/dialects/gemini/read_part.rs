//! One part of a caller's content.

use std::borrow::Cow;

use super::data::{audio_format, media_of, usual};
use super::names::{fields, invalid, object, string, text};
use super::signatures::is_stand_in;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Value, Writer};

/// What a part holds. One of its kinds, and what stands beside it.
#[derive(Debug, Default)]
pub(super) struct Part<'a> {
    pub text: Option<Cow<'a, str>>,
    pub call: Option<Value<'a>>,
    pub response: Option<Value<'a>>,
    /// `inlineData`
    pub inline: Option<Value<'a>>,
    /// `fileData`
    pub file: Option<Value<'a>>,
    /// It is of what a model thought.
    pub thought: bool,
    pub signature: Option<Cow<'a, str>>,
}

impl Part<'_> {
    /// Whether it belongs to what is said: no thought, no call, no result, and not the empty text that carries a signature.
    pub fn speaks(&self) -> bool {
        let says = self.text.as_ref().is_some_and(|text| !(text.is_empty() && self.signature.is_some()));
        !self.thought && (says || self.inline.is_some() || self.file.is_some())
    }

    /// Writes it as a part of a message's content.
    pub fn write(&self, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
        if let Some(text) = &self.text {
            out.open_object().text_member("type", "text").text_member("text", text).close_object();
        } else if let Some(inline) = self.inline {
            write_inline(inline, &format!("{place}.inlineData"), out, loss)?;
        } else if let Some(file) = self.file {
            write_file(file, &format!("{place}.fileData"), out, loss)?;
        }
        Ok(())
    }
}

/// Reads a part.
pub(super) fn read<'a>(part: Value<'a>, place: &str, loss: &mut Loss) -> Result<Part<'a>, Failure> {
    let mut read = Part::default();
    let mut kinds = 0;
    for (name, value) in fields(object(part, place)?) {
        kinds += 1;
        match &*name {
            "text" => read.text = Some(string(value, format!("{place}.text"))?),
            "functionCall" => read.call = Some(value),
            "functionResponse" => read.response = Some(value),
            "inlineData" => read.inline = Some(value),
            "fileData" => read.file = Some(value),
            "executableCode" => {
                let code = text(value, "code").unwrap_or_default();
                loss.add(Change::Approximated, "contents[].parts[].executableCode", "as text");
                read.text = Some(Cow::Owned(format!("```python\n{}\n```\n", code.trim_end())));
            }
            "codeExecutionResult" => {
                let output = text(value, "output").unwrap_or_default();
                loss.add(Change::Approximated, "contents[].parts[].codeExecutionResult", "as text");
                read.text = Some(Cow::Owned(format!("```\n{}\n```\n", output.trim_end())));
            }
            "thought" => read.thought = value.as_bool() == Some(true),
            "thoughtSignature" => {
                let signature = string(value, format!("{place}.thoughtSignature"))?;
                read.signature = Some(signature).filter(|signature| !is_stand_in(signature));
            }
            name => loss.add(Change::Dropped, format!("contents[].parts[].{name}"), "no other protocol has it"),
        }
    }
    if kinds == 0 {
        return Err(invalid(
            place,
            "is empty: a part has 'text', 'inlineData', 'functionCall' or another kind of data",
        ));
    }
    Ok(read)
}

fn write_inline(value: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let (mut media, mut data, mut name) = (Cow::Borrowed(""), None, None);
    for (field, value) in fields(object(value, place)?) {
        match &*field {
            "mimeType" => media = string(value, format!("{place}.mimeType"))?,
            "data" => data = Some(string(value, format!("{place}.data"))?),
            "displayName" => name = Some(value),
            field => loss.add(Change::Dropped, format!("contents[].parts[].inlineData.{field}"), "unknown"),
        }
    }
    let Some(data) = data else { return Err(invalid(format!("{place}.data"), "is missing")) };
    if media.is_empty() {
        return Err(invalid(format!("{place}.mimeType"), "is missing"));
    }
    let data = usual(&data);
    out.open_object();
    if let Some(format) = audio_format(&media) {
        out.text_member("type", "input_audio").key("input_audio").open_object();
        out.text_member("data", &data).text_member("format", format).close_object();
    } else if media.starts_with("image/") {
        out.text_member("type", "image_url").key("image_url").open_object();
        out.text_member("url", &format!("data:{media};base64,{data}")).close_object();
    } else {
        out.text_member("type", "file").key("file").open_object();
        out.text_member("file_data", &format!("data:{media};base64,{data}")).member("filename", name).close_object();
    }
    out.close_object();
    Ok(())
}

fn write_file(value: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let (mut media, mut address, mut name) = (None, None, None);
    for (field, value) in fields(object(value, place)?) {
        match &*field {
            "mimeType" => media = Some(string(value, format!("{place}.mimeType"))?),
            "fileUri" => address = Some(string(value, format!("{place}.fileUri"))?),
            "displayName" => name = Some(value),
            field => loss.add(Change::Dropped, format!("contents[].parts[].fileData.{field}"), "unknown"),
        }
    }
    let Some(address) = address else { return Err(invalid(format!("{place}.fileUri"), "is missing")) };
    if media.is_some() && media.as_deref() != media_of(&address) {
        loss.add(Change::Dropped, "contents[].parts[].fileData.mimeType", "the address alone goes on");
    }
    out.open_object();
    if media.as_deref().or(media_of(&address)).is_some_and(|media| media.starts_with("image/")) {
        out.text_member("type", "image_url").key("image_url").open_object().text_member("url", &address).close_object();
    } else {
        out.text_member("type", "file").key("file").open_object();
        out.text_member("file_url", &address).member("filename", name).close_object();
    }
    out.close_object();
    Ok(())
}
