//! The engine, asked as the gateway asks it.

use std::time::Duration;

use crate::common::asking::{ask_as, complete, complete_as, engine, Heard};
use crate::common::{Shape, END};
use hoosh_candle::{Candle, ModelSource, Settings, Source};
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::engine::{Engine, Said, AHEAD};
use hoosh_core::engine::{Priority, Standing};

fn llama(change: impl FnOnce(&mut Settings)) -> Candle {
    engine(&Shape::new("llama"), change)
}

/// Bias that keeps the random model from ending its answers.
const ENDLESS: &str = r#""logit_bias":{"256":-100,"258":-100}"#;

fn endless(max_tokens: u32, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    format!(r#"{ENDLESS},"max_tokens":{max_tokens}{more}"#)
}

fn whole(heard: &Heard) -> &Heard {
    assert!(heard.refused.is_none() && heard.failed.is_none(), "{heard:?}");
    heard
}

#[test]
fn an_answer_has_text_a_reason_and_exact_usage() {
    let engine = llama(|_| {});
    let heard = complete(&engine, "hello", &endless(12, r#""temperature":0"#)).all();
    let usage = whole(&heard).usage();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_tokens), (5, 12, 0));
    assert_eq!(heard.reason(0), Some("length"));
    assert!(!heard.text(0).is_empty());
    assert!(matches!(heard.items.last(), Some(Item::Usage(_))));
}

#[test]
fn an_end_token_ends_the_answer_and_counts() {
    let engine = llama(|_| {});
    let body = format!(r#""logit_bias":{{"{END}":100}},"max_tokens":9"#);
    let heard = complete(&engine, "hello", &body).all();
    assert_eq!((whole(&heard).text(0).as_str(), heard.reason(0)), ("", Some("stop")));
    assert_eq!(heard.usage().output_tokens, 1);
}

#[test]
fn greedy_answers_are_equal_and_seeds_decide_the_others() {
    let engine = llama(|_| {});
    let text = |more: &str| {
        let heard = complete(&engine, "once upon", &endless(24, more)).all();
        whole(&heard).text(0)
    };
    assert_eq!(text(r#""temperature":0"#), text(r#""temperature":0,"seed":3"#));
    assert_eq!(text(r#""temperature":0"#), text(r#""top_k":1"#));
    assert_eq!(text(r#""seed":3"#), text(r#""seed":3"#));
    assert_ne!(text(r#""seed":3"#), text(r#""seed":4"#));
    assert_ne!(text(""), text(""), "without a seed");
}

#[test]
fn several_choices_are_each_of_their_own_and_share_the_prompt() {
    let engine = llama(|_| {});
    let ask = || complete(&engine, "once upon", &endless(16, r#""seed":3,"n":3"#)).all();
    let (heard, again) = (ask(), ask());
    let texts: Vec<String> = (0..3).map(|choice| whole(&heard).text(choice)).collect();
    assert!(texts[0] != texts[1] && texts[1] != texts[2] && texts[0] != texts[2], "{texts:?}");
    assert_eq!(texts, (0..3).map(|choice| again.text(choice)).collect::<Vec<_>>());
    let alone = complete(&engine, "once upon", &endless(16, r#""seed":3"#)).all();
    assert_eq!(texts[0], alone.text(0), "the first choice is the one that comes alone");
    assert_eq!((heard.usage().input_tokens, heard.usage().output_tokens), (9, 48));
}

#[test]
fn answers_beside_others_are_those_that_come_alone() {
    let engine = llama(|settings| settings.max_sequences = 3);
    let prompts = ["a", "the quick brown fox jumps over it ", "xyz xyz", "hello", "to be or not to be"];
    let prompts: Vec<String> = prompts.iter().map(|prompt| prompt.repeat(6)).collect();
    let more = endless(20, r#""temperature":0"#);
    let alone: Vec<String> = prompts.iter().map(|prompt| complete(&engine, prompt, &more).all().text(0)).collect();
    let asked: Vec<_> = prompts.iter().map(|prompt| complete(&engine, prompt, &more)).collect();
    let together: Vec<String> = asked.into_iter().map(|asked| whole(&asked.all()).text(0)).collect();
    assert_eq!(alone, together);
}

#[test]
fn a_stop_string_ends_the_answer_and_is_not_in_it() {
    let engine = llama(|_| {});
    let whole_text = complete(&engine, "hello", &endless(40, r#""temperature":0"#)).all().text(0);
    let characters: Vec<char> = whole_text.chars().collect();
    let stop: String = characters[5..8].iter().collect();
    let before = &whole_text[..whole_text.find(&stop).expect("inside")];
    let more = endless(40, &format!(r#""temperature":0,"stop":{}"#, serde_json::Value::from(stop.as_str())));
    let heard = complete(&engine, "hello", &more).all();
    assert_eq!((whole(&heard).text(0).as_str(), heard.reason(0)), (before, Some("stop")));
    assert!(heard.usage().output_tokens < 40);
}

#[test]
fn logprobs_are_told_for_every_token_that_is_given() {
    let engine = llama(|_| {});
    let heard = complete(&engine, "hello", &endless(10, r#""temperature":0,"logprobs":3"#)).all();
    let told: Vec<_> = whole(&heard)
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Text { logprobs, .. } => Some(logprobs.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(told.len(), 10);
    for told in &told {
        assert_eq!(told.top.len(), 3);
        assert!(told.logprob <= 0.0 && told.top.windows(2).all(|pair| pair[0].2 >= pair[1].2));
    }
    let bytes: Vec<u8> = told.iter().flat_map(|told| told.bytes.clone()).collect();
    assert_eq!(String::from_utf8_lossy(&bytes), heard.text(0));
}

#[test]
fn a_prompt_that_is_too_long_is_refused_with_both_numbers() {
    let engine = llama(|_| {});
    let heard = complete(&engine, &"x".repeat(512), "").all();
    let refusal = heard.refused.expect("refused");
    assert_eq!((refusal.status, refusal.code), (400, "context_length_exceeded"));
    assert!(refusal.message.matches("512").count() == 2, "{}", refusal.message);
    let longest = complete(&engine, &"x".repeat(511), &endless(50, "")).all();
    assert_eq!((whole(&longest).reason(0), longest.usage().output_tokens), (Some("length"), 1));
}

#[test]
fn what_a_request_does_wrong_is_refused() {
    let engine = llama(|_| {});
    for (endpoint, body, status, code) in [
        (Endpoint::Completions, r#"{"model":"m"}"#, 400, "invalid_type"),
        (Endpoint::Completions, r#"{"model":"x","prompt":"a"}"#, 404, "model_not_found"),
        (Endpoint::Completions, r#"{"model":"m","prompt":[100000]}"#, 400, "invalid_value"),
        (Endpoint::Completions, r#"{"model":"m","prompt":""}"#, 400, "invalid_value"),
        (Endpoint::Completions, r#"{"model":"m","prompt":"a","n":5}"#, 400, "out_of_range"),
        (Endpoint::Embeddings, r#"{"model":"m","input":"a"}"#, 400, "unsupported_endpoint"),
        (Endpoint::Chat, r#"{"model":"m","messages":[]}"#, 400, "invalid_messages"),
        (Endpoint::Chat, "not json", 400, "invalid_json"),
    ] {
        let refusal = ask_as(&engine, endpoint, body, Standing::default()).all().refused.expect(body);
        assert_eq!((refusal.status, refusal.code), (status, code), "{body}");
    }
}

#[test]
fn chat_goes_through_the_template() {
    let engine = llama(|_| {});
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{}}}"#, endless(4, ""));
    let heard = ask_as(&engine, Endpoint::Chat, &body, Standing::default()).all();
    // <|im_start|> user \n hi <|im_end|> \n <|im_start|> assistant \n
    assert_eq!(whole(&heard).usage().input_tokens, 1 + 4 + 1 + 1 + 1 + 1 + 1 + 9 + 1);
}

#[test]
fn an_answer_that_is_dropped_frees_its_slot() {
    let engine = llama(|settings| settings.max_sequences = 1);
    let mut first = complete(&engine, "hello", &endless(500, ""));
    assert!(matches!(first.next(usize::MAX), Said::Item(_)));
    let waiting = complete(&engine, "hello", &endless(3, ""));
    drop(first);
    assert_eq!(whole(&waiting.all()).usage().output_tokens, 3);
}

#[test]
fn an_answer_that_is_dropped_while_it_waits_is_forgotten() {
    let engine = llama(|settings| (settings.max_sequences, settings.queue) = (1, 2));
    let mut first = complete(&engine, "hello", &endless(500, ""));
    assert!(matches!(first.next(usize::MAX), Said::Item(_)));
    for _ in 0..20 {
        drop(complete(&engine, "hello", &endless(3, "")));
    }
    let last = complete(&engine, "hello", &endless(3, ""));
    drop(first);
    assert_eq!(whole(&last.all()).usage().output_tokens, 3);
}

/// Weights of items taken until there is none.
fn drain(answer: &mut dyn hoosh_core::engine::Answer) -> usize {
    let mut weight = 0;
    while let Said::Item(item) = answer.next(usize::MAX) {
        weight += item.weight();
    }
    weight
}

#[test]
fn a_slow_reader_stops_its_own_sequence_alone() {
    let shape = Shape { context: 60_000, ..Shape::new("llama") };
    let engine = engine(&shape, |_| {});
    // Twenty logprobs with each token fill what an engine may go ahead soon.
    let mut slow = complete(&engine, "slow", &endless(2_000, r#""logprobs":20"#));
    let Said::Item(first) = slow.next(usize::MAX) else { panic!("an item") };
    let other = complete(&engine, "fast", &endless(1_000, "")).all();
    assert_eq!(whole(&other).usage().output_tokens, 1_000);
    // It has not gone on behind the reader's back by more than one item.
    let held = drain(&mut *slow.answer);
    assert!(held < AHEAD + 2 * first.weight(), "{held} bytes were held");
    let heard = slow.all();
    assert_eq!(whole(&heard).usage().output_tokens, 2_000);
}

#[test]
fn an_item_that_weighs_more_than_the_credit_waits() {
    let engine = llama(|_| {});
    let mut asked = complete(&engine, "hello", &endless(3, r#""logprobs":20"#));
    let mut rest = loop {
        // Nothing of it fits into one byte; the loop ends when there is something.
        assert!(matches!(asked.answer.next(1), Said::Nothing));
        if let Said::Item(item) = asked.answer.next(usize::MAX) {
            break vec![item];
        }
        std::thread::yield_now();
    };
    rest.extend(asked.all().items);
    assert!(matches!(rest.last(), Some(Item::Usage(usage)) if usage.output_tokens == 3));
}

#[test]
fn who_waits_goes_by_priority_and_then_by_turn() {
    let engine = llama(|settings| settings.max_sequences = 1);
    let mut blocker = complete(&engine, "hello", &endless(500, ""));
    assert!(matches!(blocker.next(usize::MAX), Said::Item(_)));
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tiers = [1, 3, 0, 2, 4, 2, 1, 4];
    std::thread::scope(|scope| {
        for (index, tier) in tiers.into_iter().enumerate() {
            let standing = Standing { priority: Priority::ALL[tier], tenant: None };
            let mut asked = complete_as(&engine, "hello", &endless(2, ""), standing);
            let order = order.clone();
            scope.spawn(move || loop {
                match asked.next(usize::MAX) {
                    Said::Item(Item::Finish { .. }) => order.lock().expect("whole").push((index, tier)),
                    Said::Item(_) => {}
                    said => {
                        assert!(matches!(said, Said::End), "{said:?}");
                        return;
                    }
                }
            });
        }
        // Nobody leaves the line while the slot is taken.
        wait_until(|| engine.busy("m").is_some_and(|busy| busy.waiting == tiers.len()));
        drop(blocker);
    });
    let order = order.lock().expect("whole").clone();
    let mut expected: Vec<(usize, usize)> = tiers.into_iter().enumerate().collect();
    expected.sort_by_key(|(index, tier)| (std::cmp::Reverse(*tier), *index));
    assert_eq!(order, expected);
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_full_line_is_refused_with_a_time_to_come_again() {
    let engine = llama(|settings| (settings.max_sequences, settings.queue) = (1, 2));
    let mut blocker = complete(&engine, "hello", &endless(500, ""));
    assert!(matches!(blocker.next(usize::MAX), Said::Item(_)));
    let waiting = [complete(&engine, "a", &endless(1, "")), complete(&engine, "b", &endless(1, ""))];
    let refusal = complete(&engine, "c", "").all().refused.expect("refused");
    assert_eq!((refusal.status, refusal.code), (503, "engine_full"));
    assert!(refusal.retry_after_secs.is_some_and(|seconds| seconds >= 1));
    drop(blocker);
    for asked in waiting {
        whole(&asked.all());
    }
}

#[test]
fn keys_and_values_stay_within_their_bytes() {
    // Room for 256 tokens in all: two calls of 100 tokens fit, in blocks of 64.
    let shape = Shape::new("llama");
    let token_bytes = (shape.layers * 2 * shape.kv_heads * shape.head_size * 4) as u64;
    let engine = engine(&shape, |settings| settings.kv_bytes = 256 * token_bytes);
    assert_eq!(engine.cards()[0].context, Some(256), "a sequence alone must fit");
    let asked: Vec<_> = (0..6).map(|_| complete(&engine, &"x".repeat(60), &endless(40, ""))).collect();
    for asked in asked {
        assert_eq!(whole(&asked.all()).usage().output_tokens, 40);
    }
    let refusal = complete(&engine, &"x".repeat(60), &endless(100, r#""n":2"#)).all().refused.expect("refused");
    assert_eq!((refusal.status, refusal.code), (400, "out_of_range"));
}

#[test]
fn a_prompt_that_begins_as_one_before_is_not_computed_again() {
    let engine = llama(|_| {});
    let tenant = |tenant| Standing { tenant, ..Standing::default() };
    let prompt = "all that is gold does not glitter, ".repeat(6);
    let ask = |prompt: &str, standing| {
        let heard = complete_as(&engine, prompt, &endless(8, r#""temperature":0"#), standing).all();
        (whole(&heard).text(0), heard.usage())
    };
    let (first, usage) = ask(&prompt, tenant(Some(1)));
    let length = usage.input_tokens;
    assert_eq!(usage.cached_tokens, 0);
    let (again, usage) = ask(&prompt, tenant(Some(1)));
    assert_eq!((again, usage.cached_tokens), (first.clone(), length - 1), "the last one is always computed");
    let longer = format!("{prompt}{first} and on");
    let (on, usage) = ask(&longer, tenant(Some(1)));
    assert!(usage.cached_tokens >= length, "{usage:?}");
    let (alone, usage) = ask(&longer, tenant(None));
    assert_eq!((alone, usage.cached_tokens), (on, 0), "without a tenant nothing is shared");
    assert_eq!(ask(&prompt, tenant(Some(2))).1.cached_tokens, 0, "nor with another one");
}

#[test]
fn a_model_is_loaded_when_asked_and_unloaded_when_told() {
    let engine = llama(|_| {});
    let loaded = || engine.cards()[0].loaded;
    assert!(!loaded() && !engine.unload("m"));
    let mut told = Vec::new();
    engine.load("m", &mut |done, all| told.push((done, all))).expect("loaded");
    assert!(loaded());
    assert!(told.iter().all(|(done, all)| done <= all), "{told:?}");
    assert!(engine.unload("m"));
    wait_until(|| !loaded());
    whole(&complete(&engine, "hello", &endless(3, "")).all());
    assert!(loaded());
    assert!(engine.load("x", &mut |_, _| {}).is_err_and(|refusal| refusal.status == 404));
}

#[test]
fn unloading_waits_for_those_who_are_answered() {
    let engine = llama(|_| {});
    let mut asked = complete(&engine, "hello", &endless(60, ""));
    assert!(matches!(asked.next(usize::MAX), Said::Item(_)));
    assert!(engine.unload("m"));
    assert_eq!(whole(&asked.all()).usage().output_tokens, 60);
    wait_until(|| !engine.cards()[0].loaded);
}

#[test]
fn a_model_that_nobody_asks_goes() {
    let engine = llama(|settings| settings.idle_unload = Some(Duration::from_millis(20)));
    whole(&complete(&engine, "hello", &endless(3, "")).all());
    wait_until(|| !engine.cards()[0].loaded);
    whole(&complete(&engine, "hello", &endless(3, "")).all());
}

#[test]
fn models_make_room_for_each_other() {
    let file = || Source::Bytes(Shape::new("llama").bytes());
    let model = |name: &str| ModelSource { name: name.into(), file: file(), context: None };
    let settings =
        Settings { models: vec![model("a"), model("b")], threads: 1, kv_bytes: 1 << 20, ..Settings::default() };
    let one = Candle::new(settings.clone()).cards()[0].memory_bytes.expect("known");
    let engine = Candle::new(Settings { memory_bytes: Some(one * 3 / 2), ..settings });
    let ask = |name: &str, tokens| {
        let body = format!(r#"{{"model":"{name}","prompt":"hello",{}}}"#, endless(tokens, ""));
        ask_as(&engine, Endpoint::Completions, &body, Standing::default())
    };
    whole(&ask("a", 3).all());
    whole(&ask("b", 3).all());
    assert_eq!(engine.cards().iter().map(|card| card.loaded).collect::<Vec<_>>(), [false, true]);
    // One that is in use makes no room.
    let mut busy = ask("b", 400);
    assert!(matches!(busy.next(usize::MAX), Said::Item(_)));
    let refusal = ask("a", 3).all().refused.expect("refused");
    assert_eq!((refusal.status, refusal.code), (503, "engine_full"));
    drop(busy);
    let small = Candle::new(Settings { models: vec![model("a")], memory_bytes: Some(1000), ..Settings::default() });
    assert!(small.load("a", &mut |_, _| {}).is_err_and(|refusal| refusal.message.contains("1000")));
}

#[test]
fn a_file_that_is_no_model_fails_for_the_operator_and_can_be_mended() {
    let path = std::env::temp_dir().join(format!("hoosh-candle-{}.gguf", std::process::id()));
    std::fs::write(&path, b"no model").expect("written");
    let models = vec![ModelSource { name: "m".into(), file: Source::Path(path.clone()), context: None }];
    let engine = Candle::new(Settings { models, threads: 1, ..Settings::default() });
    assert_eq!(engine.cards()[0].context, None);
    for _ in 0..2 {
        assert!(complete(&engine, "hello", "").all().failed.is_some());
    }
    let mended = path.with_extension("new");
    std::fs::write(&mended, Shape::new("llama").bytes()).expect("written");
    std::fs::rename(&mended, &path).expect("renamed");
    whole(&complete(&engine, "hello", &endless(3, "")).all());
    assert_eq!(engine.cards()[0].context, Some(512));
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn weights_that_are_no_numbers_fail_their_calls_only() {
    // The last number of the file is one of the output's matrix.
    let mut bytes = Shape::new("llama").bytes().to_vec();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let models = vec![ModelSource { name: "m".into(), file: Source::Bytes(bytes.into()), context: None }];
    let engine = Candle::new(Settings { models, threads: 1, ..Settings::default() });
    for _ in 0..2 {
        let heard = complete(&engine, "hello", &endless(3, "")).all();
        assert!(heard.failed.is_some_and(|why| why.contains("not a number")));
    }
}
