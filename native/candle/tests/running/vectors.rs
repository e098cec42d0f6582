//! Encoders: what sentence-transformers makes of the same texts with the same weights, and how they are asked.
//!
//! The models and the vectors were made by tests/safetensors/make_tiny_encoders.py.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hoosh_candle::{Candle, ModelSource, Settings, Source};
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::engine::Standing;
use hoosh_core::engine::{Engine, Refusal};
use serde_json::{json, Value};

use super::common::asking::{ask_as, Asked, Heard};
use super::common::folder::{fixtures, of_variant, Folder};

/// An engine of the model `m` in a folder.
fn engine(path: &Path, change: impl FnOnce(&mut Settings)) -> Candle {
    let file = Source::Path(path.to_owned());
    let models = vec![ModelSource { name: "m".into(), file, context: None }];
    let mut settings = Settings { models, threads: 1, ..Settings::default() };
    change(&mut settings);
    Candle::new(settings)
}

fn bert() -> Candle {
    engine(&fixtures().join("bert"), |_| {})
}

fn ask(engine: &Candle, body: &Value) -> Asked {
    let mut body = body.clone();
    body["model"] = json!("m");
    ask_as(engine, Endpoint::Embeddings, &body.to_string(), Standing::default())
}

/// The vectors of an answer in the order of their inputs.
fn vectors(heard: &Heard) -> Vec<Vec<f32>> {
    assert!(heard.refused.is_none() && heard.failed.is_none(), "{:?} {:?}", heard.refused, heard.failed);
    let mut found: Vec<(u32, &Vec<f32>)> = Vec::new();
    for item in &heard.items {
        if let Item::Embedding { index, vector } = item {
            found.push((*index, vector));
        }
    }
    found.sort_by_key(|(index, _)| *index);
    let numbers: Vec<u32> = found.iter().map(|(index, _)| *index).collect();
    assert_eq!(numbers, (0..found.len() as u32).collect::<Vec<_>>(), "each once");
    found.into_iter().map(|(_, vector)| vector.clone()).collect()
}

fn refused(engine: &Candle, body: &Value) -> Refusal {
    ask(engine, body).all().refused.expect("a refusal")
}

fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt()
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    assert_eq!(one.len(), other.len());
    let product: f64 = one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    product / (length(one) * length(other))
}

/// What the fixtures hold.
struct Known {
    texts: Vec<String>,
    all: Value,
}

