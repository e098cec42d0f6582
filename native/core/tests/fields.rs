//! docs/fields.md: what becomes of each field between two dialects, from the tables that the translators read by and from
//! what they do with each member of the neutral request. `UPDATE_FIELDS=1` writes it.

use std::collections::BTreeMap;
use std::fmt::Write;

use hoosh_core::dialects::neutral::Endpoint;
use hoosh_core::dialects::{anthropic, gemini, ollama, openai, responses, Change, Dialect, Loss, To};
use serde_json::{json, Value};

type Row = (&'static str, &'static str, &'static str);

const BEGINNING: &str = "# Fields

What becomes of each field of a request where caller and provider speak [different dialects](dialects.md). This page is made by
`make fields` from the tables by which the translators read, and from what they do; `make test` compares.

## From a caller

Where there is no neutral member the field is dropped and reported, unless the note says otherwise.
";

#[test]
fn the_page_is_what_the_translators_do() {
    let made = page();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
    if std::env::var_os("UPDATE_FIELDS").is_some() {
        std::fs::write(&path, made).expect("docs/fields.md");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/fields.md is out of date: make fields");
}

fn page() -> String {
    let mut out = BEGINNING.to_owned();
    let blocks: Vec<(String, String)> =
        anthropic::BLOCK_FIELDS.iter().map(|(kind, fields)| ((*kind).to_owned(), fields.join("`, `"))).collect();
    for &(title, rows) in Dialect::ALL.into_iter().flat_map(tables) {
        table(title, rows, &mut out);
        if title == "Anthropic" {
            out.push_str("\nBlocks of content and their fields that are carried; others are dropped and reported:\n\n| Block | Fields |\n| --- | --- |\n");
            for (kind, fields) in &blocks {
                let _ = writeln!(out, "| `{kind}` | `{fields}` |");
            }
        }
    }
    out.push_str(
        "\n## To a provider\n\nWhat the translators do with each member of the neutral request, each asked for alone of a model that nothing is known of:\n\n",
    );
    let _ = writeln!(out, "| Member | {} |", Dialect::NAMES.join(" | "));
    let _ = writeln!(out, "| --- |{}", " --- |".repeat(Dialect::ALL.len()));
    for (name, request) in members() {
        let told: Vec<String> = Dialect::ALL.iter().map(|dialect| became(*dialect, name, &request)).collect();
        let _ = writeln!(out, "| `{name}` | {} |", told.join(" | "));
    }
    out
}

/// A dialect's fields.
fn tables(dialect: Dialect) -> &'static [(&'static str, &'static [Row])] {
    match dialect {
        Dialect::OpenAiChat => &[
            ("OpenAI chat, completions and embeddings", openai::REQUEST_FIELDS),
            ("OpenAI chat: messages", openai::MESSAGE_FIELDS),
        ],
        Dialect::OpenAiResponses => &[("OpenAI Responses", responses::REQUEST_FIELDS)],
        Dialect::Anthropic => &[("Anthropic", anthropic::REQUEST_FIELDS)],
        Dialect::Gemini => &[
            ("Gemini", gemini::REQUEST_FIELDS),
            ("Gemini: generationConfig", gemini::CONFIG_FIELDS),
            ("Gemini: embeddings", gemini::EMBED_FIELDS),
        ],
        Dialect::Ollama => &[("Ollama", ollama::REQUEST_FIELDS)],
    }
}

/// Where the fields of a table are in a body.
fn under(title: &str) -> &'static str {
    match title {
        "OpenAI chat: messages" => "messages[].",
        "Gemini: generationConfig" => "generationConfig.",
        _ => "",
    }
}

#[test]
fn each_caller_reads_of_a_loss_in_its_own_words() {
    for (dialect, (title, rows)) in
        Dialect::ALL.into_iter().flat_map(|it| tables(it).iter().map(move |table| (it, table)))
    {
        // Members of messages are named by the neutral request in the same place.
        let (own_under, neutral_under) = (under(title), if under(title) == "messages[]." { "messages[]." } else { "" });
        for (field, neutral, _) in rows.iter().filter(|(_, neutral, _)| !neutral.is_empty()) {
            let (mut written, mut told) = (Loss::default(), Loss::default());
            written.add(Change::Dropped, format!("{neutral_under}{neutral}"), "");
            let name = field.rsplit('.').next().unwrap();
            let body = format!("{{\"{name}\":1}}");
            told.join_spelled(&written, dialect.protocol().places(), body.as_bytes());
            let place = told.fields()[0].field.strip_prefix(own_under).unwrap_or_else(|| panic!("{title}: {field}"));
            let mut same = rows.iter().filter(|(_, other, _)| other == neutral).map(|(field, ..)| *field);
            let is_of =
                |field: &str| place.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            assert!(same.any(is_of), "{title}: a loss of `{field}` is told as `{place}`");
        }
    }
}

fn table(title: &str, rows: &[Row], out: &mut String) {
    let _ = writeln!(out, "\n### {title}\n\n| Field | Neutral | |\n| --- | --- | --- |");
    for (field, neutral, note) in rows {
        let neutral = if neutral.is_empty() { String::new() } else { format!("`{neutral}`") };
        let _ = writeln!(out, "| `{field}` | {neutral} | {note} |");
    }
}

