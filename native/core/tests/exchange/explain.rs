//! `POST /v1/explain`: it says what then happens, and nothing happens by its being asked.

use serde_json::Value;

use super::world::*;
use super::{ANSWER, CHAT};

fn explain(world: &mut World, more: &str, body: &str) -> Value {
    let mut call = world.post("/v1/explain", &format!("{{\"body\":{body}{more}}}"));
    let reply = call.reply(world);
    call.over(world);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

fn candidate<'a>(told: &'a Value, provider: &str) -> &'a Value {
    let all = told["candidates"].as_array().unwrap();
    all.iter().find(|candidate| candidate["provider"] == provider).unwrap_or_else(|| panic!("{told:#}"))
}

/// The code with which it says that a request would be refused, which must be the one that is then met.
fn refusal(world: &mut World, body: &str) -> String {
    let told = explain(world, "", body);
    assert_eq!(told["outcome"], "refused", "{told:#}");
    let reply = world.chat(body, ANSWER);
    let met = reply.error();
    assert_eq!(told["refusal"]["code"], Value::from(met.2.clone()), "{told:#}");
    assert_eq!(told["refusal"]["status"], met.0);
    assert_eq!(told["refusal"]["retry_after_secs"].as_u64().map(|secs| secs.to_string()).as_deref(), met.1);
    met.2
}

#[test]
fn candidates_stand_in_the_order_in_which_they_are_asked() {
    let mut world = World::new(&format!("{TWO}[[providers]]\ntype = \"vllm\"\nmodels = [\"x*\"]\n"));
    let told = explain(&mut world, "", CHAT);
    assert_eq!((&told["outcome"], &told["refusal"]), (&Value::from("asked"), &Value::Null), "{told:#}");
    assert_eq!(candidate(&told, "one")["order"], 1);
    assert_eq!(candidate(&told, "two")["order"], 2);
    assert_eq!(candidate(&told, "vllm")["excluded"]["reason"], "model_not_served");
    assert_eq!((&told["strategy"], &told["max_attempts"]), (&Value::from("priority"), &Value::from(3)));
    assert_eq!(told["deadlines"]["total_secs"], 600);
    assert_eq!((&told["request"]["model"], &told["request"]["key"]), (&Value::from("m"), &Value::from("anonymous")));
    let named = explain(&mut world, "", &CHAT.replace("\"m\"", "\"two/m\""));
    assert_eq!(candidate(&named, "one")["excluded"]["reason"], "model_not_served");
    assert_eq!(candidate(&named, "two")["order"], 1);
}

#[test]
fn asking_asks_nobody_takes_no_turn_and_books_nothing() {
    let text = format!("[server]\nstrategy = \"round_robin\"\n{TWO}").replace("priority = 2", "priority = 1");
    let mut world = World::new(&text);
    let first = explain(&mut world, "", CHAT);
    for _ in 0..5 {
        assert_eq!(explain(&mut world, "", CHAT), first);
    }
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, request) = call.sent(&mut world);
    let asked = if request.origin.port == 1 { "one" } else { "two" };
    assert_eq!(candidate(&first, asked)["order"], 1);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.rows().len(), 1);
    assert_eq!(world.metric("hoosh_requests_total{endpoint=\"other\",status_class=\"2xx\",ending=\"completed\"}"), "6");
}

#[test]
fn what_it_refuses_is_refused() {
    let mut world = World::new(ONE);
    for (body, code) in [
        (CHAT.replace("\"m\"", "\"n\""), "model_not_found"),
        (CHAT.replace("}]", "}],\"pool\":\"none\""), "unknown_budget"),
        (CHAT.replace("}]", "}],\"temperature\":9"), "invalid_value"),
        ("{\"model\":\"m\"}".to_owned(), "missing_required_parameter"),
    ] {
        assert_eq!(refusal(&mut world, &body), code);
    }
}

#[test]
fn a_provider_that_failed_is_excluded_for_so_long() {
    for (status, reason, code) in
        [(401, "credential_rejected", "upstream_unavailable"), (429, "throttled", "upstream_rate_limited")]
    {
        let mut world = World::new(&format!("[retry]\nmax_attempts = 1\n{ONE}"));
        let mut call = world.post("/v1/chat/completions", CHAT);
        let (u, _) = call.sent(&mut world);
        call.refuse(u, status, &[("retry-after", "7")]);
        call.reply(&mut world);
        call.over(&mut world);
        let told = explain(&mut world, "", CHAT);
        let excluded = &candidate(&told, "one")["excluded"];
        assert_eq!(excluded["reason"], reason);
        assert_eq!(excluded["retry_in_secs"], if status == 429 { 7 } else { 10 });
        assert_eq!(refusal(&mut world, CHAT), code);
    }
}

