//! What answers can be held to, token by token.

use std::ops::Range;

use hoosh_candle::constrain::{Calls, Form, Forms, Function, Held, Text};
use hoosh_candle::sample::Constraint;
use hoosh_candle::text::Tokenizer;
use serde_json::{json, Value};

use crate::gguf::Gguf;

const END: u32 = 2;
const BYTES: Range<u32> = 3..259;

/// Tokens of several bytes, among them such that go beyond a tag.
const WORDS: [&str; 6] = ["<tool_call>", "call>\n{\"name\"", "call>!", "{\"", "</s>", "</tool_call>"];

/// All bytes as tokens, a few words, and `</s>` as the end.
fn tokenizer() -> Tokenizer {
    let named = ["<unk>", "<s>", "</s>"].map(str::to_owned);
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let words = WORDS.iter().filter(|word| **word != "</s>").map(|word| word.to_string());
    let tokens: Vec<String> = named.into_iter().chain(bytes).chain(words).collect();
    let kinds: Vec<i32> = [2, 3, 3].into_iter().chain([6; 256]).chain([1; WORDS.len() - 1]).collect();
    let scores = vec![0.0; tokens.len()];
    let gguf = Gguf::new()
        .text("general.architecture", "llama")
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &scores);
    Tokenizer::from_gguf(&gguf.file()).unwrap()
}

/// An answer in the making.
struct Answer {
    held: Held,
    tokenizer: Tokenizer,
    complete: bool,
}

impl Answer {
    fn to(form: &Form) -> Answer {
        let tokenizer = tokenizer();
        let held = Forms::default().compile(form, &tokenizer).unwrap();
        Answer { held, tokenizer, complete: false }
    }

    fn json(schema: Value) -> Answer {
        Answer::to(&Form { text: Text::Json(schema), calls: None })
    }

    fn allows(&mut self, token: u32) -> bool {
        let mut logits = vec![0.0; self.tokenizer.len() + 5];
        self.held.mask(&mut logits).unwrap();
        assert!(logits[self.tokenizer.len()..].iter().all(|logit| *logit == f32::NEG_INFINITY), "no tokens");
        logits[token as usize] == 0.0
    }

    fn word(&self, word: &str) -> u32 {
        let is = |token: &u32| self.tokenizer.piece(*token) == word.as_bytes() && !BYTES.contains(token);
        (0..self.tokenizer.len() as u32).find(is).unwrap()
    }

    fn take(&mut self, token: u32) {
        self.complete = self.held.accept(token).unwrap();
    }

    /// Says `text`, byte by byte, as far as that is allowed, and gives what is not.
    fn say<'a>(&mut self, text: &'a str) -> &'a [u8] {
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let token = BYTES.start + u32::from(*byte);
            if self.complete || !self.allows(token) {
                return &bytes[at..];
            }
            self.take(token);
        }
        &[]
    }

    /// Whether it may end here.
    fn ends(&mut self) -> bool {
        self.complete || self.allows(END)
    }
}

/// Whether `text` is a whole answer.
fn is_whole(form: &Form, text: &str) -> bool {
    let mut answer = Answer::to(form);
    answer.say(text).is_empty() && answer.ends()
}

fn function(name: &str, parameters: Value) -> Function {
    Function { name: name.into(), parameters: Some(parameters), strict: true }
}

/// Of two functions, one of which takes a number.
fn calls(text: Text, several: bool) -> Form {
    let number = json!({ "$ref": "#/$defs/number", "$defs": { "number": {
        "type": "object", "properties": { "x": { "type": "integer" } }, "required": ["x"], "additionalProperties": false,
    } } });
    let functions = vec![function("f", number), function("g-2", json!({ "type": "object", "maxProperties": 0 }))];
    Form { text, calls: Some(Calls { functions, several }) }
}

const CALL: &str = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 12}}\n</tool_call>";
const OTHER: &str = "<tool_call>\n{\"name\": \"g-2\", \"arguments\": {}}\n</tool_call>";

#[test]
fn an_answer_ends_where_its_schema_lets_it() {
    let mut answer =
        Answer::json(json!({ "type": "object", "properties": { "x": { "type": "integer" } }, "required": ["x"] }));
    assert!(!answer.ends());
    assert_eq!(answer.say("{\"x\":1"), b"");
    assert!(!answer.ends() && !answer.complete);
    assert_eq!(answer.say("a"), b"a", "no digit");
    assert_eq!(answer.say("2}"), b"");
    assert!(answer.complete, "nothing can follow");
    // A number that may go on is complete only when the model says so.
    let mut number = Answer::json(json!({ "type": "integer" }));
    assert_eq!(number.say("12"), b"");
    assert!(number.ends() && !number.complete);
    number.take(END);
    assert!(number.complete);
}

