//! Counts a request and an answer where the upstream did not say. Runs as a job: the first use of a vocabulary loads it.

use std::borrow::Cow;

use super::request::Facts;
use super::words::BETWEEN;
use crate::dialects::neutral::Endpoint;
use crate::json::{Kind, Value};
use crate::ledger::{Usage, UsageSource};
use crate::tokens::{self, Encoding, ImageDetail, MessageText, ToolCallText};

/// What a request needs for counting after its exchange moved on.
#[derive(Debug)]
pub struct Question {
    endpoint: Endpoint,
    model: String,
    body: bytes::Bytes,
    index: crate::json::Index,
}

impl Question {
    /// The question of `facts`.
    pub fn of(facts: &Facts, endpoint: Endpoint) -> Question {
        Question { endpoint, model: facts.model.clone(), body: facts.body.clone(), index: facts.index.clone() }
    }

    /// Input tokens, and output tokens of `text` plus one for each of `beyond` bytes that were not kept.
    pub fn usage(&self, text: &[u8], beyond: u64) -> Usage {
        let choices = text.split(|byte| *byte == BETWEEN);
        let output: usize = choices.map(|words| tokens::count(&String::from_utf8_lossy(words), self.encoding())).sum();
        Usage {
            input_tokens: self.count().tokens,
            output_tokens: (output as u64).saturating_add(beyond),
            source: UsageSource::Counted,
            ..Usage::default()
        }
    }

    /// Never less than the input tokens, images apart: the texts by their tokens, and all the rest of the body by its
    /// bytes, of which a byte-level BPE makes at most one token each. So a field that is not known here is bounded too.
    pub fn bound(&self) -> u64 {
        let counted = self.count();
        let rest = (self.body.len() as u64).saturating_sub(counted.bytes);
        counted.tokens.saturating_add(rest).saturating_add(64)
    }

    /// Input tokens as far as they can be counted; of several prompts or inputs those of the longest, because each has a
    /// model's context to itself.
    pub fn longest_input(&self) -> u64 {
        let name = match self.endpoint {
            Endpoint::Chat => return self.count().tokens,
            Endpoint::Completions => "prompt",
            Endpoint::Embeddings => "input",
        };
        let Some(input) = self.index.get(&self.body, name) else { return 0 };
        let is_list = input.kind() == Kind::Array && input.elements().next().is_some_and(|e| e.kind() != Kind::Number);
        let count = |value: Value<'_>| {
            let mut counted = Counted { encoding: self.encoding(), tokens: 0, bytes: 0 };
            counted.add(value);
            counted.tokens
        };
        if is_list {
            input.elements().map(count).max().unwrap_or(0)
        } else {
            count(input)
        }
    }

    fn encoding(&self) -> Encoding {
        tokens::encoding_for_model(&self.model).unwrap_or(Encoding::O200kBase)
    }

    fn count(&self) -> Counted {
        let mut counted = Counted { encoding: self.encoding(), tokens: 0, bytes: 0 };
        let field = |name| self.index.get(&self.body, name);
        match self.endpoint {
            Endpoint::Chat => {
                let messages = field("messages").into_iter().flat_map(|messages| messages.elements());
                let messages: Vec<_> = messages.map(|message| counted.message(message)).collect();
                counted.tokens += tokens::count_messages(&messages, &self.model).tokens as u64;
                ["tools", "functions", "response_format"].into_iter().filter_map(field).for_each(|it| counted.add(it));
            }
            Endpoint::Completions => field("prompt").into_iter().for_each(|prompt| counted.add(prompt)),
            // The others are of requests that pass as they are, and whose text is all that they cost.
            Endpoint::Embeddings => {
                ["input", "query", "documents"].into_iter().filter_map(field).for_each(|text| counted.add(text));
            }
        }
        counted
    }
}

/// Tokens, and the bytes of the body that they are of.
struct Counted {
    encoding: Encoding,
    tokens: u64,
    bytes: u64,
}

impl Counted {
    /// Texts by their tokens; a number in an array is a token already; an object is the text of its JSON.
    fn add(&mut self, value: Value<'_>) {
        let tokens = match value.kind() {
            Kind::Array => return value.elements().for_each(|element| self.add(element)),
            Kind::String => tokens::count(&value.as_str().unwrap_or_default(), self.encoding) as u64,
            Kind::Object => tokens::count(&String::from_utf8_lossy(value.raw()), self.encoding) as u64,
            Kind::Number => 1,
            _ => 0,
        };
        self.tokens += tokens;
        self.bytes += value.raw().len() as u64;
    }

