//! One part of a caller's content.

use std::borrow::Cow;
use std::fmt;

use super::carried::data_of;
use super::data::{audio_format, media_of, usual};
use super::names::{fields, invalid, object, string, text};
use super::signatures::is_stand_in;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Value, Writer};

/// Where a part stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    System { part: usize },
    Content { content: usize, part: usize },
    Result { content: usize, part: usize, inner: usize },
}

impl Place {
    /// The part `at` of the same content.
    pub fn part(self, at: usize) -> Place {
        match self {
            Place::System { .. } => Place::System { part: at },
            Place::Content { content, .. } | Place::Result { content, .. } => Place::Content { content, part: at },
        }
    }

    /// The part `inner` of the result that stands here.
    pub fn inside(self, inner: usize) -> Place {
        let (content, part) = self.numbers();
        Place::Result { content, part, inner }
    }

    /// Which content, and which part of it.
    pub fn numbers(self) -> (usize, usize) {
        match self {
            Place::System { part } => (0, part),
            Place::Content { content, part } | Place::Result { content, part, .. } => (content, part),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::System { part } => write!(f, "systemInstruction.parts[{part}]"),
            Place::Content { content, part } => write!(f, "contents[{content}].parts[{part}]"),
            Place::Result { content, part, inner } => {
                write!(f, "contents[{content}].parts[{part}].functionResponse.parts[{inner}]")
            }
        }
    }
}

/// What a part holds. One of its kinds, and what stands beside it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub place: Place,
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
    /// Thoughts of another dialect, in place of a signature.
    pub carried: Option<String>,
}

impl Part<'_> {
    /// Whether it belongs to what is said: no thought, no call, no result.
    pub fn speaks(&self) -> bool {
        !self.thought && (self.text.is_some() || self.inline.is_some() || self.file.is_some())
    }

    /// Whether it says nothing: the last event of a stream is such a text, and what carries a signature.
    pub fn is_empty(&self) -> bool {
        self.text.as_ref().is_some_and(|text| text.is_empty())
    }

    /// Writes it as a part of a message's content.
    pub fn write(&self, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
        if let Some(text) = &self.text {
            out.open_object().text_member("type", "text").text_member("text", text).close_object();
        } else if let Some(inline) = self.inline {
            write_inline(inline, self.place, out, loss)?;
        } else if let Some(file) = self.file {
            write_file(file, self.place, out, loss)?;
        }
        Ok(())
    }
}

/// Reads a part.
pub(super) fn read<'a>(part: Value<'a>, place: Place, loss: &mut Loss) -> Result<Part<'a>, Failure> {
    let mut read = Part {
        place,
        text: None,
        call: None,
        response: None,
        inline: None,
        file: None,
        thought: false,
        signature: None,
        carried: None,
    };
    let mut kinds = 0;
    for (name, value) in fields(object(part, place)?) {
        kinds += 1;
        match &*name {
            "text" => read.text = Some(string(value, format_args!("{place}.text"))?),
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
                let signature = string(value, format_args!("{place}.thoughtSignature"))?;
                read.carried = data_of(&signature);
                let is_real = read.carried.is_none() && !is_stand_in(&signature);
                read.signature = is_real.then_some(signature);
            }
            name => loss.add(Change::Dropped, format!("contents[].parts[].{name}"), "no other protocol has it"),
        }
    }
    if kinds == 0 {
        return Err(invalid(
            place.to_string(),
            "is empty: a part has 'text', 'inlineData', 'functionCall' or another kind of data",
        ));
    }
    Ok(read)
}

fn write_inline(value: Value<'_>, place: Place, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let (mut media, mut data, mut name) = (Cow::Borrowed(""), None, None);
    for (field, value) in fields(object(value, format_args!("{place}.inlineData"))?) {
        match &*field {
            "mimeType" => media = string(value, format_args!("{place}.inlineData.mimeType"))?,
            "data" => data = Some(string(value, format_args!("{place}.inlineData.data"))?),
            "displayName" => name = Some(value),
            field => loss.add(Change::Dropped, format!("contents[].parts[].inlineData.{field}"), "unknown"),
        }
    }
    let Some(data) = data else { return Err(invalid(format!("{place}.inlineData.data"), "is missing")) };
    if media.is_empty() {
        return Err(invalid(format!("{place}.inlineData.mimeType"), "is missing"));
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

fn write_file(value: Value<'_>, place: Place, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let (mut media, mut address, mut name) = (None, None, None);
    for (field, value) in fields(object(value, format_args!("{place}.fileData"))?) {
        match &*field {
            "mimeType" => media = Some(string(value, format_args!("{place}.fileData.mimeType"))?),
            "fileUri" => address = Some(string(value, format_args!("{place}.fileData.fileUri"))?),
            "displayName" => name = Some(value),
            field => loss.add(Change::Dropped, format!("contents[].parts[].fileData.{field}"), "unknown"),
        }
    }
    let Some(address) = address else { return Err(invalid(format!("{place}.fileData.fileUri"), "is missing")) };
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
