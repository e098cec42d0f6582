//! Conversations and tools against what OpenAI billed for them, and the input bound against the count.

use std::borrow::Cow;

use hoosh_core::tokens::*;
use proptest::prelude::*;

fn text<'a>(role: &'a str, name: Option<&'a str>, text: &'a str) -> MessageText<'a> {
    MessageText { role, name, texts: vec![Cow::Borrowed(text)], ..MessageText::default() }
}

fn exact(tokens: usize) -> MessageCount {
    MessageCount { tokens, estimated: false }
}

/// The conversation of the cookbook's notebook; it prints the API's own `prompt_tokens` beside its counts.
fn cookbook() -> Vec<MessageText<'static>> {
    let (user, assistant) = (Some("example_user"), Some("example_assistant"));
    vec![
        text(
            "system",
            None,
            "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
        ),
        text("system", user, "New synergies will help drive top-line growth."),
        text("system", assistant, "Things working well together will increase revenue."),
        text(
            "system",
            user,
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
        ),
        text("system", assistant, "Let's talk later when we're less busy about how to do better."),
        text("user", None, "This late pivot means we don't have time to boil the ocean for the client deliverable."),
    ]
}

#[test]
fn messages_count_as_openai_billed_them() {
    for (tokens, models) in
        [(129, ["gpt-3.5-turbo", "gpt-4-0613", "gpt-4"]), (124, ["gpt-4o", "gpt-4o-mini", "openai/gpt-4o"])]
    {
        models.iter().for_each(|model| assert_eq!(count_messages(&cookbook(), model), exact(tokens), "{model}"));
    }
    // Six messages of one token more, and four names of two less.
    assert_eq!(count_messages(&cookbook(), "gpt-3.5-turbo-0301"), exact(129 + 6 - 8));
    assert_eq!(count_messages(&[], "gpt-4o"), exact(3));
}

#[test]
fn tools_count_as_openai_billed_them() {
    let property = |name, kind, description, values: &[&'static str]| PropertyText {
        name: Cow::Borrowed(name),
        kind: Cow::Borrowed(kind),
        description: Cow::Borrowed(description),
        values: values.iter().copied().map(Cow::Borrowed).collect(),
    };
    let tools = [ToolText {
        name: "get_current_weather".into(),
        description: "Get the current weather in a given location".into(),
        properties: vec![
            property("location", "string", "The city and state, e.g. San Francisco, CA", &[]),
            property("unit", "string", "The unit of temperature to return", &["celsius", "fahrenheit"]),
        ],
    }];
    let messages = [
        text("system", None, "You are a helpful assistant that can answer to questions about the weather."),
        text("user", None, "What's the weather like in San Francisco?"),
    ];
    for (tokens, model) in [(105, "gpt-3.5-turbo"), (105, "gpt-4"), (101, "gpt-4o"), (101, "gpt-4o-mini")] {
        assert_eq!(count_messages(&messages, model).tokens + count_tools(&tools, model), tokens, "{model}");
    }
    assert_eq!(count_tools(&[], "gpt-4o"), 0);
}

#[test]
fn what_the_recipe_does_not_cover_is_an_estimate() {
    let plain = || text("user", None, "hi");
    let estimated = |message: MessageText<'_>, model: &str| {
        let count = count_messages(&[message], model);
        assert!(count.estimated);
        count.tokens - count_messages(&[plain()], "gpt-4o").tokens
    };
    assert_eq!(estimated(plain(), "llama3"), 0);
    assert_eq!(estimated(plain(), "o3"), 0);
    assert_eq!(estimated(MessageText { texts: vec!["hi".into(), "hi".into()], ..plain() }, "gpt-4o"), 1);
    assert_eq!(estimated(MessageText { role: "tool", ..plain() }, "gpt-4o"), 0);
    let images = |images| MessageText { images, ..plain() };
    assert_eq!(estimated(images(vec![ImageDetail::Low]), "gpt-4o"), 85);
    assert_eq!(estimated(images(vec![ImageDetail::Auto, ImageDetail::High]), "gpt-4o"), 2 * (85 + 8 * 170));
    assert_eq!(estimated(images(vec![ImageDetail::Low]), "gpt-4o-mini"), 2833);
    assert_eq!(estimated(images(vec![ImageDetail::High]), "openai/gpt-5-mini"), 2488);
    let call = ToolCallText { name: "f".into(), arguments: "{}".into() };
    assert_eq!(estimated(MessageText { tool_calls: vec![call], ..plain() }, "gpt-4o"), 5 + 1 + 1);
}

fn words() -> impl Strategy<Value = Cow<'static, str>> {
    "([a-z \n]|\\PC){0,20}".prop_map(Cow::Owned)
}

fn message() -> impl Strategy<Value = MessageText<'static>> {
    let texts = prop::collection::vec(words(), 0..3);
    let call = (words(), words()).prop_map(|(name, arguments)| ToolCallText { name, arguments });
    let role = prop::sample::select(vec!["system", "user", "assistant", "tool", ""]);
    let name = prop::sample::select(vec![None, Some("x"), Some("example_user")]);
    (role, name, texts, prop::collection::vec(call, 0..3)).prop_map(|(role, name, texts, tool_calls)| MessageText {
        role,
        name,
        texts,
        images: vec![],
        tool_calls,
    })
}

fn tool() -> impl Strategy<Value = ToolText<'static>> {
    let property = (words(), words(), words(), prop::collection::vec(words(), 0..3))
        .prop_map(|(name, kind, description, values)| PropertyText { name, kind, description, values });
    (words(), words(), prop::collection::vec(property, 0..3)).prop_map(|(name, description, properties)| ToolText {
        name,
        description,
        properties,
    })
}

/// Bytes of all strings, and parts, as [`input_bound`] wants them.
fn size(messages: &[MessageText<'_>], tools: &[ToolText<'_>]) -> (usize, usize) {
    let (mut bytes, mut parts) = (0, tools.len());
    for message in messages {
        bytes += message.role.len()
            + message.name.map_or(0, str::len)
            + message.texts.iter().map(|text| text.len()).sum::<usize>();
        bytes += message.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        parts += message.tool_calls.len();
    }
    for tool in tools {
        bytes += tool.name.len() + tool.description.len();
        for property in &tool.properties {
            bytes += property.name.len() + property.kind.len() + property.description.len();
            bytes += property.values.iter().map(|value| value.len()).sum::<usize>();
            parts += 1 + property.values.len();
        }
    }
    (bytes, parts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bound_is_never_less_than_the_count(
        messages in prop::collection::vec(message(), 0..4),
        tools in prop::collection::vec(tool(), 0..3),
        model in prop::sample::select(vec!["gpt-4o", "gpt-4", "gpt-3.5-turbo-0301", "llama3"]),
    ) {
        let (bytes, parts) = size(&messages, &tools);
        let counted = count_messages(&messages, model).tokens + count_tools(&tools, model);
        prop_assert!(input_bound(bytes, messages.len(), parts) >= counted as u64);
    }
}

#[test]
fn the_bound_is_near_where_tokens_are_bytes() {
    // Private-use characters have no token of their own: three tokens each.
    let rare = "\u{e123}".repeat(1000);
    let message = text("user", None, &rare);
    let (counted, bound) = (count_messages(&[message], "gpt-4").tokens as u64, input_bound(3004, 1, 0));
    assert!(counted > 3000 && bound >= counted && bound - counted < 30, "{counted} {bound}");
    assert_eq!(input_bound(usize::MAX, usize::MAX, usize::MAX), u64::MAX);
}