    /// A string whose tokens `count_messages` will count.
    fn text<'a>(&mut self, value: Option<Value<'a>>) -> Option<Cow<'a, str>> {
        let value = value?;
        let text = value.as_str()?;
        self.bytes += value.raw().len() as u64;
        Some(text)
    }

    fn plain<'a>(&mut self, value: Option<Value<'a>>) -> Option<&'a str> {
        match value.and_then(|value| value.as_str()) {
            Some(Cow::Borrowed(text)) => {
                self.bytes += text.len() as u64;
                Some(text)
            }
            _ => None,
        }
    }

    fn message<'a>(&mut self, message: Value<'a>) -> MessageText<'a> {
        let role = self.plain(message.get("role")).unwrap_or("user");
        let mut out = MessageText { role, name: self.plain(message.get("name")), ..Default::default() };
        match message.get("content") {
            Some(content) if content.kind() == Kind::Array => {
                for part in content.elements().filter(|part| part.kind() == Kind::Object) {
                    let text = self.text(part.get("text")).or_else(|| self.text(part.get("refusal")));
                    match text {
                        Some(text) => out.texts.push(text),
                        None => out.images.extend(part.get("image_url").map(|_| ImageDetail::Auto)),
                    }
                }
            }
            content => out.texts.extend(self.text(content)),
        }
        for name in ["refusal", "reasoning_content"] {
            out.texts.extend(self.text(message.get(name)));
        }
        let calls = message.get("tool_calls").into_iter().flat_map(|calls| calls.elements());
        let functions = calls.filter(|call| call.kind() == Kind::Object).filter_map(|call| call.get("function"));
        for function in functions.chain(message.get("function_call")).filter(|f| f.kind() == Kind::Object) {
            let name = self.text(function.get("name")).unwrap_or_default();
            let arguments = self.text(function.get("arguments")).unwrap_or_default();
            out.tool_calls.push(ToolCallText { name, arguments });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::openai::request;
    use proptest::prelude::*;

    fn bound(body: &str) -> u64 {
        let facts = request::read(body.to_owned().into(), Endpoint::Chat, None).unwrap();
        Question::of(&facts, Endpoint::Chat).bound()
    }

    fn chat(content: &str, more: &str) -> String {
        format!("{{\"model\":\"gpt-4o\",\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]{more}}}")
    }

    #[test]
    fn text_counts_by_its_tokens() {
        let words = "why is the sky blue ".repeat(1_000);
        let bound = bound(&chat(&format!("\"{words}\""), ""));
        assert!((5_000..5_300).contains(&bound), "{bound}");
    }

    #[test]
    fn what_is_not_counted_is_bounded_by_its_bytes() {
        let plain = bound(&chat("\"Hi\"", ""));
        let zalgo: String = std::iter::repeat_n("\u{334}\u{fe0f}Z", 400).collect();
        let tokens = tokens::count(&zalgo, Encoding::O200kBase) as u64;
        for (content, more) in [
            ("\"Hi\"", format!(",\"functions\":[{{\"name\":\"f\",\"description\":\"{zalgo}\"}}]")),
            ("\"Hi\"", format!(",\"response_format\":{{\"type\":\"json_schema\",\"x\":\"{zalgo}\"}}")),
            ("\"Hi\"", format!(",\"of_tomorrow\":{{\"x\":\"{zalgo}\"}}")),
            (&format!("[{{\"type\":\"refusal\",\"refusal\":\"{zalgo}\"}}]"), String::new()),
            (&format!("[{{\"type\":\"text\",\"text\":\"\",\"hidden\":\"{zalgo}\"}}]"), String::new()),
            (&format!("\"Hi\",\"reasoning_content\":\"{zalgo}\""), String::new()),
            (&format!("null,\"function_call\":{{\"name\":\"f\",\"arguments\":\"{zalgo}\"}}"), String::new()),
        ] {
            assert!(bound(&chat(content, &more)) >= plain + tokens - 20, "{content} {more}");
        }
    }

    proptest! {
        #[test]
        fn the_bound_never_passes_that_of_the_bytes_by_more_than_its_margin(text in ".{0,200}", more in ".{0,50}") {
            let quote = |text: &str| {
                let mut out = Vec::new();
                crate::json::write_string(&mut out, text);
                String::from_utf8(out).unwrap()
            };
            let body = chat(&quote(&text), &format!(",\"x\":{}", quote(&more)));
            prop_assert!(bound(&body) <= body.len() as u64 + 128);
            prop_assert!(bound(&body) >= tokens::count(&text, Encoding::O200kBase) as u64 + more.len() as u64);
        }
    }
}
