//! Requests and answers that pass as they are: what policy reads of them, and nothing else.

use bytes::Bytes;

use super::answer::{error_message, tokens};
use super::fields::Fields;
use super::request::{json_failure, Facts, Unbounded, FRAMING_BOUND, MAX_FIELDS};
use crate::dialects::passed::{Names, Passed, Service};
use crate::error::{Code, Failure};
use crate::json::{self, Index, Kind, Limits, Outline, Value};
use crate::ledger::{Usage, UsageSource};

/// Audio costs at most a token for so many bytes. OpenAI bills 10 tokens for a second of it
/// (gpt-4o-transcribe), and no format that it takes spends less than 1.3 kbit on a second of speech.
const AUDIO_BYTES_PER_TOKEN: u64 = 16;
/// What 16 pictures, the most that OpenAI takes, and 32,000 characters of prompt can cost at most, rounded up: it bills
/// at most 6,240 tokens for one (gpt-image-1, high fidelity).
const MAX_IMAGE_TOKENS: u64 = 131_072;
/// What the smallest pictures cost beyond their bytes.
const SMALL_IMAGE_TOKENS: u64 = 8_192;

/// A request without a body, or one whose body nobody reads.
pub fn unread(model: String) -> Facts {
    Facts {
        body: Bytes::new(),
        index: Index::default(),
        model,
        stream: false,
        include_usage: false,
        output_cap: None,
        answers: 1,
        choices: 1,
        input_bound: 0,
        unbounded: None,
        budget: None,
        deterministic: false,
        key: None,
        digest: None,
        source: None,
        images: false,
        audio: false,
    }
}

/// Reads a JSON body. Its fields are the provider's to judge, but for those that policy needs.
pub fn read(body: Bytes, passed: Passed) -> Result<Facts, Failure> {
    let mut outline = Outline::default();
    let mut index = Index::default();
    outline.scan(&mut index, &body, json::Limits::default()).map_err(|error| json_failure(&error))?;
    if index.len() > MAX_FIELDS {
        let words = format!("The body has more than {MAX_FIELDS} fields at its top level.");
        return Err(Failure::new(Code::InvalidJson, words));
    }
    let fields = Fields::of(&body, &index, &outline);
    let model = match (passed.names(), fields.model.value) {
        (Names::MaybeModel, None) => String::new(),
        _ => fields.model()?,
    };
    let stream = fields.stream.boolean()?.unwrap_or(false);
    let choices = match passed.service() {
        Service::Images => fields.n.integer(1, 128)?.unwrap_or(1),
        _ => 1,
    };
    let budget = fields.budget()?;
    // To fetch a model costs no tokens.
    let costs = passed.service() != Service::ModelFiles;
    let input_bound = if costs { body.len() as u64 + FRAMING_BOUND } else { 0 };
    Ok(Facts { stream, choices, budget, input_bound, ..unread(model) }.with_body(body, index))
}

impl Facts {
    fn with_body(self, body: Bytes, index: Index) -> Facts {
        Facts { body, index, ..self }
    }
}

/// Never less than the input tokens of an upload of `length` bytes. Files cost none.
pub fn upload_bound(service: Service, length: Option<u64>) -> Result<u64, Unbounded> {
    if service == Service::Files {
        return Ok(0);
    }
    let Some(length) = length else {
        return Err(Unbounded { param: "content-length", what: "an upload of unknown length" });
    };
    Ok(match service {
        Service::Images => (length + SMALL_IMAGE_TOKENS).min(MAX_IMAGE_TOKENS),
        _ => length.div_ceil(AUDIO_BYTES_PER_TOKEN) + FRAMING_BOUND,
    })
}

/// What a JSON answer of 2xx, or one event of a stream, is.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// Anything but an error, with the tokens used, if it names them.
    Fine(Option<Usage>),
    /// An error in spite of the status, with its words.
    Error(String),
    /// Not JSON.
    Malformed,
}

