//! Chat templates write what Python's Jinja writes: `tests/llamacpp/make_prompts.py` asked it.

use std::fs;
use std::path::{Path, PathBuf};

use hoosh_candle::template::{encode_parts, Part, Template, TemplateError};
use hoosh_candle::text::Tokenizer;
use serde_json::{json, Value};

use crate::tokens::{by_bytes, by_pieces};

pub fn tokenizer() -> Tokenizer {
    Tokenizer::from_gguf(&by_bytes("llama-bpe").file()).unwrap()
}

pub fn template(name: &str) -> Template {
    let source = fs::read_to_string(fixtures().join(format!("templates/{name}.jinja"))).unwrap();
    Template::from_source(Some(source.trim_end_matches('\n')), &tokenizer()).unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[test]
fn prompts_are_those_of_python() {
    let cases: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(fixtures().join("prompts.json")).unwrap()).unwrap();
    let tokenizer = tokenizer();
    for case in &cases {
        let name = case["template"].as_str().unwrap();
        let template = template(name);
        let what = format!("{name}: {}", case["body"]);
        match (template.render(&case["body"]), case["prompt"].as_str()) {
            (Ok(prompt), Some(expected)) => {
                assert_eq!(prompt, expected, "{what}");
                // Nobody forges anything here, so the parts are the whole, in text and in tokens.
                let parts = template.render_parts(&case["body"]).unwrap();
                assert_eq!(parts.iter().map(text_of).collect::<String>(), expected, "{what}");
                assert_eq!(encode_parts(&tokenizer, &parts), tokenizer.encode(expected, true), "{what}");
            }
            (Err(TemplateError::Refused(words)), None) => {
                assert_eq!(words, case["prompt"]["refused"].as_str().unwrap())
            }
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
}

pub fn text_of(part: &Part) -> &str {
    match part {
        Part::Trusted(text) | Part::Text(text) => text,
    }
}

#[test]
fn which_templates_call_tools() {
    for (name, calls) in [
        ("chatml", false),
        ("gemma-2", false),
        ("gemma-3", false),
        ("llama-3.1", true),
        ("mistral-v3", true),
        ("phi-3", false),
        ("qwen2.5", true),
        ("qwen3", true),
    ] {
        assert_eq!(template(name).calls_tools(), calls, "{name}");
    }
}

#[test]
fn without_a_template_the_vocabulary_decides() {
    let body = json!({ "messages": [{ "role": "system", "content": "S" }, { "role": "user", "content": " U " },
        { "role": "assistant", "content": "A" }, { "role": "user", "content": "V" }] });
    let chatml = Template::from_source(None, &tokenizer()).unwrap();
    let expected = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n U <|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(chatml.render(&body).unwrap(), expected);
    assert!(!chatml.calls_tools());
    let bare = crate::gguf::Gguf::new().text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", &["a"]);
    let plain = Template::from_source(None, &Tokenizer::from_gguf(&bare.file()).unwrap()).unwrap();
    assert_eq!(plain.render(&body).unwrap(), "S\n\nUser:  U \nAssistant: A\nUser: V\nAssistant:");
}

#[test]
fn a_system_message_goes_to_the_user_where_the_template_has_no_place_for_it() {
    let of = |messages: Value| template("gemma-2").render(&json!({ "messages": messages })).unwrap();
    let user = |text: &str| json!({ "role": "user", "content": text });
    let system = |text: &str| json!({ "role": "system", "content": text });
    assert_eq!(
        of(json!([system("a"), system("b"), user("c")])),
        "<s><start_of_turn>user\na\n\nb\n\nc<end_of_turn>\n<start_of_turn>model\n"
    );
    assert_eq!(of(json!([system("a")])), "<s><start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\n");
    let developer = json!({ "messages": [{ "role": "developer", "content": "D" }, user("c")] });
    assert!(template("chatml").render(&developer).unwrap().starts_with("<|im_start|>system\nD<|im_end|>"));
}

#[test]
fn tools_that_must_not_be_called_are_not_shown() {
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": {} } });
    let mut body = json!({ "messages": [{ "role": "user", "content": "x" }], "tools": [tool] });
    assert!(template("qwen2.5").render(&body).unwrap().contains("# Tools"));
    body["tool_choice"] = json!("none");
    assert!(!template("qwen2.5").render(&body).unwrap().contains("# Tools"));
    body["tool_choice"] = json!("auto");
    body["tools"] = json!([]);
    assert!(!template("qwen2.5").render(&body).unwrap().contains("# Tools"));
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    for (body, words) in [
        (json!({}), "messages has to be a list"),
        (json!({ "messages": [] }), "messages is empty"),
        (json!({ "messages": ["x"] }), "messages[0] has to be an object"),
        (json!({ "messages": [{ "content": "x" }] }), "messages[0].role has to be a text"),
        (json!({ "messages": [{ "role": "user", "content": 3 }] }), "messages[0].content has to be a text or a list"),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }] }),
            "messages[0].content[0] is of the type image_url, and this model reads text only",
        ),
        (json!({ "messages": [{ "role": "user", "content": [{ "type": "text" }] }] }), "content[0] has no text"),
        (json!({ "messages": [{ "role": "assistant", "tool_calls": 3 }] }), "tool_calls has to be a list"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "tools": 3 }), "tools has to be a list"),
        (
            json!({ "messages": [{ "role": "user", "content": "x" }], "chat_template_kwargs": [] }),
            "has to be an object",
        ),
    ] {
        let error = template("chatml").render(&body).unwrap_err();
        assert!(error.is_callers() && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_template_that_refuses_says_why() {
    let twice = json!({ "role": "user", "content": "x" });
    let error = template("gemma-2").render(&json!({ "messages": [twice, twice] })).unwrap_err();
    assert_eq!(
        error,
        TemplateError::Refused("Conversation roles must alternate user/assistant/user/assistant/...".into())
    );
    assert!(error.to_string().starts_with("the model's chat template does not take these messages: Conversation"));
    let call = json!({ "id": "x", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let call = json!({ "messages": [twice, { "role": "assistant", "content": null, "tool_calls": [call] }] });
    assert!(template("mistral-v3").render(&call).unwrap_err().to_string().contains("length 9"));
}

#[test]
fn variables_of_the_caller_do_not_replace_ours() {
    let body = json!({ "messages": [{ "role": "user", "content": "x" }],
        "chat_template_kwargs": { "messages": [], "add_generation_prompt": false, "bos_token": "<|im_end|>" } });
    assert_eq!(template("phi-3-roles").render(&body).unwrap(), "<s><|user|>\nx<|end|>\n<|assistant|>\n");
}

#[test]
fn arguments_that_are_no_json_stay_text() {
    let call = json!({ "id": "x", "type": "function", "function": { "name": "f", "arguments": "{oh" } });
    let body = json!({ "messages": [{ "role": "user", "content": "x" },
        { "role": "assistant", "tool_calls": [call], "content": null, "name": null }] });
    assert!(template("qwen3").render(&body).unwrap().contains("\"arguments\": {oh}"));
    assert!(template("qwen2.5").render(&body).unwrap().contains("\"arguments\": \"{oh\"}"));
}

#[test]
fn the_token_before_a_prompt_is_there_once() {
    let tokenizer = Tokenizer::from_gguf(&by_pieces(true, "x").file()).unwrap();
    let bos = tokenizer.bos().unwrap();
    for (parts, begins) in [
        (vec![Part::Trusted("<s>".into()), Part::Text("a".into())], true),
        (vec![Part::Text("<s>a".into())], false),
        (vec![], false),
    ] {
        let plain = tokenizer.encode_parts(&parts);
        assert_eq!(plain.first() == Some(&bos), begins);
        let prompt = tokenizer.encode_prompt(&parts);
        assert_eq!(prompt.iter().filter(|&&token| token == bos).count(), 1);
        assert_eq!(prompt[0], bos);
    }
}
