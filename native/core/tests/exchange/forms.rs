//! One kept answer for both forms: a stream's to a caller without one, and back; and what the cache is told to do.

use super::world::*;
use super::{event, finish, role, usage, word, ANSWER, CHAT, STREAM};

const WITH_USAGE: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;

/// Has the upstream stream `events` to the first caller.
fn streamed(world: &mut World, body: &str, events: &str) -> String {
    let mut call = world.post("/v1/chat/completions", body);
    let (u, _) = call.sent(world);
    call.answer(u, 200, "text/event-stream", events);
    let shown = call.stream(world);
    call.over(world);
    shown
}

fn hit(world: &mut World, body: &str) -> serde_json::Value {
    let mut call = world.post("/v1/chat/completions", body);
    let reply = call.reply(world);
    assert_eq!(reply.header("x-hoosh-cache"), Some("hit"));
    call.over(world);
    serde_json::from_slice(&reply.body).unwrap()
}

fn hit_stream(world: &mut World, body: &str) -> Vec<serde_json::Value> {
    let mut call = world.post("/v1/chat/completions", body);
    let stream = call.stream(world);
    call.over(world);
    let events =
        stream.split("\n\n").filter(|event| !event.is_empty()).map(|event| event.strip_prefix("data: ").unwrap());
    let mut events: Vec<&str> = events.collect();
    assert_eq!(events.pop(), Some("[DONE]"));
    events.into_iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

#[test]
fn a_kept_stream_is_given_whole() {
    let mut world = World::new(CACHED);
    let halves = word("a\\ud83d") + &word("\\ude00b");
    streamed(&mut world, STREAM, &(role() + &halves + &finish() + &usage() + &event("[DONE]")));
    let whole = hit(&mut world, CHAT);
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(whole["choices"][0]["message"]["content"], "a\u{1f600}b");
    assert_eq!((&whole["choices"][0]["finish_reason"], &whole["usage"]["total_tokens"]), (&"stop".into(), &10.into()));
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn a_kept_stream_with_a_call_of_a_custom_tool_is_given_whole() {
    let call = |call: &str| {
        event(&format!(
            r#"{{"id":"c1","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}},"finish_reason":null}}]}}"#
        ))
    };
    let first = call(r#"{"index":0,"id":"call_1","type":"custom","custom":{"name":"patch","input":"*** \"a"}}"#);
    let more = call(r#"{"index":0,"custom":{"input":"\" b"}}"#);
    let end = event(
        r#"{"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    );
    let mut world = World::new(CACHED);
    streamed(&mut world, STREAM, &(role() + &first + &more + &end + &usage() + &event("[DONE]")));
    let whole = hit(&mut world, CHAT);
    let calls =
        serde_json::json!([{"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** \"a\" b"}}]);
    assert_eq!(whole["choices"][0]["message"]["tool_calls"], calls);
    assert_eq!(world.rows().len(), 1);
    // One call is of one kind.
    let mut world = World::new(CACHED);
    let other = call(r#"{"index":0,"function":{"arguments":"{}"}}"#);
    streamed(&mut world, STREAM, &(role() + &first + &other + &end + &usage() + &event("[DONE]")));
    let (_, request) = world.post("/v1/chat/completions", CHAT).sent(&mut world);
    assert_eq!(&*request.origin.host, "127.0.0.1", "nobody knows how to join them");
}

#[test]
fn a_kept_body_is_given_as_a_stream() {
    let mut world = World::new(CACHED);
    world.chat(CHAT, ANSWER);
    let chunks = hit_stream(&mut world, STREAM);
    let said: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "hello");
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == "c1"));
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()), "usage that nobody asked for");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    let chunks = hit_stream(&mut world, WITH_USAGE);
    let last = chunks.last().unwrap();
    assert_eq!((&last["usage"]["total_tokens"], last["choices"].as_array().unwrap().len()), (&9.into(), 0));
}

