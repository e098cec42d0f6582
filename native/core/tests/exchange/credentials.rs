//! Several credentials of one provider: who is asked with which, and what a refusal of one costs.

use hoosh_core::http::UpstreamRequest;

use super::world::*;
use super::{ANSWER, CHAT};

const KEYS: &str = r#"
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models = ["m", "n"]
api_keys = ["a", "b"]
"#;

const SPENT: &str = r#"{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;

fn secret(request: &UpstreamRequest) -> &str {
    let sent = request.headers.iter().find(|(name, _)| &name[..] == b"authorization").expect("no credential");
    std::str::from_utf8(&sent.1).unwrap().strip_prefix("Bearer ").unwrap()
}

fn post(world: &World, model: &str) -> Call {
    world.post("/v1/chat/completions", &CHAT.replace("\"m\"", &format!("\"{model}\"")))
}

/// Which credential a request is asked with; it is answered well.
fn answered_with(world: &mut World, model: &str) -> String {
    let mut call = post(world, model);
    let (u, request) = call.sent(world);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(world).status, 200);
    call.over(world);
    secret(&request).to_string()
}

/// A world in which one credential was answered `status`, after which the request went on with the other.
fn refused_once(status: u16, headers: &[(&str, &str)], body: &str) -> (World, String) {
    let mut world = World::new(KEYS);
    let mut call = post(&world, "m");
    let (u, first) = call.sent(&mut world);
    let before = world.now_us();
    call.exchange.head(u, status, &headers.to_vec());
    call.exchange.data(u, bytes::Bytes::copy_from_slice(body.as_bytes()));
    call.exchange.end(u);
    let (u, second) = call.sent(&mut world);
    assert_eq!(world.now_us(), before, "at once");
    assert_ne!(secret(&first), secret(&second));
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
    call.over(&mut world);
    assert_eq!(world.rows().last().unwrap().usage.total(), 9, "a refusal is not charged");
    (world, secret(&first).to_string())
}

#[test]
fn they_are_asked_in_turn() {
    let mut world = World::new(KEYS);
    let turns: Vec<String> = (0..4).map(|_| answered_with(&mut world, "m")).collect();
    assert_eq!(turns, ["a", "b", "a", "b"]);
}

#[test]
fn a_refused_one_is_left_out_and_the_request_goes_on_with_the_next() {
    for status in [401, 403] {
        let (mut world, refused) = refused_once(status, &[], "");
        for model in ["m", "n", "m", "n"] {
            assert_ne!(answered_with(&mut world, model), refused, "{status}");
        }
        assert_eq!(world.metric("hoosh_provider_up{provider=\"one\"}"), "1");
        let number = if refused == "a" { "1" } else { "2" };
        let name = format!("hoosh_credential_up{{provider=\"one\",credential=\"{number}\"}}");
        assert_eq!(world.metric(&name), "0");
    }
}

#[test]
fn a_429_leaves_one_out_for_that_model_alone() {
    let (mut world, throttled) = refused_once(429, &[("retry-after", "30")], "");
    for _ in 0..3 {
        assert_ne!(answered_with(&mut world, "m"), throttled);
    }
    let others = [answered_with(&mut world, "n"), answered_with(&mut world, "n")];
    assert!(others.contains(&throttled), "another model has another quota");
    world.pass_seconds(31);
    let after = [answered_with(&mut world, "m"), answered_with(&mut world, "m")];
    assert!(after.contains(&throttled));
}

#[test]
fn spent_money_is_not_asked_for_again_with_the_same_credential() {
    for (status, body) in [(402, ""), (429, SPENT)] {
        let (mut world, spent) = refused_once(status, &[], body);
        assert_ne!(answered_with(&mut world, "m"), spent, "{status}");
        // Alone it is told at once, without a retry, in the operator's words.
        let mut world = World::new(ONE);
        let mut call = post(&world, "m");
        let (u, _) = call.sent(&mut world);
        call.answer(u, status, "application/json", body);
        assert_eq!(call.reply(&mut world).error(), (502, None, "upstream_quota_exhausted".into()));
        call.over(&mut world);
        let reply = post(&world, "m").reply(&mut world);
        assert_eq!(reply.error(), (502, Some("10"), "upstream_quota_exhausted".into()));
    }
}

#[test]
fn when_all_are_out_the_provider_is_for_their_reason() {
    let mut world = World::new(KEYS);
    let mut call = post(&world, "m");
    for _ in 0..2 {
        let (u, _) = call.sent(&mut world);
        call.refuse(u, 401, &[]);
    }
    let reply = call.reply(&mut world);
    assert_eq!(reply.error(), (502, None, "upstream_credential_rejected".into()));
    call.over(&mut world);
    assert_eq!(world.rows().last().unwrap().attempts, 2);
    assert_eq!(post(&world, "m").reply(&mut world).error().2, "upstream_unavailable");
    assert_eq!(world.metric("hoosh_provider_up{provider=\"one\"}"), "0");
    // Throttled on both, a second later they are asked again.
    let mut world = World::new(KEYS);
    let mut call = post(&world, "m");
    for _ in 0..2 {
        let (u, _) = call.sent(&mut world);
        call.refuse(u, 429, &[]);
    }
    let before = world.now_us();
    let (u, _) = call.sent(&mut world);
    assert_eq!(world.now_us() - before, 1_000_000);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
}