#[test]
fn the_token_that_ends_answers_is_no_text() {
    let mut answer = Answer::json(json!({ "type": "string" }));
    assert_eq!(answer.say("\"a"), b"");
    assert!(!answer.allows(END) && answer.allows(BYTES.start + u32::from(b'<')));
    assert_eq!(answer.say("</s>\""), b"");
    assert!(answer.complete);
}

#[test]
fn white_space_has_bounds() {
    let mut answer = Answer::json(json!({ "type": "object" }));
    assert_eq!(answer.say(" {"), b" {", "not before it");
    assert_eq!(answer.say(&format!("{{\n{}", " ".repeat(21))), b" ");
    assert_eq!(answer.say("\"a\":  1"), b" 1");
}

#[test]
fn bytes_that_are_no_text_are_not_said() {
    let mut answer = Answer::json(json!({ "type": "string" }));
    assert_eq!(answer.say("\""), b"");
    assert!(!answer.allows(BYTES.start + 0xff) && !answer.allows(BYTES.start + 0x80));
    answer.take(BYTES.start + 0xc3);
    assert!(!answer.allows(BYTES.start + u32::from(b'"')), "in the middle of a character");
}

#[test]
fn calls_that_have_to_be_made_are_made() {
    let form = calls(Text::Never, true);
    assert!(is_whole(&form, CALL) && is_whole(&form, OTHER) && is_whole(&form, &format!("{CALL}\n{OTHER}\n{CALL}")));
    for text in ["", "hello", "{\"x\":1}", &CALL.replace("12", "\"a\""), &CALL.replace("\"f\"", "\"h\""), &CALL[..30]] {
        assert!(!is_whole(&form, text), "{text}");
    }
    let single = calls(Text::Never, false);
    assert!(is_whole(&single, OTHER) && !is_whole(&single, &format!("{OTHER}\n{OTHER}")));
}

#[test]
fn free_text_is_free_until_a_call_opens() {
    let form = calls(Text::Free, true);
    let texts = ["", "a < b {\"x\": <tool_cal <tool_call and so on\n\u{1f642}", "</tool_call>"];
    assert!(texts.iter().all(|text| is_whole(&form, text)));
    for text in texts {
        assert!(is_whole(&form, &format!("{text}{CALL}\n{OTHER}")), "{text}");
        assert!(!is_whole(&form, &format!("{text}{CALL} and more")), "{text}");
        assert!(!is_whole(&form, &format!("{text}{}", CALL.replace("12", "null"))), "{text}");
    }
    assert!(!is_whole(&form, "<tool_call>"));
    let single = calls(Text::Free, false);
    assert!(is_whole(&single, &format!("text{OTHER}")) && !is_whole(&single, &format!("{OTHER}\n{OTHER}")));
}

#[test]
fn tokens_that_go_beyond_a_tag_are_looked_at_whole() {
    let mut answer = Answer::to(&calls(Text::Free, true));
    assert_eq!(answer.say("I call: <tool_"), b"");
    let (begins, breaks) = (answer.word("call>\n{\"name\""), answer.word("call>!"));
    assert!(answer.allows(begins) && !answer.allows(breaks));
    answer.take(begins);
    assert_eq!(answer.say(&CALL[CALL.find(": ").unwrap()..]), b"");
    assert!(answer.ends());
    let mut whole = Answer::to(&calls(Text::Free, true));
    whole.take(whole.word("<tool_call>"));
    assert_eq!(whole.say("{"), b"{", "a line of its own comes first");
}

#[test]
fn an_answer_with_a_schema_may_be_a_call_instead() {
    let form = calls(Text::Json(json!({ "const": "no" })), true);
    assert!(is_whole(&form, "\"no\"") && is_whole(&form, CALL) && !is_whole(&form, "no"));
}

#[test]
fn arguments_that_need_not_be_strict_are_any_object_where_their_schema_is_not_known() {
    let unknown = json!({ "type": "object", "not": { "required": ["x"] } });
    let lenient = Function { strict: false, ..function("f", unknown.clone()) };
    let form = |functions| Form { text: Text::Never, calls: Some(Calls { functions, several: false }) };
    assert!(is_whole(&form(vec![lenient.clone()]), CALL));
    let strict = form(vec![lenient, function("g", unknown)]);
    let refusal = Forms::default().compile(&strict, &tokenizer()).unwrap_err();
    assert_eq!((refusal.status, refusal.code), (400, "invalid_schema"));
    assert!(refusal.message.starts_with("`tools`") && refusal.message.contains("not"), "{}", refusal.message);
}

