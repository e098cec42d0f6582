//! The content of one neutral message: text and bare base64, which is all that Ollama's messages hold.

use std::borrow::Cow;

use super::pictures::from_url;
use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// Between the parts of a text.
const BETWEEN: &str = "\n";

/// What a message says.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    pub text: Cow<'a, str>,
    /// In base64.
    pictures: Vec<Cow<'a, str>>,
    /// Text came after a picture.
    text_follows: bool,
}

impl<'a> Content<'a> {
    /// Reads text or parts.
    pub fn read(content: Option<Value<'a>>, loss: &mut Loss) -> Content<'a> {
        let mut read = Content::default();
        let Some(content) = content else { return read };
        if let Some(text) = content.as_str() {
            read.text = text;
        }
        for part in content.elements() {
            read.part(part, loss);
        }
        read
    }

    /// Puts words before the text.
    pub fn begin_with(&mut self, words: &str) {
        self.text.to_mut().insert_str(0, words);
    }

    /// Adds to the text.
    pub fn add(&mut self, text: Cow<'a, str>, loss: &mut Loss) {
        if text.is_empty() {
            return;
        }
        if self.text.is_empty() {
            self.text_follows = !self.pictures.is_empty();
            self.text = text;
            return;
        }
        loss.add(Change::Renamed, "messages[].content[].text", "the parts as lines of one text");
        let before = self.text.to_mut();
        before.push_str(BETWEEN);
        before.push_str(&text);
    }

    /// `content`, and `images` if there are any.
    pub fn write(&self, out: &mut Writer) {
        out.text_member("content", &self.text);
        if !self.pictures.is_empty() {
            out.key("images").open_array();
            for picture in &self.pictures {
                out.string(picture);
            }
            out.close_array();
        }
    }

    fn part(&mut self, part: Value<'a>, loss: &mut Loss) {
        if part.kind() != Kind::Object {
            return loss.add(Change::Dropped, "messages[].content[]", "no part");
        }
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        if part.get("cache_control").is_some_and(|marker| !marker.is_null()) {
            loss.add(Change::Dropped, "messages[].content[].cache_control", "Ollama keeps prompts by itself");
        }
        match &*kind {
            "text" => self.add(text_of(part, "text"), loss),
            "refusal" => {
                loss.add(Change::Approximated, "messages[].content[].refusal", "as text");
                self.add(text_of(part, "refusal"), loss);
            }
            "image_url" => self.picture(part.get("image_url"), loss),
            "input_audio" => loss.add(Change::Dropped, "messages[].content[].input_audio", "no audio"),
            "file" => loss.add(Change::Dropped, "messages[].content[].file", "no documents"),
            _ => loss.add(Change::Dropped, "messages[].content[].type", "an unknown part"),
        }
    }

    fn picture(&mut self, image: Option<Value<'a>>, loss: &mut Loss) {
        const FIELD: &str = "messages[].content[].image_url";
        let url = image.and_then(|image| if image.kind() == Kind::Object { image.get("url") } else { Some(image) });
        let Some(url) = url.and_then(Value::as_str) else { return loss.add(Change::Dropped, FIELD, "no address") };
        let data = match &url {
            Cow::Borrowed(url) => from_url(url).map(Cow::Borrowed),
            Cow::Owned(url) => from_url(url).map(|data| Cow::Owned(data.to_owned())),
        };
        match data {
            Some(data) => {
                if self.text_follows {
                    loss.add(Change::Approximated, FIELD, "all pictures before the text");
                }
                self.pictures.push(data);
            }
            None => loss.add(Change::Dropped, FIELD, "Ollama fetches nothing: send pictures in base64"),
        }
        let detail = image.filter(|image| image.kind() == Kind::Object).and_then(|image| image.get("detail"));
        if detail.is_some_and(|detail| !detail.is_null() && !detail.str_eq("auto")) {
            loss.add(Change::Dropped, "messages[].content[].image_url.detail", "Ollama has no such field");
        }
    }
}

fn text_of<'a>(part: Value<'a>, name: &str) -> Cow<'a, str> {
    part.get(name).and_then(Value::as_str).unwrap_or_default()
}
