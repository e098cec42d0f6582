//! What a model cannot do keeps a request from it, for a reason that is told.

use super::world::*;
use super::CHAT;

const MODELS: &str = r#"
[[models]]
name = "m"
provider = "one"
tools = false
images = false
audio = false
context_tokens = 100
max_output_tokens = 50
[[models]]
name = "*"
audio = false
"#;

fn world() -> World {
    World::new(&format!("{MODELS}\n{TWO}"))
}

fn with(more: &str) -> String {
    CHAT.replacen('{', &format!("{{{more},"), 1)
}

fn says(content: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]}}"#)
}

const IMAGE: &str = r#"[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:,"}}]"#;

#[test]
fn whoever_cannot_do_it_is_passed_over() {
    let words = |n: usize| says(&format!("\"{}\"", "why ".repeat(n)));
    for (body, port) in [
        (CHAT.to_string(), 1),
        (with(r#""tools":[]"#), 1),
        (with(r#""tools":[{"type":"function","function":{"name":"f"}}]"#), 2),
        (with(r#""functions":[{"name":"f"}]"#), 2),
        (says(IMAGE), 2),
        // 400 bytes are more than the bound, and 60 words are fewer than 100 tokens.
        (words(60), 1),
        (words(120), 2),
    ] {
        let mut world = world();
        let mut call = world.post("/v1/chat/completions", &body);
        assert_eq!(call.sent(&mut world).1.origin.port, port, "{body}");
    }
}

fn refused(world: &mut World, body: &str) -> (String, String) {
    let reply = world.post("/v1/chat/completions", body).reply(world);
    assert_eq!(reply.status, 400);
    (reply.error().2, String::from_utf8_lossy(&reply.body).into_owned())
}

#[test]
fn if_nobody_can_the_caller_is_told_why_of_each() {
    let mut world = world();
    let (code, body) = refused(&mut world, &with(r#""modalities":["text","audio"]"#));
    assert_eq!(code, "unsupported_by_model");
    assert!(body.contains("one/m has no audio; two/m has no audio"), "{body}");
    let (code, body) = refused(&mut world, &says(&format!("\"{}\"", "why ".repeat(120))).replace("\"m\"", "\"one/m\""));
    assert_eq!(code, "context_length_exceeded");
    assert!(body.contains("one/m holds 100 tokens of input, and this has about 1"), "{body}");
    assert!(body.contains("\"param\":\"messages\""), "{body}");
    assert!(world.rows().is_empty());
}

#[test]
fn a_key_is_not_told_of_those_that_it_may_not_use() {
    let tokens = "[[auth.tokens]]\ntoken = \"secret\"\nmodels = [\"one/*\"]";
    let mut world = World::new(&format!("{tokens}\n{MODELS}\n{TWO}"));
    world.key = Some("secret");
    let (code, body) = refused(&mut world, &says(IMAGE));
    assert_eq!(code, "unsupported_by_model");
    assert!(body.contains("one/m takes no images") && !body.contains("two/"), "{body}");
}

#[test]
fn a_larger_cap_is_lowered_for_the_model_that_has_one() {
    for (more, port, sent) in [
        (r#""max_tokens":80"#, 1, Some("\"max_tokens\":50")),
        (r#""max_completion_tokens":51"#, 1, Some("\"max_completion_tokens\":50")),
        (r#""max_tokens":50"#, 1, Some("\"max_tokens\":50")),
        (r#""top_p":1"#, 1, None),
        (r#""max_tokens":80,"tools":[{"type":"function"}]"#, 2, Some("\"max_tokens\":80")),
    ] {
        let mut world = world();
        let mut call = world.post("/v1/chat/completions", &with(more));
        let (_, request) = call.sent(&mut world);
        let body = String::from_utf8_lossy(request.body.bytes()).into_owned();
        assert_eq!(request.origin.port, port);
        assert!(sent.map_or(!body.contains("_tokens\""), |sent| body.contains(sent)), "{more}: {body}");
    }
    // Under a budget what was reserved is the cap, as far as the model goes.
    let mut world = World::new(&format!("{MODELS}\n{GUARDED}").replace("capacity = 300", "capacity = 3_000"));
    world.key = Some("secret");
    let mut call = world.post("/v1/chat/completions", CHAT);
    assert!(String::from_utf8_lossy(call.sent(&mut world).1.body.bytes()).contains("\"max_tokens\":50"));
}

#[test]
fn each_input_has_the_context_to_itself() {
    let mut world = world();
    let many = |n: usize, words: usize| {
        let one = format!("\"{}\"", "why ".repeat(words));
        format!(r#"{{"model":"one/m","input":[{}]}}"#, vec![one; n].join(","))
    };
    let mut call = world.post("/v1/embeddings", &many(10, 60));
    call.sent(&mut world);
    let reply = world.post("/v1/embeddings", &many(2, 120)).reply(&mut world);
    assert_eq!((reply.status, reply.error().2.as_str()), (400, "context_length_exceeded"));
}