#[test]
fn rates_of_a_key_and_of_a_provider_are_looked_at_and_not_taken() {
    for (text, code) in [
        (format!("[auth]\ntokens = [{{ token = \"secret\", rate_limit_rpm = 1 }}]\n{ONE}"), "rate_limit_exceeded"),
        (format!("[auth]\ntokens = [\"secret\"]\n{ONE}rate_limit_rpm = 1\n"), "rate_limit_exceeded"),
    ] {
        let mut world = World::new(&text);
        world.key = Some("secret");
        for _ in 0..3 {
            assert_eq!(explain(&mut world, "", CHAT)["outcome"], "asked");
        }
        assert_eq!(world.chat(CHAT, ANSWER).status, 200);
        assert_eq!(refusal(&mut world, CHAT), code);
    }
}

#[test]
fn places_are_counted_and_whoever_would_wait_is_told() {
    let text = format!("[limits]\nmax_concurrency = 1\nmax_waiting = 1\n{ONE}max_concurrency = 1\n");
    let mut world = World::new(&text);
    assert_eq!(explain(&mut world, "", CHAT)["limits"][0]["verdict"], "passes");
    let mut busy = world.post("/v1/chat/completions", CHAT);
    busy.sent(&mut world);
    let told = explain(&mut world, "", CHAT);
    assert_eq!((&told["outcome"], &told["limits"][0]["verdict"]), (&Value::from("waits"), &Value::from("waits")));
    let one = candidate(&told, "one");
    assert_eq!((&one["waits"], &one["in_progress"], &one["max_concurrency"]), (&true.into(), &1.into(), &1.into()));
    let mut waiting = world.post("/v1/chat/completions", CHAT);
    assert!(!waiting.pump(&mut world));
    assert_eq!(refusal(&mut world, CHAT), "concurrency_limit_exceeded");
}

#[test]
fn a_budget_says_what_it_would_grant() {
    let mut world =
        World::new(&ONE.replace("[[providers]]", "[[budgets]]\nname = \"default\"\ncapacity = 300\n[[providers]]"));
    let told = explain(&mut world, "", CHAT);
    let granted = told["budget"]["granted_tokens"].as_u64().unwrap();
    let cap = told["request"]["output_cap_tokens"].as_u64().unwrap();
    assert_eq!((&told["budget"]["name"], &told["budget"]["reserved"]), (&Value::from("default"), &Value::from(0)));
    let mut call = world.post("/v1/chat/completions", CHAT);
    let (u, request) = call.sent(&mut world);
    let sent = String::from_utf8_lossy(request.body.bytes()).into_owned();
    assert!(sent.contains(&format!("\"max_tokens\":{cap}")), "{sent} {told:#}");
    let busy = explain(&mut world, "", CHAT);
    assert_eq!(busy["budget"]["reserved"].as_u64(), Some(granted));
    assert_eq!(refusal(&mut world, CHAT), "budget_exceeded");
    call.answer(u, 200, "application/json", ANSWER);
    call.reply(&mut world);
    call.over(&mut world);
    assert_eq!(explain(&mut world, "", CHAT)["budget"]["used"], 9);
}

#[test]
fn the_cache_says_hit_miss_or_bypass_under_a_key() {
    let mut world = World::new(CACHED);
    let before = explain(&mut world, "", CHAT);
    assert_eq!((&before["cache"]["result"], &before["outcome"]), (&Value::from("miss"), &Value::from("asked")));
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    let after = explain(&mut world, "", CHAT);
    assert_eq!((&after["cache"]["result"], &after["outcome"]), (&Value::from("hit"), &Value::from("cached")));
    assert_eq!(after["cache"]["key"], before["cache"]["key"]);
    assert_eq!(before["cache"]["key"].as_str().unwrap().len(), 64);
    let mut world = World::new(&CACHED.replace("mode = \"always\"\n", ""));
    assert_eq!(explain(&mut world, "", CHAT)["cache"]["result"], "bypass");
    assert_eq!(explain(&mut World::new(ONE), "", CHAT)["cache"], Value::Null);
}