#[test]
fn max_attempts_bounds_the_credentials_of_one_request_too() {
    let many = KEYS.replace(r#"["a", "b"]"#, r#"["a", "b", "c", "d", "e"]"#);
    let mut world = World::new(&many);
    let mut call = post(&world, "m");
    for _ in 0..3 {
        let (u, _) = call.sent(&mut world);
        call.refuse(u, 401, &[]);
    }
    assert_eq!(call.reply(&mut world).error().2, "upstream_credential_rejected");
}

#[test]
fn a_refused_credential_lets_another_provider_answer() {
    let mut world = World::new(TWO);
    let mut call = post(&world, "m");
    let (u, _) = call.sent(&mut world);
    call.refuse(u, 401, &[]);
    let (u, request) = call.sent(&mut world);
    assert_eq!(request.origin.port, 2);
    call.answer(u, 200, "application/json", ANSWER);
    assert_eq!(call.reply(&mut world).status, 200);
}

#[test]
fn the_callers_own_fault_benches_nobody() {
    let mut world = World::new(KEYS);
    for status in [400, 404, 409, 413, 422].into_iter().cycle().take(20) {
        let mut call = post(&world, "m");
        let (u, _) = call.sent(&mut world);
        call.refuse(u, status, &[]);
        assert_eq!(call.reply(&mut world).status, status);
        call.over(&mut world);
    }
    assert_ne!(answered_with(&mut world, "m"), answered_with(&mut world, "m"), "both are well");
    assert!(world.gateway.health().iter().all(|(_, state)| state.failures == 0));
}

#[test]
fn a_reload_remembers_those_that_stay_and_trusts_those_that_are_new() {
    let (mut world, refused) = refused_once(401, &[], "");
    world.reload(&KEYS.replace(r#"["a", "b"]"#, r#"["b", "a"]"#));
    for _ in 0..3 {
        assert_ne!(answered_with(&mut world, "m"), refused, "in another order it is the same one");
    }
    world.reload(&KEYS.replace(&format!("\"{refused}\""), "\"mended\""));
    let turns = [answered_with(&mut world, "m"), answered_with(&mut world, "m")];
    assert!(turns.contains(&"mended".to_string()), "{turns:?}");
}

#[test]
fn the_loop_finds_out_when_a_credential_is_accepted_again() {
    use hoosh_core::gateway::{LoopResult, LoopStep};
    let (mut world, refused) = refused_once(401, &[], "");
    world.now.mono_us += 10_000_000;
    let probe = |world: &World| loop {
        match world.gateway.next(world.now) {
            LoopStep::Fetch { id, request, .. } => return Some((id, request)),
            LoopStep::Wait { .. } => return None,
            _ => {}
        }
    };
    let (id, request) = probe(&world).expect("no probe");
    assert_eq!(secret(&request), refused);
    world.gateway.done(id, LoopResult::Fetched(Ok((401, bytes::Bytes::new()))), world.now);
    assert!(probe(&world).is_none(), "it is given twice the time");
    world.now.mono_us += 20_000_000;
    let (id, _) = probe(&world).expect("no second probe");
    world.gateway.done(id, LoopResult::Fetched(Ok((200, bytes::Bytes::new()))), world.now);
    assert_ne!(answered_with(&mut world, "m"), answered_with(&mut world, "m"), "both are asked again");
}

#[test]
fn a_type_says_which_header_a_key_goes_into_and_which_ids_it_takes() {
    let azure = KEYS.replace("openai_compatible", "azure");
    for (config, header, value) in [(KEYS, "authorization", "Bearer a"), (&azure, "api-key", "a")] {
        let mut world = World::new(config);
        let mut call = post(&world, "m");
        let (_, request) = call.sent(&mut world);
        let told = |name: &str| {
            let all = request.headers.iter().filter(move |(known, _)| known == name);
            all.map(|(_, value)| std::str::from_utf8(value).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(told(header), [value]);
        assert_eq!(told("authorization").len() + told("api-key").len(), 1, "{config}");
    }
    for (type_name, sent) in [("openai_compatible", true), ("llamacpp", false)] {
        let mut world = World::new(&KEYS.replace("openai_compatible", type_name));
        let mut call = world.begin_with("POST", "/v1/chat/completions", Some(CHAT), &[("x-request-id", "mine")]);
        let (_, request) = call.sent(&mut world);
        assert_eq!(request.headers.iter().any(|(name, _)| name == "x-request-id"), sent, "{type_name}");
    }
}
