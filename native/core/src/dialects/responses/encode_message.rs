//! How a message of the model is told.

use super::annotations;
use super::encode::{Encoder, Open};
use super::events;
use super::logprobs;
use super::output::{Message, Part};
use crate::dialects::neutral::TokenLogprob;

impl Encoder {
    pub fn text(&mut self, text: &str, tokens: &[TokenLogprob], out: &mut Vec<u8>) {
        if text.is_empty() && tokens.is_empty() {
            return;
        }
        self.open_part(false, out);
        let Some(Open::Message(Message { place, count, part: Some(part), .. })) = &mut self.open else { return };
        part.text.push_str(text);
        logprobs::write(&mut part.logprobs, tokens);
        Self::event(&mut self.events, "response.output_text.delta", place, out);
        events::number(out, "content_index", *count);
        events::text(out, "delta", text);
        out.extend_from_slice(b",\"logprobs\":[");
        logprobs::write(out, tokens);
        out.push(b']');
        events::close(out);
    }

    pub fn refusal(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_part(true, out);
        let Some(Open::Message(Message { place, count, part: Some(part), .. })) = &mut self.open else { return };
        part.text.push_str(text);
        Self::event(&mut self.events, "response.refusal.delta", place, out);
        events::number(out, "content_index", *count);
        events::text(out, "delta", text);
        events::close(out);
    }

    pub fn annotation(&mut self, json: &str, out: &mut Vec<u8>) {
        let Some(annotation) = annotations::write(json) else { return };
        self.open_part(false, out);
        let Some(Open::Message(Message { place, count, part: Some(part), .. })) = &mut self.open else { return };
        Self::event(&mut self.events, "response.output_text.annotation.added", place, out);
        events::number(out, "content_index", *count);
        events::number(out, "annotation_index", part.annotated);
        events::raw(out, "annotation", &annotation);
        events::close(out);
        if part.annotated > 0 {
            part.annotations.push(b',');
        }
        part.annotations.extend_from_slice(&annotation);
        part.annotated += 1;
    }

    /// Sees to it that a message with a part of the kind is open.
    fn open_part(&mut self, is_refusal: bool, out: &mut Vec<u8>) {
        match &self.open {
            Some(Open::Message(Message { part: Some(part), .. })) if part.is_refusal == is_refusal => return,
            Some(Open::Message(_)) => self.close_part(out),
            _ => {
                self.close_open("completed", out);
                let message = Message { place: self.place("msg"), parts: Vec::new(), count: 0, part: None };
                let mut item = Vec::with_capacity(128);
                message.write(&mut item, "in_progress");
                self.added(message.place.index, &item, out);
                self.open = Some(Open::Message(message));
            }
        }
        let Some(Open::Message(message)) = &mut self.open else { return };
        let part = Part { is_refusal, ..Part::default() };
        Self::event(&mut self.events, "response.content_part.added", &message.place, out);
        events::number(out, "content_index", message.count);
        events::key(out, "part");
        part.write(out);
        events::close(out);
        message.part = Some(part);
    }

    pub fn close_part(&mut self, out: &mut Vec<u8>) {
        let Some(Open::Message(message)) = &mut self.open else { return };
        let Some(part) = message.part.take() else { return };
        let kind = if part.is_refusal { "response.refusal.done" } else { "response.output_text.done" };
        Self::event(&mut self.events, kind, &message.place, out);
        events::number(out, "content_index", message.count);
        events::text(out, if part.is_refusal { "refusal" } else { "text" }, &part.text);
        if !part.is_refusal {
            out.extend_from_slice(b",\"logprobs\":[");
            out.extend_from_slice(&part.logprobs);
            out.push(b']');
        }
        events::close(out);
        if message.count > 0 {
            message.parts.push(b',');
        }
        let before = message.parts.len();
        part.write(&mut message.parts);
        Self::event(&mut self.events, "response.content_part.done", &message.place, out);
        events::number(out, "content_index", message.count);
        events::raw(out, "part", &message.parts[before..]);
        events::close(out);
        message.count += 1;
    }
}