/// What an upstream of `dialect` gets of `request` beyond what it gets of one without the member.
fn became(dialect: Dialect, name: &str, request: &Value) -> String {
    let to = To { endpoint: Endpoint::Chat, model: "m", stream: false, cap: None, version: "2023-06-01" };
    let write = |request: &Value| {
        let mut loss = Loss::default();
        let body = dialect.protocol().write_request(&to, request.to_string().as_bytes(), &mut loss);
        body.map(|_| loss)
    };
    let Ok(loss) = write(request) else { return "refused".to_owned() };
    let usual = write(&plain()).expect("a plain request");
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for lost in loss.fields().iter().filter(|lost| name == "max_tokens" || !usual.fields().contains(lost)) {
        told.entry(lost.change.as_str()).or_default().push(lost.note);
    }
    let told: Vec<String> = told.iter().map(|(change, notes)| format!("{change}: {}", notes.join("; "))).collect();
    if told.is_empty() {
        "carried".to_owned()
    } else {
        told.join(". ")
    }
}

fn plain() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
}

/// Each member, in a request of its own.
fn members() -> Vec<(&'static str, Value)> {
    let with = |name: &'static str, value: Value| {
        let mut request = plain();
        request[name] = value;
        (name, request)
    };
    let said = |name: &'static str, content: Value| {
        (name, json!({"model": "m", "messages": [{"role": "user", "content": content}]}))
    };
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let turns = |assistant: Value, result: Value| json!({"model": "m", "messages": [{"role": "user", "content": "hi"}, assistant, result, {"role": "user", "content": "and?"}]});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "r"});
    let calls = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let mut failed = result.clone();
    failed["is_error"] = json!(true);
    let mut thoughtful = calls.clone();
    thoughtful["reasoning_content"] = json!("hm");
    let mut pictured = result.clone();
    pictured["content"] = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]);
    let function = |more: Value| {
        let mut function =
            json!({"name": "f", "parameters": {"type": "object", "properties": {}, "additionalProperties": false}});
        function.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!([{"type": "function", "function": function}])
    };
    let with_tool = |name: &'static str, value: Value| {
        let (_, mut request) = with(name, value);
        request["tools"] = function(json!({}));
        (name, request)
    };
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"], "additionalProperties": false});
    let mut all = vec![
        with("max_tokens", json!(50_000)),
        with("temperature", json!(1.5)),
        with("top_p", json!(0.5)),
        with("top_k", json!(3)),
        with("min_p", json!(0.1)),
        with("n", json!(2)),
        with("seed", json!(7)),
        with("stop", json!(["1", "2", "3", "4", "5", "6"])),
        with("presence_penalty", json!(0.5)),
        with("frequency_penalty", json!(0.5)),
        with("logit_bias", json!({"5": -100})),
        with("logprobs", json!(true)),
        with("reasoning_effort", json!("high")),
        with("thinking", json!({"type": "enabled", "budget_tokens": 2048})),
        with("response_format", json!({"type": "json_object"})),
        with("user", json!("u")),
        with("safety_identifier", json!("u")),
        with("metadata", json!({"a": "b"})),
        with("service_tier", json!("flex")),
        with("store", json!(true)),
        with("prompt_cache_key", json!("k")),
        with("verbosity", json!("low")),
        with("modalities", json!(["text", "audio"])),
        with("safety_settings", json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}])),
    ];
    all.push(("response_format.json_schema", {
        let mut request = plain();
        request["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
        request
    }));
    let tools = |name: &'static str, tools: Value| {
        let (_, request) = with("tools", tools);
        (name, request)
    };
    let mut marked = function(json!({}));
    marked[0]["cache_control"] = json!({"type": "ephemeral"});
    all.extend([
        tools("tools", function(json!({}))),
        tools("tools[].function.strict", function(json!({"strict": true}))),
        tools("tools[].custom", json!([{"type": "custom", "custom": {"name": "c"}}])),
        tools("tools[].cache_control", marked),
        with_tool("tool_choice", json!("required")),
        with_tool("parallel_tool_calls", json!(false)),
    ]);
    all.extend([
        said("messages[].content[].image_url (data)", json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}])),
        said("messages[].content[].image_url (address)", json!([{"type": "image_url", "image_url": {"url": "https://a.example/1.png"}}])),
        said("messages[].content[].file", json!([{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}}])),
        said("messages[].content[].input_audio", json!([{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}])),
        said("messages[].content[].cache_control", json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}])),
        ("messages[].name", json!({"model": "m", "messages": [{"role": "user", "name": "anna", "content": "hi"}]})),
        ("messages[].role (a later system's)", json!({"model": "m", "messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "Be short."}, {"role": "user", "content": "and?"}]})),
        ("messages[].tool_calls, tool results", turns(calls.clone(), result.clone())),
        ("messages[].is_error", turns(calls.clone(), failed)),
        ("messages[].content[] of a tool's result (a picture)", turns(calls, pictured)),
        ("messages[].reasoning_content", turns(thoughtful, result)),
    ]);
    all
}
