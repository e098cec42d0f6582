//! What is reserved of a budget is what the upstream may spend.

use super::world::*;
use super::CHAT;

/// The request as it is sent to the upstream.
fn sent(target: &str, body: &str) -> String {
    let mut world = World::new(&GUARDED.replace("300", "3_000"));
    world.key = Some("secret");
    let mut call = world.post(target, body);
    let (_, request) = call.sent(&mut world);
    String::from_utf8(request.body.bytes().to_vec()).unwrap()
}

fn chat(caps: &str) -> String {
    sent("/v1/chat/completions", &CHAT.replacen('{', &format!("{{{caps},"), 1))
}

#[test]
fn every_cap_of_a_chat_is_lowered_to_what_was_reserved() {
    for caps in [
        r#""max_tokens":1,"max_completion_tokens":90000"#,
        r#""max_tokens":90000,"max_completion_tokens":1"#,
        r#""max_completion_tokens":1,"max_tokens":1"#,
    ] {
        let body = chat(caps);
        assert!(body.contains(r#""max_tokens":1,"#) && body.contains(r#""max_completion_tokens":1,"#), "{body}");
    }
}

#[test]
fn a_cap_within_the_budget_is_sent_as_it_came() {
    let body = chat(r#""max_tokens": 7"#);
    assert!(body.contains(r#""max_tokens": 7,"#) && !body.contains("max_completion_tokens"), "{body}");
}

#[test]
fn a_field_that_completions_do_not_know_is_no_cap() {
    let body = sent("/v1/completions", r#"{"model":"m","prompt":"hi","max_completion_tokens":5}"#);
    assert!(body.contains(r#""max_completion_tokens":5"#) && body.contains(r#""max_tokens":"#), "{body}");
}

#[test]
fn what_cannot_be_bounded_is_refused_under_a_budget() {
    let refused = |more: &str, param: &str| {
        let mut world = World::new(GUARDED);
        world.key = Some("secret");
        let body = CHAT.replacen('{', &format!("{{{more},"), 1);
        let reply = world.post("/v1/chat/completions", &body).reply(&mut world);
        assert_eq!(reply.error(), (400, None, "unbounded_input".into()), "{more}");
        let body = String::from_utf8_lossy(&reply.body);
        assert!(body.contains(&format!("\"param\":\"{param}\"")), "{body}");
    };
    refused(r#""tools":[{"type":"web_search"}]"#, "tools");
    refused(r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"mcp"}]"#, "tools");
    refused(r#""web_search_options":{}"#, "web_search_options");
    assert!(chat(r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"custom"}]"#).contains("custom"));
}

#[test]
fn every_prompt_and_choice_is_reserved_for() {
    let cap = |more: &str| {
        let body = sent("/v1/completions", &format!("{{\"model\":\"m\",\"max_tokens\":100000,{more}}}"));
        let at = body.find("\"max_tokens\":").unwrap() + 13;
        body[at..].split(',').next().unwrap().parse::<u64>().unwrap()
    };
    let one = cap(r#""prompt":"a""#);
    assert!(one > 2_700);
    for (more, answers) in [
        (r#""prompt":["a","b"]"#, 2),
        (r#""prompt":[[1,2],[3]]"#, 2),
        (r#""prompt":[1,2,3]"#, 1),
        (r#""prompt":"a","n":3"#, 3),
        (r#""prompt":"a","best_of":5,"n":2"#, 5),
        (r#""prompt":["a","b","c"],"best_of":4"#, 12),
    ] {
        let capped = cap(more) * answers;
        assert!(capped <= one && capped + 150 > one, "{more}: {capped} of {one}");
    }
}

#[test]
fn the_budget_s_name_never_travels() {
    assert!(!chat(r#""pool":null"#).contains("pool"));
}