impl Known {
    fn read() -> Known {
        let all: Value = serde_json::from_slice(&fs::read(fixtures().join("vectors.json")).unwrap()).unwrap();
        let texts = all["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
        Known { texts: texts.collect(), all }
    }

    fn vectors(&self, model: &str, variant: &str) -> Vec<Vec<f32>> {
        serde_json::from_value(self.all["vectors"][model][variant].clone()).unwrap()
    }

    fn tokens(&self, model: &str) -> Vec<Vec<u32>> {
        serde_json::from_value(self.all["tokens"][model].clone()).unwrap()
    }

    fn variants(&self, model: &str) -> Vec<String> {
        self.all["vectors"][model].as_object().unwrap().keys().cloned().collect()
    }
}

#[test]
fn vectors_are_those_of_sentence_transformers() {
    let known = Known::read();
    let mut seen = 0;
    for model in ["bert", "distilbert", "roberta"] {
        for variant in known.variants(model) {
            let folder = of_variant(model, &variant);
            let engine = engine(folder.path(), |_| {});
            let heard = ask(&engine, &json!({"input": known.texts, "truncate_prompt_tokens": -1})).all();
            let (made, wanted) = (vectors(&heard), known.vectors(model, &variant));
            assert_eq!(made.len(), wanted.len());
            for ((made, wanted), text) in made.iter().zip(&wanted).zip(&known.texts) {
                let alike = cosine(made, wanted);
                assert!(alike >= 0.999_999, "{model} {variant} {text:?}: {alike}");
                // And as long as it should be.
                assert!((length(made) / length(wanted) - 1.0).abs() < 1e-4, "{model} {variant} {text:?}");
                seen += 1;
            }
            let tokens: usize = known.tokens(model).iter().map(Vec::len).sum();
            assert_eq!((heard.usage().input_tokens, heard.usage().output_tokens), (tokens as u64, 0), "{model}");
        }
    }
    assert_eq!(seen, 12 * known.texts.len());
}

#[test]
fn tokens_are_taken_as_they_are() {
    let known = Known::read();
    let engine = bert();
    let heard = ask(&engine, &json!({"input": known.tokens("bert")})).all();
    for (made, wanted) in vectors(&heard).iter().zip(known.vectors("bert", "plain")) {
        assert!(cosine(made, &wanted) >= 0.999_999);
    }
    let one = vectors(&ask(&engine, &json!({"input": known.tokens("bert")[0]})).all());
    assert_eq!(one.len(), 1);
    assert!(cosine(&one[0], &known.vectors("bert", "plain")[0]) >= 0.999_999);
}

#[test]
fn weights_may_lie_in_several_files() {
    let known = Known::read();
    let folder = of_variant("bert", "plain");
    folder.split_weights();
    let engine = engine(folder.path(), |_| {});
    let made = vectors(&ask(&engine, &json!({"input": known.texts[0]})).all());
    assert!(cosine(&made[0], &known.vectors("bert", "plain")[0]) >= 0.999_999);
}

#[test]
fn a_file_of_weights_is_a_model_with_what_lies_beside_it() {
    let known = Known::read();
    let folder = of_variant("bert", "cls");
    let engine = engine(&folder.path().join("model.safetensors"), |_| {});
    let made = vectors(&ask(&engine, &json!({"input": known.texts[1]})).all());
    assert!(cosine(&made[0], &known.vectors("bert", "cls")[1]) >= 0.999_999);
}

#[test]
fn shorter_vectors_have_the_length_one_again() {
    let engine = bert();
    let whole = vectors(&ask(&engine, &json!({"input": "the fox"})).all()).remove(0);
    assert!((length(&whole) - 1.0).abs() > 0.1, "the model itself does not normalise");
    for dimensions in [1, 7, 31] {
        let heard = ask(&engine, &json!({"input": "the fox", "dimensions": dimensions})).all();
        let made = vectors(&heard).remove(0);
        assert_eq!(made.len(), dimensions);
        assert!((length(&made) - 1.0).abs() < 1e-6);
        assert!(cosine(&made, &whole[..dimensions]) > 0.999_999);
    }
    assert_eq!(vectors(&ask(&engine, &json!({"input": "the fox", "dimensions": 32})).all())[0], whole);
    let refusal = refused(&engine, &json!({"input": "the fox", "dimensions": 33}));
    assert_eq!((refusal.status, refusal.code), (400, "out_of_range"));
    assert!(refusal.message.contains("32"), "{}", refusal.message);
}

#[test]
fn a_long_list_keeps_its_order() {
    let engine = bert();
    let texts: Vec<String> = (0..300).map(|number| format!("model {number} {}", "fox ".repeat(number % 13))).collect();
    let made = vectors(&ask(&engine, &json!({"input": texts})).all());
    assert_eq!(made.len(), 300);
    for number in [0, 1, 63, 64, 150, 299] {
        let alone = vectors(&ask(&engine, &json!({"input": texts[number]})).all()).remove(0);
        assert!(cosine(&made[number], &alone) > 0.999_999, "{number}");
    }
}

#[test]
fn what_is_too_long_is_cut_only_when_that_is_asked_for() {
    let engine = bert();
    let text = "fox ".repeat(50);
    let refusal = refused(&engine, &json!({"input": ["a", text]}));
    assert_eq!((refusal.status, refusal.code), (400, "context_length_exceeded"));
    let wanted = ["input[1]", "52 tokens", "takes 40 tokens", "truncate_prompt_tokens"];
    assert!(wanted.iter().all(|word| refusal.message.contains(word)), "{}", refusal.message);

    let cut = ask(&engine, &json!({"input": text, "truncate_prompt_tokens": -1})).all();
    assert_eq!(cut.usage().input_tokens, 40);
    let shorter = ask(&engine, &json!({"input": text, "truncate_prompt_tokens": 10})).all();
    assert_eq!(shorter.usage().input_tokens, 10);
    // What is around a text stays.
    let eight = ask(&engine, &json!({"input": "fox ".repeat(8)})).all();
    assert_eq!(eight.usage().input_tokens, 10);
    assert!(cosine(&vectors(&shorter)[0], &vectors(&eight)[0]) > 0.999_999);
    // What is far too long is not even split.
    let page = "é".repeat(6_000_000);
    let refusal = refused(&engine, &json!({ "input": page }));
    assert_eq!((refusal.code, refusal.message.contains("12000000 bytes")), ("context_length_exceeded", true));
    let cut = ask(&engine, &json!({"input": page, "truncate_prompt_tokens": -1})).all();
    assert!(cut.usage().input_tokens <= 40);
    let tokens = ask(&engine, &json!({"input": vec![7; 60], "truncate_prompt_tokens": 20})).all();
    assert_eq!(tokens.usage().input_tokens, 20);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let engine = bert();
    let cases = [
        (json!({}), "invalid_type", "input"),
        (json!({"input": 7}), "invalid_type", "input"),
        (json!({"input": []}), "invalid_value", "empty"),
        (json!({"input": [[]]}), "invalid_value", "input[0]"),
        (json!({"input": ["a", [108]]}), "invalid_value", "input[1]"),
        (json!({"input": [1, -1]}), "invalid_type", "input"),
        (json!({"input": [1.5]}), "invalid_type", "input"),
        (json!({"input": ["a", 1]}), "invalid_type", "input"),
        (json!({"input": [{"text": "a"}]}), "invalid_type", "input"),
        (json!({"input": "a", "dimensions": 0}), "out_of_range", "dimensions"),
        (json!({"input": "a", "dimensions": "8"}), "invalid_type", "dimensions"),
        (json!({"input": "a", "truncate_prompt_tokens": 41}), "out_of_range", "truncate_prompt_tokens"),
        (json!({"input": "a", "truncate_prompt_tokens": 2}), "out_of_range", "truncate_prompt_tokens"),
        (json!({"input": "a", "truncate_prompt_tokens": -2}), "invalid_type", "truncate_prompt_tokens"),
        (json!({"input": "a", "task": "query"}), "unsupported_parameter", "task"),
    ];
    for (body, code, word) in cases {
        let refusal = refused(&engine, &body);
        assert_eq!((refusal.status, refusal.code), (400, code), "{body}: {}", refusal.message);
        assert!(refusal.message.contains(word), "{body}: {}", refusal.message);
    }
    let unharmed = ask(&engine, &json!({"input": "a", "user": "me", "dimensions": null, "encoding_format": "base64"}));
    assert_eq!(vectors(&unharmed.all()).len(), 1);
}

#[test]
fn a_model_of_vectors_answers_no_chat() {
    let engine = bert();
    for (endpoint, body) in [
        (Endpoint::Chat, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#),
        (Endpoint::Completions, r#"{"model":"m","prompt":"hi"}"#),
    ] {
        let refusal = ask_as(&engine, endpoint, body, Standing::default()).all().refused.expect("a refusal");
        assert_eq!((refusal.status, refusal.code), (400, "unsupported_endpoint"));
    }
}

#[test]
fn it_says_what_it_is() {
    let folder = of_variant("roberta", "plain");
    let engine = engine(folder.path(), |settings| settings.models[0].context = Some(20));
    let card = engine.cards().remove(0);
    assert!(card.abilities.embeddings && !card.abilities.chat && !card.loaded);
    assert_eq!((card.context, card.dimensions), (Some(20), Some(32)));
    assert_eq!(card.quantization.as_deref(), Some("F16"));
    assert!(card.memory_bytes.is_some_and(|bytes| bytes > 80_000));
    let mut told = Vec::new();
    engine.load("m", &mut |done, all| told.push((done, all))).unwrap();
    assert!(told.iter().all(|(done, all)| done <= all));
    assert!(engine.cards()[0].loaded);
    let refusal = refused(&engine, &json!({"input": "a ".repeat(40)}));
    assert!(refusal.message.contains("takes 20"), "{}", refusal.message);
}

#[test]
fn several_calls_are_answered_beside_each_other() {
    let engine = bert();
    let many: Vec<String> = (0..400).map(|number| format!("gateway {number}")).collect();
    let long = ask(&engine, &json!({ "input": many }));
    let short: Vec<Asked> = (0..10).map(|number| ask(&engine, &json!({"input": format!("dog {number}")}))).collect();
    for asked in short {
        assert_eq!(vectors(&asked.all()).len(), 1);
    }
    assert_eq!(vectors(&long.all()).len(), 400);
}

#[test]
fn whoever_takes_nothing_holds_up_nobody() {
    let engine = bert();
    let many: Vec<String> = (0..1000).map(|number| format!("gateway {number}")).collect();
    let mut idle = ask(&engine, &json!({ "input": many }));
    // It has begun, and is never taken further.
    idle.next(usize::MAX);
    for _ in 0..3 {
        assert_eq!(vectors(&ask(&engine, &json!({"input": "dog"})).all()).len(), 1);
    }
    assert_eq!(engine.busy("m").unwrap().answered, 1, "it waits for its reader");
    let rest = idle.all();
    let vectors = rest.items.iter().filter(|item| matches!(item, Item::Embedding { .. })).count();
    assert_eq!(vectors, 999);
}

#[test]
fn whoever_leaves_lets_the_slot_go() {
    let engine = engine(&fixtures().join("bert"), |settings| settings.max_sequences = 1);
    let many: Vec<String> = (0..2000).map(|number| format!("gateway {number}")).collect();
    for _ in 0..20 {
        drop(ask(&engine, &json!({ "input": many })));
    }
    assert_eq!(vectors(&ask(&engine, &json!({"input": "dog"})).all()).len(), 1);
    assert!(engine.unload("m"));
    assert_eq!(vectors(&ask(&engine, &json!({"input": "dog"})).all()).len(), 1, "it comes again");
}

#[test]
fn it_goes_when_nobody_asks_it_and_comes_again() {
    let engine = engine(&fixtures().join("bert"), |settings| settings.idle_unload = Some(Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(vectors(&ask(&engine, &json!({"input": "dog"})).all()).len(), 1);
        let until = Instant::now() + Duration::from_secs(60);
        while engine.cards()[0].loaded {
            assert!(Instant::now() < until, "it stays");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn memory_is_bound_and_shared_with_others() {
    let path = fixtures().join("bert");
    let one = |name: &str| ModelSource { name: name.into(), file: Source::Path(path.clone()), context: None };
    let needs = engine(&path, |_| {}).cards()[0].memory_bytes.unwrap();
    let tight = engine(&path, |settings| settings.memory_bytes = Some(needs - 1));
    let heard = ask(&tight, &json!({"input": "dog"})).all();
    assert!(heard.failed.is_some_and(|why| why.contains("memory")));
    let shared = engine(&path, |settings| {
        settings.models.push(one("n"));
        settings.memory_bytes = Some(needs);
    });
    for name in ["m", "n", "m"] {
        let body = json!({"model": name, "input": "dog"}).to_string();
        let heard = ask_as(&shared, Endpoint::Embeddings, &body, Standing::default()).all();
        assert_eq!(vectors(&heard).len(), 1);
    }
    let loaded: Vec<String> = shared.cards().into_iter().filter(|card| card.loaded).map(|card| card.model).collect();
    assert_eq!(loaded, ["m"]);
}

#[test]
fn broken_models_say_what_is_wrong_with_them() {
    type Change = fn(&Folder);
    let cases: [(Change, &str); 9] = [
        (|folder| folder.edit("config.json", |config| config["hidden_size"] = json!(64)), "should have the shape"),
        (|folder| folder.edit("config.json", |config| config["num_hidden_layers"] = json!(3)), "is missing"),
        (|folder| folder.edit("config.json", |config| config["num_attention_heads"] = json!(5)), "heads"),
        (|folder| folder.edit("config.json", |config| config["model_type"] = json!("mpnet")), "known: bert"),
        (
            |folder| folder.edit("config.json", |config| config["position_embedding_type"] = json!("relative")),
            "relative",
        ),
        (|folder| fs::remove_file(folder.path().join("tokenizer.json")).unwrap(), "tokenizer.json"),
        (|folder| fs::remove_file(folder.path().join("model.safetensors")).unwrap(), "model.safetensors"),
        (|folder| folder.write("tokenizer.json", b"{\"version\":\"1.0\"}"), "vocabulary"),
        (|folder| folder.spoil_weights(), "not a number"),
    ];
    for (change, word) in cases {
        let folder = of_variant("bert", "plain");
        change(&folder);
        let heard = ask(&engine(folder.path(), |_| {}), &json!({"input": "dog"})).all();
        let why = heard.failed.unwrap_or_else(|| panic!("{word}: {:?}", heard.items));
        assert!(why.contains(word), "{why}");
    }
}

#[test]
fn a_wrong_path_is_found_before_the_first_request() {
    let folder = of_variant("bert", "plain");
    let path: PathBuf = folder.path().to_owned();
    assert_eq!(hoosh_candle::look(&path), Ok(()));
    assert_eq!(hoosh_candle::look(&path.join("model.safetensors")), Ok(()));
    fs::rename(path.join("model.safetensors"), path.join("pytorch_model.bin")).unwrap();
    assert!(hoosh_candle::look(&path).unwrap_err().contains("pickle"));
    fs::remove_file(path.join("config.json")).unwrap();
    assert!(hoosh_candle::look(&path).unwrap_err().contains("config.json is missing"));
}
