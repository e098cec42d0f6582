//! What is reserved of a budget is what the upstream may spend.

use super::world::*;
use super::CHAT;

/// The request as it is sent to the upstream.
fn sent(target: &str, body: &str) -> String {
    let mut world = World::new(&GUARDED.replace("300", "3_000"));
    world.key = Some("secret");
    let mut call = world.post(target, body);
    let (_, request) = call.sent(&mut world);
    String::from_utf8(request.body.to_vec()).unwrap()
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