/// Reads an answer.
pub fn said(body: &[u8]) -> Said {
    let mut outline = Outline::default();
    let mut index = Index::default();
    if outline.scan(&mut index, body, Limits::default()).is_err() {
        // An array is an answer too: some rerankers give one.
        let is_array = body.trim_ascii_start().first() == Some(&b'[');
        return if is_array && json::validate(body, Limits::default()).is_ok() {
            Said::Fine(None)
        } else {
            Said::Malformed
        };
    }
    let field = |name| outline.get(&index, body, name);
    if let Some(error) = field("error").filter(|error| matches!(error.kind(), Kind::Object | Kind::String)) {
        return Said::Error(error_message(error));
    }
    if field("type").is_some_and(|kind| kind.str_eq("error")) {
        return Said::Error(field("message").map(error_message).unwrap_or_default());
    }
    Said::Fine(field("usage").and_then(read_usage))
}

/// `usage` in any of the spellings that these endpoints have. `None` if it names no tokens (a duration, say).
pub fn read_usage(usage: Value<'_>) -> Option<Usage> {
    if usage.kind() != Kind::Object {
        return None;
    }
    let (mut input, mut output, mut total) = (None, None, None);
    for (key, value) in usage.fields() {
        if key.str_eq("input_tokens") || key.str_eq("prompt_tokens") {
            input = tokens(value);
        } else if key.str_eq("output_tokens") || key.str_eq("completion_tokens") {
            output = tokens(value);
        } else if key.str_eq("total_tokens") {
            total = tokens(value);
        }
    }
    let (input, output) = match (input, output, total) {
        (None, None, None) => return None,
        (Some(input), Some(output), _) => (input, output),
        (Some(input), None, total) => (input, total.unwrap_or(input).saturating_sub(input)),
        (None, Some(output), total) => (total.unwrap_or(output).saturating_sub(output), output),
        (None, None, Some(total)) => (total, 0),
    };
    let usage = Usage { input_tokens: input, output_tokens: output, source: UsageSource::Reported, ..Usage::default() };
    // Work cannot have cost nothing.
    (usage.total() > 0).then_some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &str) -> Option<(u64, u64)> {
        match said(text.as_bytes()) {
            Said::Fine(usage) => usage.map(|usage| (usage.input_tokens, usage.output_tokens)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn usage_has_many_spellings() {
        assert_eq!(used(r#"{"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}"#), Some((3, 4)));
        assert_eq!(used(r#"{"usage":{"prompt_tokens":3,"total_tokens":5}}"#), Some((3, 2)));
        assert_eq!(used(r#"{"usage":{"total_tokens":5}}"#), Some((5, 0)));
        assert_eq!(used(r#"{"usage":{"type":"duration","seconds":9}}"#), None);
        assert_eq!(used(r#"{"usage":{"total_tokens":0}}"#), None);
        assert_eq!(used(r#"{"usage":null,"error":null}"#), None);
        assert_eq!(used("[{\"index\":0}]"), None);
    }

    #[test]
    fn an_error_is_one_in_spite_of_its_status() {
        assert_eq!(said(br#"{"error":{"message":"no"}}"#), Said::Error("no".into()));
        assert_eq!(said(br#"{"type":"error","message":"no"}"#), Said::Error("no".into()));
        assert_eq!(said(b"<html>"), Said::Malformed);
        assert_eq!(said(b"[1"), Said::Malformed);
    }

    #[test]
    fn a_model_is_needed_where_the_provider_has_no_default() {
        let read = |body: &'static str, passed| read(Bytes::from_static(body.as_bytes()), passed);
        assert_eq!(read("{\"input\":\"x\"}", Passed::Moderations).unwrap().model, "");
        assert_eq!(read("{\"query\":\"x\"}", Passed::Rerank).unwrap_err().code, Code::MissingField);
        assert_eq!(read("{\"model\":7}", Passed::Moderations).unwrap_err().code, Code::InvalidValue);
        assert_eq!(read("{\"model\":\"m\",\"n\":3,\"prompt\":\"\"}", Passed::ImageGenerations).unwrap().choices, 3);
    }

    #[test]
    fn an_upload_is_bounded_by_its_length() {
        assert_eq!(upload_bound(Service::Files, None), Ok(0));
        assert_eq!(upload_bound(Service::Transcriptions, Some(1_600)), Ok(108));
        assert_eq!(upload_bound(Service::Images, Some(1_000)), Ok(9_192));
        assert_eq!(upload_bound(Service::Images, Some(1 << 30)), Ok(MAX_IMAGE_TOKENS));
        assert_eq!(upload_bound(Service::Images, None).unwrap_err().param, "content-length");
    }
}