#[test]
fn a_kept_stream_is_given_with_usage_and_without() {
    let events = role() + &word("a") + &finish() + &usage() + &event("[DONE]");
    for first in [STREAM, WITH_USAGE] {
        let mut world = World::new(CACHED);
        streamed(&mut world, first, &events);
        let without = hit_stream(&mut world, STREAM);
        assert!(without.iter().all(|chunk| chunk.get("usage").is_none()));
        let with = hit_stream(&mut world, WITH_USAGE);
        assert_eq!((with.len(), &with.last().unwrap()["usage"]["total_tokens"]), (without.len() + 1, &10.into()));
    }
}

#[test]
fn usage_that_was_counted_is_given_again() {
    let mut world = World::new(CACHED);
    streamed(&mut world, STREAM, &(role() + &word("one two three") + &finish() + &event("[DONE]")));
    let with = hit_stream(&mut world, WITH_USAGE);
    let whole = hit(&mut world, CHAT);
    assert_eq!(whole["usage"]["completion_tokens"], 3);
    assert_eq!(with.last().unwrap()["usage"], whole["usage"]);
}

#[test]
fn calls_reasons_and_logprobs_are_kept_in_both_forms() {
    let chunk = |choice: &str| {
        event(&format!(r#"{{"id":"c1","created":5,"model":"x","service_tier":null,"choices":[{choice}]}}"#))
    };
    let delta =
        |index: u32, delta: &str| chunk(&format!(r#"{{"index":{index},"delta":{delta},"finish_reason":null}}"#));
    let events = delta(0, r#"{"role":"assistant","content":null,"refusal":null}"#)
        + &delta(1, r#"{"role":"assistant","content":""}"#)
        + &delta(
            0,
            r#"{"tool_calls":[{"index":0,"id":"k1","type":"function","function":{"name":"f","arguments":""}}]}"#,
        )
        + &delta(
            0,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}},{"index":1,"id":"k2","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
        )
        + &delta(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#)
        + &chunk(
            r#"{"index":1,"delta":{"reasoning_content":"hm","content":"yes"},"logprobs":{"content":[{"token":"yes","logprob":-0.5}],"refusal":null},"finish_reason":null}"#,
        )
        + &chunk(
            r#"{"index":1,"delta":{"content":"!"},"logprobs":{"content":[{"token":"!","logprob":-1e-9}]},"finish_reason":null}"#,
        )
        + &chunk(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#)
        + &chunk(r#"{"index":1,"delta":{},"finish_reason":"stop"}"#)
        + &usage()
        + &event("[DONE]");
    let two = |body: &str| body.replacen('{', "{\"n\":2,", 1);
    let mut world = World::new(CACHED);
    streamed(&mut world, &two(STREAM), &events);
    let whole = hit(&mut world, &two(CHAT));
    let expected = serde_json::json!([
        {"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {"role": "assistant", "content": null, "tool_calls": [
            {"id": "k1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"id": "k2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}},
        {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes!", "reasoning_content": "hm"},
         "logprobs": {"content": [{"token": "yes", "logprob": -0.5}, {"token": "!", "logprob": -1e-9}], "refusal": null}},
    ]);
    assert_eq!(whole["choices"], expected);
    // Told as a stream and joined again it is the same.
    let mut other = World::new(CACHED);
    other.chat(&two(CHAT), &whole.to_string());
    let told: String = hit_stream(&mut other, &two(STREAM)).iter().map(|chunk| event(&chunk.to_string())).collect();
    let mut third = World::new(CACHED);
    streamed(&mut third, &two(STREAM), &(told + &event("[DONE]")));
    assert_eq!(hit(&mut third, &two(CHAT))["choices"], expected);
}

#[test]
fn completions_have_both_forms_too() {
    let body = r#"{"model":"m","prompt":"hi","temperature":0}"#;
    let stream = body.replacen('{', "{\"stream\":true,", 1);
    let answer = r#"{"id":"c1","object":"text_completion","choices":[{"index":0,"text":"hello","logprobs":{"tokens":["hello"],"token_logprobs":[-1.5]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let mut world = World::new(CACHED);
    let mut call = world.post("/v1/completions", body);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 200, "application/json", answer);
    call.reply(&mut world);
    call.over(&mut world);
    let mut call = world.post("/v1/completions", &stream);
    let told = call.stream(&mut world);
    call.over(&mut world);
    let mut other = World::new(CACHED);
    let mut call = other.post("/v1/completions", &stream);
    let (u, _) = call.sent(&mut other);
    call.answer(u, 200, "text/event-stream", &told);
    call.stream(&mut other);
    call.over(&mut other);
    let mut call = other.post("/v1/completions", body);
    let reply = call.reply(&mut other);
    assert_eq!(reply.header("x-hoosh-cache"), Some("hit"));
    let (joined, first): (serde_json::Value, serde_json::Value) =
        (serde_json::from_slice(&reply.body).unwrap(), serde_json::from_str(answer).unwrap());
    assert_eq!(joined["choices"], first["choices"]);
}

#[test]
fn what_cannot_be_put_into_the_other_form_is_asked_for() {
    let odd = event(
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"a","of_tomorrow":{"x":1}},"finish_reason":null}]}"#,
    );
    let mut world = World::new(CACHED);
    streamed(&mut world, STREAM, &(role() + &odd + &finish() + &usage() + &event("[DONE]")));
    let reply = world.chat(CHAT, ANSWER);
    assert_eq!((reply.header("x-hoosh-cache"), &reply.body[..]), (Some("miss"), ANSWER.as_bytes()));
    // A follower too asks for itself, and at once.
    let mut world = World::new(CACHED);
    let mut leader = world.post("/v1/chat/completions", STREAM);
    let (u, _) = leader.sent(&mut world);
    let mut follower = world.post("/v1/chat/completions", CHAT);
    assert!(!follower.pump(&mut world));
    leader.answer(u, 200, "text/event-stream", &(role() + &odd + &finish() + &usage() + &event("[DONE]")));
    leader.stream(&mut world);
    leader.over(&mut world);
    let (u, _) = follower.sent(&mut world);
    follower.answer(u, 200, "application/json", ANSWER);
    assert_eq!(follower.reply(&mut world).header("x-hoosh-cache"), Some("miss"));
    follower.over(&mut world);
}

#[test]
fn a_follower_is_given_the_form_that_it_wants() {
    let mut world = World::new(CACHED);
    let mut leader = world.post("/v1/chat/completions", CHAT);
    let (u, _) = leader.sent(&mut world);
    let mut follower = world.post("/v1/chat/completions", STREAM);
    assert!(!follower.pump(&mut world));
    leader.answer(u, 200, "application/json", ANSWER);
    leader.reply(&mut world);
    leader.over(&mut world);
    let told = follower.stream(&mut world);
    assert!(told.contains("hello") && told.ends_with("data: [DONE]\n\n"), "{told}");
    follower.over(&mut world);
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn a_long_answer_is_put_into_the_other_form_by_a_job() {
    let mut world = World::new(CACHED);
    let long = "x".repeat(100_000);
    world.chat(CHAT, &ANSWER.replace("hello", &long));
    let mut call = world.post("/v1/chat/completions", STREAM);
    assert!(matches!(call.first_of(&mut world, &["Work", "Start"]), hoosh_core::exchange::Step::Work { .. }));
    drop(call);
    let mut call = world.post("/v1/chat/completions", STREAM);
    assert!(call.stream(&mut world).contains(&long));
    call.over(&mut world);
    drop(call);
    assert_eq!(world.gateway.buffered_bytes(), 0);
}

#[test]
fn cache_control_is_obeyed_as_http_means_it() {
    let ask = |world: &mut World, control: Option<&'static str>, answer: &str| {
        world.control = control;
        let reply = world.chat(CHAT, answer);
        let cache = reply.header("x-hoosh-cache").unwrap().to_string();
        (cache, String::from_utf8_lossy(&reply.body).contains("hello"))
    };
    let (old, new) = (ANSWER, ANSWER.replace("hello", "bonjour"));
    let mut world = World::new(CACHED);
    assert_eq!(ask(&mut world, Some("no-store"), old), ("bypass".into(), true));
    assert_eq!(ask(&mut world, None, old), ("miss".into(), true), "nothing was kept");
    // Not given what is kept, and kept itself.
    assert_eq!(ask(&mut world, Some("no-cache"), &new), ("bypass".into(), false));
    assert_eq!(ask(&mut world, None, old), ("hit".into(), false));
    assert_eq!(ask(&mut world, Some("no-store"), old), ("bypass".into(), true));
    assert_eq!(ask(&mut world, None, old), ("hit".into(), false), "what was kept is kept");
    world.pass_seconds(10);
    assert_eq!(ask(&mut world, Some("max-age=60"), old), ("hit".into(), false));
    assert_eq!(ask(&mut world, Some("max-age=5"), old), ("miss".into(), true));
    assert_eq!(ask(&mut world, Some("max-age=5"), &new), ("hit".into(), true));
}

#[test]
fn what_does_more_than_answer_is_not_cached() {
    for more in [
        r#""store":true"#,
        r#""previous_response_id":"r1""#,
        r#""web_search_options":{}"#,
        r#""tools":[{"type":"web_search"}]"#,
        r#""modalities":["text","audio"]"#,
    ] {
        let mut world = World::new(CACHED);
        let body = CHAT.replacen('{', &format!("{{{more},"), 1);
        for _ in 0..2 {
            assert_eq!(world.chat(&body, ANSWER).header("x-hoosh-cache"), Some("bypass"), "{more}");
        }
    }
    for more in [r#""store":false"#, r#""store":null"#, r#""modalities":["text"]"#, r#""tools":[{"type":"function"}]"#]
    {
        let mut world = World::new(CACHED);
        let body = CHAT.replacen('{', &format!("{{{more},"), 1);
        let results = [0, 1].map(|_| world.chat(&body, ANSWER).header("x-hoosh-cache").map(str::to_owned));
        assert_eq!(results, [Some("miss".into()), Some("hit".into())], "{more}");
    }
}

#[test]
fn the_operator_reads_what_the_cache_does_and_empties_it() {
    let mut world = World::new(CACHED);
    world.chat(CHAT, ANSWER);
    world.chat(CHAT, ANSWER);
    world.control = Some("no-store");
    world.chat(CHAT, ANSWER);
    world.control = None;
    let stats = |world: &mut World| -> serde_json::Value {
        serde_json::from_slice(&world.get("/v1/cache/stats").body).unwrap()
    };
    let told = stats(&mut world);
    for (name, value) in [
        ("hits", 1),
        ("misses", 1),
        ("bypasses", 1),
        ("shared", 0),
        ("entries", 1),
        ("max_entries", 10_000),
        ("ttl_secs", 300),
    ] {
        assert_eq!(told[name], value, "{name}: {told}");
    }
    assert_eq!((&told["hit_rate"], &told["enabled"]), (&0.5.into(), &true.into()));
    assert_eq!(&world.ask("DELETE", "/v1/cache").body[..], br#"{"object":"cache","cleared":1}"#);
    assert_eq!(stats(&mut world)["entries"], 0);
    assert!(!world.post("/v1/chat/completions", CHAT).is_hit(&mut world));
    assert_eq!(world.get("/v1/cache").header("allow"), Some("DELETE"));
    let mut off = World::new(&format!(
        "[[auth.tokens]]\ntoken = \"k\"\nmodels = [\"m\"]\n[[auth.tokens]]\ntoken = \"free\"\n{ONE}"
    ));
    assert_eq!(off.get("/v1/cache/stats").status, 401);
    off.key = Some("k");
    assert_eq!((off.get("/v1/cache/stats").status, off.ask("DELETE", "/v1/cache").status), (403, 403));
    off.key = Some("free");
    assert_eq!(&off.ask("DELETE", "/v1/cache").body[..], br#"{"object":"cache","cleared":0}"#);
    assert_eq!(stats(&mut off)["enabled"], false);
}