#[test]
fn schemas_that_cannot_be_kept_to_are_refused() {
    let forms = Forms::default();
    let tokenizer = tokenizer();
    let pattern = |at: usize| (at.to_string(), json!({ "pattern": "a.*b" }));
    let patterns: serde_json::Map<String, Value> = (0..300).map(pattern).collect();
    let property = |at: usize| (at.to_string(), json!(true));
    let properties: serde_json::Map<String, Value> = (0..1_001).map(property).collect();
    let large = json!({ "enum": (0..20_000).map(|number| format!("word {number}")).collect::<Vec<_>>() });
    for (schema, code) in [
        (json!({ "type": "colour" }), "invalid_schema"),
        (json!(false), "invalid_schema"),
        (json!([]), "invalid_schema"),
        (json!({ "properties": 5 }), "invalid_schema"),
        (json!({ "$ref": "#/$defs/nothing" }), "invalid_schema"),
        (json!({ "$ref": "https://example.com/schema" }), "invalid_schema"),
        (json!({ "type": "array", "uniqueItems": true }), "invalid_schema"),
        (json!({ "if": {}, "then": {} }), "invalid_schema"),
        (json!({ "oneOf": [{ "type": "integer" }, { "type": "number" }] }), "invalid_schema"),
        (json!({ "type": "string", "pattern": "(" }), "invalid_schema"),
        (json!({ "type": "string", "pattern": "(a)\\1" }), "invalid_schema"),
        (json!({ "type": "integer", "minimum": 5, "maximum": 4 }), "invalid_schema"),
        (json!({ "const": 1e300 }), "invalid_schema"),
        (json!({ "items": { "items": { "type": "string", "pattern": "a" } }, "$defs": patterns }), "invalid_schema"),
        (json!({ "minimum": "é".repeat(200) }), "invalid_schema"),
        (json!({ "properties": properties }), "invalid_schema"),
        (large, "schema_too_large"),
    ] {
        let words: String = schema.to_string().chars().take(80).collect();
        let form = Form { text: Text::Json(schema), calls: None };
        let refusal = forms.compile(&form, &tokenizer).expect_err(&words);
        assert_eq!((refusal.status, refusal.code), (400, code), "{words}: {}", refusal.message);
        assert!(refusal.message.starts_with("`response_format`"), "{}", refusal.message);
        assert!(refusal.message.len() < 1_000 && refusal.message.lines().count() == 1, "{}", refusal.message);
    }
}

#[test]
fn the_parts_of_all_functions_count_together() {
    let parameters = json!({ "type": "object", "properties": { "a": { "pattern": "a" }, "b": { "pattern": "b" } } });
    let functions = |count: usize| (0..count).map(|at| function(&format!("f{at}"), parameters.clone())).collect();
    let form = |count| Form { text: Text::Never, calls: Some(Calls { functions: functions(count), several: false }) };
    assert!(Forms::default().compile(&form(100), &tokenizer()).is_ok());
    let refusal = Forms::default().compile(&form(129), &tokenizer()).unwrap_err();
    assert!(refusal.message.contains("patterns"), "{}", refusal.message);
}

#[test]
fn of_two_fields_the_one_at_fault_is_named() {
    let (good, bad) = (json!({ "type": "object" }), json!({ "type": "object", "minProperties": -1 }));
    for (answer, arguments, field) in [(&good, &bad, "`tools`"), (&bad, &good, "`response_format`")] {
        let functions = vec![function("f", arguments.clone())];
        let form = Form { text: Text::Json(answer.clone()), calls: Some(Calls { functions, several: true }) };
        let refusal = Forms::default().compile(&form, &tokenizer()).unwrap_err();
        assert!(refusal.message.starts_with(field), "{}", refusal.message);
    }
}