#[test]
fn in_the_name_of_a_key_its_scope_and_budget_hold() {
    let text =
        "[auth]\ntokens = [\"secret\", { token = \"t\", name = \"team\", models = [\"two/m\"], budget = \"b\" }]\n\
                [[budgets]]\nname = \"b\"\ncapacity = 5_000\n";
    let mut world = World::new(&format!("{text}{TWO}"));
    world.key = Some("secret");
    let told = explain(&mut world, ",\"key\":\"team\"", CHAT);
    assert_eq!(candidate(&told, "one")["excluded"]["reason"], "key_scope");
    assert_eq!((&told["request"]["key"], &told["budget"]["name"]), (&Value::from("team"), &Value::from("b")));
    let own = explain(&mut world, "", CHAT);
    assert_eq!((&candidate(&own, "one")["order"], &own["budget"]), (&1.into(), &Value::Null));
    // It names every provider and budget.
    world.key = Some("t");
    assert_eq!(world.post("/v1/explain", "{}").reply(&mut world).error().2, "path_not_allowed");
}

#[test]
fn a_question_that_cannot_be_read_is_refused() {
    let mut world = World::new(ONE);
    for (body, code) in [
        ("{", "invalid_json"),
        ("{}", "missing_required_parameter"),
        ("{\"body\":3}", "missing_required_parameter"),
        ("{\"body\":{},\"endpoint\":\"speech\"}", "invalid_value"),
        ("{\"body\":{},\"endpoint\":3}", "invalid_value"),
        ("{\"body\":{},\"key\":\"nobody\"}", "invalid_value"),
    ] {
        assert_eq!(world.post("/v1/explain", body).reply(&mut world).error().2, code, "{body}");
    }
    assert_eq!(world.get("/v1/explain").status, 405);
    let long = format!("{{\"body\":{{\"x\":\"{}\"}}}}", "x".repeat(1 << 20));
    assert_eq!(world.post("/v1/explain", &long).reply(&mut world).error().2, "request_too_large");
}

#[test]
fn embeddings_in_slices_are_explained_too() {
    let mut world =
        World::new(&format!("[limits]\nmax_inputs = 1\n[[budgets]]\nname = \"default\"\ncapacity = 9_000\n{ONE}"));
    let told = explain(&mut world, ",\"endpoint\":\"embeddings\"", "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}");
    assert_eq!((&told["outcome"], &told["request"]["endpoint"]), (&Value::from("asked"), &Value::from("embeddings")));
    assert_eq!(told["budget"]["needed_tokens"], told["budget"]["wanted_tokens"]);
    assert_eq!(told["request"]["output_cap_tokens"], Value::Null);
}

/// The provider that a request is put to, its request, and how long its first byte is waited for, seconds.
fn asked(world: &mut World, body: &str) -> (String, String, u64) {
    let mut call = world.post("/v1/chat/completions", body);
    let (_, request) = call.sent(world);
    let waits = call.waits(world).unwrap() / 1_000_000;
    let name = ["one", "two", "three"][usize::from(request.origin.port) - 1];
    (name.into(), String::from_utf8_lossy(request.body.bytes()).into_owned(), waits)
}

/// Of three providers the first takes no tools.
const THREE: &str = r#"
[server]
strategy = "round_robin"
[[models]]
name = "m"
provider = "one"
tools = false
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m"]
[[providers]]
name = "two"
type = "openai_compatible"
base_url = "http://127.0.0.1:2/v1"
models = ["m"]
[[providers]]
name = "three"
type = "openai_compatible"
base_url = "http://127.0.0.1:3/v1"
models = ["m"]
"#;

