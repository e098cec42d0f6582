//! A long list of inputs, asked in slices: each vector is its input's, and a slice's failure is the caller's to read.

use hoosh_core::exchange::{ChildAnswer, Step};

use super::world::*;

fn sliced() -> String {
    format!("[limits]\nmax_inputs = 2\n{ONE}")
}

const ASK: &str = r#"{"model":"m","input":["a","b","c"]}"#;

fn vectors(list: &[(u32, u32)]) -> String {
    let one = |(index, value): &(u32, u32)| format!(r#"{{"index":{index},"embedding":[{value}]}}"#);
    let data: Vec<String> = list.iter().map(one).collect();
    format!(r#"{{"data":[{}],"usage":{{"prompt_tokens":2,"total_tokens":2}}}}"#, data.join(","))
}

/// The reply to [`ASK`] where its slices get these bodies.
fn joined(world: &mut World, bodies: [&str; 2]) -> Reply {
    joined_at(world, "/v1/embeddings", ASK, bodies)
}

fn joined_at(world: &mut World, path: &str, ask: &str, bodies: [&str; 2]) -> Reply {
    let mut call = world.post(path, ask);
    let mut children = call.children(world);
    for (c, child) in &mut children {
        let (u, _) = child.sent(world);
        child.answer(u, 200, "application/json", bodies[*c as usize]);
        let reply = child.reply(world);
        child.over(world);
        call.exchange.child(*c, ChildAnswer { status: reply.status, body: reply.body });
    }
    let reply = call.reply(world);
    call.over(world);
    reply
}

#[test]
fn vectors_go_to_their_inputs_in_whatever_order_they_come() {
    let reply = joined(&mut World::new(&sliced()), [&vectors(&[(1, 20), (0, 10)]), &vectors(&[(0, 30)])]);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    let wanted = r#""data":[{"index":0,"embedding":[10]},{"index":1,"embedding":[20]},{"index":2,"embedding":[30]}]"#;
    assert!(body.contains(wanted), "{body}");
}

#[test]
fn callers_of_other_dialects_are_asked_for_in_slices_too() {
    let bodies = [&*vectors(&[(0, 10), (1, 20)]), &*vectors(&[(0, 30)])];
    let one = |text: &str| format!(r#"{{"model":"models/m","content":{{"parts":[{{"text":"{text}"}}]}},"title":"t"}}"#);
    let batch = format!(r#"{{"requests":[{},{},{}]}}"#, one("a"), one("b"), one("c"));
    let mut world = World::new(&sliced());
    let google = joined_at(&mut world, "/v1beta/models/m:batchEmbedContents", &batch, bodies);
    let said: serde_json::Value = serde_json::from_slice(&google.body).unwrap();
    assert_eq!(said["embeddings"], serde_json::json!([{"values": [10.0]}, {"values": [20.0]}, {"values": [30.0]}]));
    assert!(google.header("x-hoosh-loss").is_some_and(|loss| loss.contains("title")));
    let ollama = joined_at(&mut world, "/api/embed", ASK, bodies);
    let said: serde_json::Value = serde_json::from_slice(&ollama.body).unwrap();
    assert_eq!(said["embeddings"], serde_json::json!([[10.0], [20.0], [30.0]]));
    assert_eq!(said["prompt_eval_count"], 4);
}

#[test]
fn vectors_that_are_no_answer_to_the_inputs_are_refused() {
    let whole = vectors(&[(0, 10), (1, 20)]);
    let (one, two) = (vectors(&[(0, 30)]), vectors(&[(0, 30), (1, 40)]));
    let wrong = [
        [&vectors(&[(0, 10)]), &one],
        [&vectors(&[(0, 10), (0, 20)]), &one],
        [&vectors(&[(0, 10), (2, 20)]), &one],
        [&whole, &two],
        [&whole, &vectors(&[(1, 30)])],
    ];
    for bodies in wrong {
        let reply = joined(&mut World::new(&sliced()), bodies.map(String::as_str));
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(reply.status == 502 && body.contains("upstream_malformed"), "{bodies:?}: {body}");
    }
}

/// The reply to [`ASK`] where its first slice is refused so by every attempt.
fn refused(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Reply {
    let mut world = World::new(&sliced());
    let mut call = world.post("/v1/embeddings", ASK);
    let (c, mut child) = call.children(&mut world).remove(0);
    loop {
        match child.step(&mut world) {
            Step::Send { u, .. } => {
                child.exchange.connected(u);
                child.exchange.sent(u);
                child.exchange.head(u, status, &headers.to_vec());
                child.exchange.data(u, bytes::Bytes::copy_from_slice(body.as_bytes()));
                child.exchange.end(u);
            }
            Step::Reply { status, body, .. } => {
                child.exchange.written(body.len());
                call.exchange.child(c, ChildAnswer { status, body });
                return call.reply(&mut world);
            }
            other => panic!("not expected: {other:?}"),
        }
    }
}

#[test]
fn a_slice_that_is_refused_speaks_for_all() {
    let words = r#"{"error":{"message":"too long","type":"t","param":null,"code":"c"}}"#;
    let reply = refused(400, &[("content-type", "application/json")], words);
    assert_eq!((reply.status, &reply.body[..]), (400, words.as_bytes()));
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    let reply = refused(429, &[("retry-after", "3000")], "");
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(reply.status == 429 && body.contains("upstream_rate_limited"), "{body}");
    assert_eq!((reply.header("retry-after"), reply.header("x-should-retry")), (Some("3000"), Some("false")));
}

#[test]
fn a_slice_whose_driver_lost_it_fails_the_whole() {
    let mut world = World::new(&sliced());
    let mut call = world.post("/v1/embeddings", ASK);
    let (c, child) = call.children(&mut world).remove(0);
    drop(child);
    call.exchange.child(c, ChildAnswer { status: 500, body: bytes::Bytes::new() });
    let reply = call.reply(&mut world);
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8_lossy(&reply.body).contains("A part of the inputs"));
}

#[test]
fn large_answers_are_joined_by_a_job() {
    let mut world = World::new(&sliced());
    let mut call = world.post("/v1/embeddings", ASK);
    for (c, _child) in call.children(&mut world) {
        let long = format!("[{}1]", "1.5,".repeat(20_000));
        let one = |index: usize| format!(r#"{{"index":{index},"embedding":{long}}}"#);
        let list: Vec<String> = (0..2 - c as usize).map(one).collect();
        let body = format!(r#"{{"data":[{}]}}"#, list.join(","));
        call.exchange.child(c, ChildAnswer { status: 200, body: body.into() });
    }
    assert!(call.until(&mut world, |step| matches!(step, Step::Work { .. })));
}

#[test]
fn usage_is_left_out_where_a_slice_names_none() {
    let silent = r#"{"data":[{"index":0,"embedding":[30]}]}"#;
    let reply = joined(&mut World::new(&sliced()), [&vectors(&[(0, 10), (1, 20)]), silent]);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(reply.status == 200 && !body.contains("usage"), "{body}");
}

#[test]
fn the_others_stop_when_one_slice_is_refused() {
    let mut world = World::new(&sliced());
    let mut call = world.post("/v1/embeddings", ASK);
    let mut children = call.children(&mut world);
    let (_, mut other) = children.remove(1);
    let (u, _) = other.sent(&mut world);
    let (c, mut child) = children.remove(0);
    let (first, _) = child.sent(&mut world);
    child.refuse(first, 400, &[]);
    let reply = child.reply(&mut world);
    call.exchange.child(c, ChildAnswer { status: reply.status, body: reply.body });
    assert_eq!(call.reply(&mut world).status, 400);
    assert!(other.until(&mut world, |step| matches!(step, Step::Abort { u: aborted } if *aborted == u)));
    other.over(&mut world);
}