#[test]
fn what_says_nothing_about_an_answer_is_no_reason_to_refuse() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "T", "description": "d", "default": 1e300, "deprecated": true, "x-guidance": { "lenient": true },
        "type": "object", "additionalProperties": false, "required": ["x", "path"],
        "properties": {
            "x": { "type": "integer", "format": "int64", "minimum": -9_223_372_036_854_775_808i64, "maximum": u64::MAX },
            "path": { "type": "string", "format": "file-path" },
            "list": { "type": "array", "uniqueItems": false },
        },
    });
    let form = Form { text: Text::Json(schema), calls: None };
    assert!(is_whole(&form, r#"{"x":-9007199254740992,"path":"a/b"}"#));
    assert!(!is_whole(&form, r#"{"x":-9007199254740993,"path":"a/b"}"#), "told from its neighbour by nobody");
    assert!(is_whole(&form, r#"{"x":7,"path":"","list":[1,1]}"#));
}

/// As many optional properties as are allowed are no more than a step may cost.
#[test]
fn a_large_schema_is_kept_to() {
    let properties: serde_json::Map<String, Value> =
        (0..1_000).map(|at| (format!("p{at}"), json!({ "type": "integer" }))).collect();
    let form = Form { text: Text::Json(json!({ "type": "object", "properties": properties })), calls: None };
    assert!(is_whole(&form, r#"{"p0":1,"p500":2,"p999":3,"other":4}"#));
    assert!(!is_whole(&form, r#"{"p0":"1"}"#));
}

/// What hostile callers send. Each is compiled or refused, within the stack and the memory that there is.
#[test]
fn hostile_schemas_break_nothing() {
    let chain: serde_json::Map<String, Value> = (0..4_000)
        .map(|link| (link.to_string(), json!({ "$ref": format!("#/$defs/{}", link + 1) })))
        .chain([("4000".to_owned(), json!({ "type": "null" }))])
        .collect();
    let nested = |depth: usize, open: &str, close: &str| {
        let text = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let squares: serde_json::Map<String, Value> = (0..40)
        .map(|link| {
            let next = json!({ "$ref": format!("#/$defs/{}", link + 1) });
            (link.to_string(), json!({ "allOf": [{ "anyOf": [next, next] }, { "anyOf": [next, next] }] }))
        })
        .chain([("40".to_owned(), json!({ "type": "object" }))])
        .collect();
    let many =
        |count: usize, schema: Value| -> Value { (0..count).map(|at| (at.to_string(), schema.clone())).collect() };
    let schemas = [
        json!({ "$ref": "#/$defs/0", "$defs": chain }),
        json!({ "$ref": "#/$defs/0", "$defs": squares }),
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }, { "type": "object" }] }),
        json!({ "properties": { "a": { "$ref": "#" } }, "required": ["a"] }),
        nested(60, "{\"anyOf\":[", "]}"),
        nested(40, "{\"items\":{\"anyOf\":[{\"type\":\"null\"},", "]}}"),
        json!({ "type": "string", "pattern": "(((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9})" }),
        json!({ "type": "string", "pattern": "a?".repeat(20_000) }),
        json!({ "type": "string", "pattern": format!("{}a{}", "(".repeat(240), ")*".repeat(240)) }),
        json!({ "type": "string", "pattern": format!("{}a{}", "(".repeat(20_000), ")*".repeat(20_000)) }),
        json!({ "type": "string", "pattern": "^(\\w+\\s?){1,1000}[^a-f]{500}(x+x+)+y$" }),
        json!({ "type": "string", "pattern": "[\\p{L}\\p{N}]{1,5000}.*[\\p{L}]{2000}" }),
        json!({ "type": "string", "minLength": 1_000_000_000u64 }),
        json!({ "type": "string", "maxLength": u64::MAX }),
        json!({ "type": "array", "minItems": 1_000_000_000u64, "items": { "type": "array", "minItems": 1_000_000_000u64 } }),
        json!({ "type": "number", "multipleOf": 1e-15 }),
        json!({ "type": "number", "multipleOf": 0 }),
        json!({ "type": "number", "minimum": 1e-300, "maximum": 1e-299 }),
        json!({ "type": "object", "properties": many(200, json!({ "type": "string", "pattern": "a.*b" })) }),
        json!({ "type": "object", "properties": many(1_000, json!({ "type": "array", "maxItems": 7 })) }),
        json!({ "enum": (0..10_000).map(|at| format!("{at}{at}")).collect::<Vec<_>>() }),
        json!({ "anyOf": (0..10_000).map(|at| json!(at % 2 == 0)).collect::<Vec<_>>() }),
        json!({ "allOf": (0..3_000).map(|at| json!({ "minimum": at })).collect::<Vec<_>>() }),
        json!({ "type": "object", "patternProperties": many(60, json!({})) }),
        json!({ "anyOf": (0..900).map(|at| json!({ "properties": { "k": { "const": at } } })).collect::<Vec<_>>() }),
        json!({ "oneOf": (0..1_000).map(|at| json!({ "required": ["k"], "properties": { "k": { "const": format!("{at}") } } })).collect::<Vec<_>>() }),
    ];
    let forms = Forms::default();
    let tokenizer = tokenizer();
    for schema in schemas {
        let words: String = schema.to_string().chars().take(100).collect();
        let began = std::time::Instant::now();
        let compiled = forms.compile(&Form { text: Text::Json(schema), calls: None }, &tokenizer);
        let compiling = began.elapsed();
        let mut steps = 0;
        let walking = std::time::Instant::now();
        if let Ok(mut held) = compiled.clone() {
            // The token allowed first, or the last one: on into what is allowed.
            while steps < 200 && step(&mut held, &tokenizer, steps) {
                steps += 1;
            }
        }
        println!("{compiling:?}, {steps} steps in {:?}: {words}", walking.elapsed());
        if let Err(refusal) = compiled {
            println!("    {}", refusal.message);
        }
    }
}

/// Takes one of the tokens that are allowed. Whether the answer can go on.
fn step(held: &mut Held, tokenizer: &Tokenizer, turn: usize) -> bool {
    let mut logits = vec![0.0; tokenizer.len()];
    if held.mask(&mut logits).is_err() {
        return false;
    }
    let mut allowed = (0..tokenizer.len() as u32).filter(|token| logits[*token as usize] == 0.0);
    let token = if turn % 2 == 0 { allowed.next_back() } else { allowed.next() };
    token.is_some_and(|token| held.accept(token) == Ok(false))
}

/// Prints what a vocabulary as large as Qwen's costs: `cargo test -p hoosh-candle --test reading -- --ignored --nocapture masks`.
#[test]
#[ignore = "a measurement"]
fn how_long_masks_take() {
    let tokenizer = large_tokenizer(151_936);
    let person = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "age", "tags", "note"],
        "properties": {
            "name": { "type": "string", "maxLength": 40 }, "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "tags": { "type": "array", "items": { "enum": ["red", "green", "blue"] } }, "note": { "type": "string" },
        },
    });
    let answer = r#"{"name": "Ada Lovelace of London", "age": 36, "tags": ["red", "blue"], "note": "She wrote the first program."}"#;
    let forms = Forms::default();
    for (what, form, text) in [
        ("any object", Form { text: Text::Json(json!({ "type": "object" })), calls: None }, answer.to_owned()),
        ("a schema", Form { text: Text::Json(person), calls: None }, answer.to_owned()),
        (
            "free text and a call",
            calls(Text::Free, true),
            format!("I will see what I can do about it, and call.\n{CALL}"),
        ),
    ] {
        let began = std::time::Instant::now();
        let mut held = forms.compile(&form, &tokenizer).unwrap();
        let compiling = began.elapsed();
        let mut times: Vec<std::time::Duration> = Vec::new();
        for token in tokenizer.encode(&text, false) {
            let mut logits = vec![0.0; tokenizer.len()];
            let began = std::time::Instant::now();
            held.mask(&mut logits).unwrap();
            times.push(began.elapsed());
            assert_eq!(logits[token as usize], 0.0, "{what}: {:?}", tokenizer.piece(token));
            held.accept(token).unwrap();
        }
        times.sort();
        let mean = times.iter().sum::<std::time::Duration>() / times.len() as u32;
        println!(
            "{what}: compiled in {compiling:?}; {} masks, mean {mean:?}, worst {:?}",
            times.len(),
            times[times.len() - 1]
        );
    }
}

/// Bytes, and made-up words with and without a space before them.
fn large_tokenizer(size: usize) -> Tokenizer {
    let mut rng = hoosh_core::rng::Rng::new(1);
    let mut known: std::collections::HashSet<String> =
        ["\"", "\":", "{\"", "\",", "\"}", "▁\""].map(str::to_owned).into();
    let mut tokens = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["\"", "\":", "{\"", "\",", "\"}", "▁\"", "<tool_call>"].map(str::to_owned));
    while tokens.len() < size {
        let letters = (0..1 + rng.below(9))
            .map(|_| b"etaoinshrdlucmfwypvbgkjqxz0123456789-_.,:;(){}[]\"'"[rng.below(50).min(rng.below(50)) as usize]);
        let word: String = letters.map(char::from).collect();
        let word = if rng.below(2) == 0 { format!("▁{word}") } else { word };
        if known.insert(word.clone()) {
            tokens.push(word);
        }
    }
    let kinds: Vec<i32> = (0..tokens.len())
        .map(|token| {
            if token < 3 {
                3
            } else if token < 259 {
                6
            } else {
                1
            }
        })
        .collect();
    let gguf = Gguf::new()
        .text("general.architecture", "llama")
        .text("tokenizer.ggml.model", "llama")
        .flag("tokenizer.ggml.add_space_prefix", false)
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &vec![0.0; tokens.len()]);
    Tokenizer::from_gguf(&gguf.file()).unwrap()
}
