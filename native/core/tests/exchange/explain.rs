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
