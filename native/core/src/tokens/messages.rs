//! Counting a conversation: the text, and what the model's framing of messages adds.
//!
//! The recipe is OpenAI's, "How to count tokens with tiktoken"
//! (`openai/openai-cookbook:examples/How_to_count_tokens_with_tiktoken.ipynb`, section 6): 3 tokens a message, 1 more
//! for a name, all strings of the message, and 3 for the reply's beginning. It is published for the GPT-3.5 and GPT-4
//! families and for text alone; whatever goes beyond is an estimate and tagged as one.

use std::borrow::Cow;

use super::{count, encoding_for_model, models, Encoding};

/// One message, its strings taken out of the JSON (escapes decoded).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageText<'a> {
    /// `system`, `user`, `assistant`, `tool`, …
    pub role: &'a str,
    /// The `name` field.
    pub name: Option<&'a str>,
    /// The content: one text, or one for each text part. A refusal is a text too.
    pub texts: Vec<Cow<'a, str>>,
    /// One for each image part.
    pub images: Vec<ImageDetail>,
    /// The calls of an assistant's message; also the older `function_call`.
    pub tool_calls: Vec<ToolCallText<'a>>,
}

/// The `detail` of an image part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageDetail {
    /// A fixed small size.
    Low,
    /// In tiles, as many as its size asks for.
    High,
    /// The model decides; counted as `High`.
    #[default]
    Auto,
}

/// A tool call that an assistant made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCallText<'a> {
    /// The function's name.
    pub name: Cow<'a, str>,
    /// Its arguments, JSON text.
    pub arguments: Cow<'a, str>,
}

/// How many tokens, and whether that is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageCount {
    /// Prompt tokens.
    pub tokens: usize,
    /// The published recipe does not cover all of it: tools, images, several parts, or a model outside its families.
    pub estimated: bool,
}

/// Tokens at the beginning of the reply, once a conversation.
const PRIMING: usize = 3;
/// What a tool call adds to its strings. From measurements in <https://community.openai.com/t/538914>: a call and its
/// answer cost 25 tokens, of which 20 are explained by their strings and two messages.
const TOOL_CALL: usize = 5;

/// Tokens of a conversation as `model` is billed for it. An unknown model is counted with o200k_base.
///
/// Estimates: a tool call is its strings and 5 tokens; an image is [`ImageDetail`] at the largest size that the vision
/// guide allows, because its size is not known here. Tool definitions are counted by [`super::count_tools`].
pub fn count_messages(messages: &[MessageText<'_>], model: &str) -> MessageCount {
    let encoding = encoding_for_model(model);
    let mut estimated = encoding.is_none() || !has_published_framing(model);
    let encoding = encoding.unwrap_or(Encoding::O200kBase);
    let model = models::without_provider(model);
    // An early snapshot wrote a name in place of the role; in the notebook's revisions up to 2024.
    let (per_message, name_before_role) = if model == "gpt-3.5-turbo-0301" { (4, true) } else { (3, false) };
    let mut tokens = PRIMING;
    for message in messages {
        tokens += per_message + count(message.role, encoding);
        if let Some(name) = message.name {
            tokens += count(name, encoding);
            tokens = if name_before_role { tokens - 1 } else { tokens + 1 };
        }
        tokens += message.texts.iter().map(|text| count(text, encoding)).sum::<usize>();
        tokens += message.images.iter().map(|detail| image(*detail, model)).sum::<usize>();
        for call in &message.tool_calls {
            tokens += TOOL_CALL + count(&call.name, encoding) + count(&call.arguments, encoding);
        }
        let plain = message.texts.len() < 2 && message.images.is_empty() && message.tool_calls.is_empty();
        estimated |= !plain || matches!(message.role, "tool" | "function");
    }
    MessageCount { tokens, estimated }
}

/// The families that the recipe names, by the notebook's own test.
fn has_published_framing(model: &str) -> bool {
    model.contains("gpt-3.5-turbo") || model.contains("gpt-4")
}

/// An image's tokens by the guide "Images and vision" (<https://platform.openai.com/docs/guides/images-vision>). Either a
/// base, and for high detail so much for each 512-pixel tile after scaling to 2048 × 768, so 8 tiles at most; or, for the
/// small models, a factor for each of at most 1,536 patches.
fn image(detail: ImageDetail, model: &str) -> usize {
    const MOST_TILES: usize = 8;
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| model.starts_with(prefix));
    let (base, tile) = match () {
        _ if begins(&["gpt-4.1-nano", "gpt-5-nano"]) => return 1536 * 246 / 100,
        _ if begins(&["gpt-4.1-mini", "gpt-5-mini"]) => return 1536 * 162 / 100,
        _ if begins(&["o4-mini"]) => return 1536 * 172 / 100,
        _ if begins(&["gpt-4o-mini"]) => (2833, 5667),
        _ if begins(&["gpt-5"]) => (70, 140),
        _ if begins(&["o1", "o3"]) => (75, 150),
        _ => (85, 170),
    };
    match detail {
        ImageDetail::Low => base,
        ImageDetail::High | ImageDetail::Auto => base + MOST_TILES * tile,
    }
}

/// Never less than what [`count_messages`] and [`super::count_tools`] give for the same request without images, at the
/// price of an addition: a byte-level BPE makes at most one token of a byte.
///
/// - `text_bytes`: bytes of all strings: roles, names, texts, tool calls, tool definitions. The request's JSON body will
///   do: no string has fewer bytes there.
/// - `messages`: how many messages.
/// - `parts`: how many other things with framing of their own: tool calls, tools, their properties, and enum values. Any
///   number that is not smaller will do, such as that of all JSON objects and array elements.
///
/// The constants are those of the recipes, rounded up: 5 a message (4 and a name), 14 a part (a tool's own), and 15 a
/// conversation (the reply's beginning and the end of the tool list). Images have no bound in bytes; who admits them
/// adds what they may cost.
pub fn input_bound(text_bytes: usize, messages: usize, parts: usize) -> u64 {
    const PER_MESSAGE: u64 = 5;
    const PER_PART: u64 = 14;
    const PER_CONVERSATION: u64 = 15;
    (text_bytes as u64)
        .saturating_add((messages as u64).saturating_mul(PER_MESSAGE))
        .saturating_add((parts as u64).saturating_mul(PER_PART))
        .saturating_add(PER_CONVERSATION)
}