#[test]
fn turns_go_round_among_those_who_can_do_it() {
    let tools = CHAT.replacen('{', r#"{"tools":[{"type":"function","function":{"name":"f"}}],"#, 1);
    let mut world = World::new(THREE);
    for turn in 0..6 {
        let told = explain(&mut world, "", &tools);
        assert_eq!(candidate(&told, "one")["excluded"]["reason"], "takes_no_tools");
        let (name, ..) = asked(&mut world, &tools);
        assert_eq!(candidate(&told, &name)["order"], 1, "turn {turn}: {name} {told:#}");
    }
}

#[test]
fn deadlines_are_those_of_whoever_would_be_asked() {
    let text = format!(
        "[deadlines]\nfirst_byte_secs = 100\n[[routes]]\nmodel = \"m-*\"\nfirst_byte_secs = 200\ntotal_secs = 300\n{}",
        TWO.replace("\"m\"", "\"m\", \"m-slow\"").replace("priority = 1", "priority = 1\nfirst_byte_secs = 70")
    );
    let mut world = World::new(&text);
    for (model, first, other) in [("m", 70, 100), ("m-slow", 200, 200), ("two/m", 100, 0)] {
        let body = CHAT.replace("\"m\"", &format!("\"{model}\""));
        let told = explain(&mut world, "", &body);
        let (name, _, waits) = asked(&mut world, &body);
        assert_eq!(waits, first);
        assert_eq!(told["deadlines"]["first_byte_secs"], first, "{told:#}");
        assert_eq!(candidate(&told, &name)["deadlines"], told["deadlines"]);
        assert_eq!(told["deadlines"]["total_secs"], if model == "m-slow" { 300 } else { 600 });
        if other > 0 {
            assert_eq!(candidate(&told, "two")["deadlines"]["first_byte_secs"], other);
        }
    }
}

#[test]
fn the_caller_says_how_old_a_kept_answer_may_be() {
    let mut world = World::new(CACHED);
    assert_eq!(world.chat(CHAT, ANSWER).status, 200);
    world.pass_seconds(20);
    for (control, result) in
        [("max-age=10", "miss"), ("max-age=30", "hit"), ("no-cache", "bypass"), ("no-store", "bypass")]
    {
        world.control = Some(control);
        let told = explain(&mut world, "", CHAT);
        assert_eq!(told["cache"]["result"], result, "{control}");
        let mut call = world.post("/v1/chat/completions", CHAT);
        assert_eq!(call.is_hit(&mut world), told["outcome"] == "cached", "{control}");
    }
}

#[test]
fn a_kept_answer_that_cannot_be_told_in_the_other_form_is_a_miss() {
    let mut world = World::new(CACHED);
    let odd = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"x","strange":[1]},"finish_reason":"stop"}]}"#;
    assert_eq!(world.chat(CHAT, odd).status, 200);
    let stream = CHAT.replacen('{', "{\"stream\":true,", 1);
    let told = explain(&mut world, "", &stream);
    let is_hit = world.post("/v1/chat/completions", &stream).is_hit(&mut world);
    assert_eq!((told["cache"]["result"] == "hit", told["outcome"] == "cached"), (is_hit, is_hit), "{told:#}");
    assert_eq!(explain(&mut world, "", CHAT)["cache"]["result"], "hit");
}

#[test]
fn the_cap_is_the_one_that_is_sent() {
    let keys = "[auth]\ntokens = [{ token = \"secret\", max_tokens_limit = 40 }]\n";
    let model = "[[models]]\nname = \"m\"\nprovider = \"one\"\nmax_output_tokens = 30\n";
    let budget = "[[budgets]]\nname = \"default\"\ncapacity = 300\n";
    for (text, named, cap) in [
        (ONE.to_owned(), None, None),
        (ONE.to_owned(), Some(7), Some(7)),
        (format!("{keys}{ONE}"), None, Some(40)),
        (format!("{keys}{ONE}"), Some(90), Some(40)),
        (format!("{keys}{ONE}"), Some(7), Some(7)),
        (format!("{ONE}max_tokens_limit = 20\n"), None, Some(20)),
        (format!("{keys}{model}{ONE}"), None, Some(30)),
        (format!("{model}{ONE}"), None, None),
        (format!("{model}{ONE}"), Some(90), Some(30)),
        (format!("{keys}{budget}{ONE}"), Some(90), Some(40)),
    ] {
        let mut world = World::new(&text);
        world.key = text.contains("secret").then_some("secret");
        let body = named.map_or(CHAT.to_owned(), |n| CHAT.replacen('{', &format!("{{\"max_tokens\":{n},"), 1));
        let told = explain(&mut world, "", &body);
        let (_, sent, _) = asked(&mut world, &body);
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["max_tokens"].as_u64(), cap, "{text}");
        assert_eq!(told["request"]["output_cap_tokens"].as_u64(), cap, "{text} {told:#}");
        assert_eq!(candidate(&told, "one")["output_cap_tokens"].as_u64(), cap);
    }
}
