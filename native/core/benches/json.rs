//! Nanoseconds per call of the JSON kernels and the cache key: the best of many rounds, on one thread.
//! `cargo bench -p hoosh-core --bench json`

use std::hint::black_box;
use std::time::Instant;

use hoosh_core::cachekey;
use hoosh_core::json::{validate, Edits, Index, Limits};

/// As an OpenAI SDK writes it: 300 bytes.
const CHAT: &[u8] = br#"{"messages":[{"role":"system","content":"You are a helpful assistant that answers in one sentence."},{"role":"user","content":"What is the difference between a mutex and a semaphore, and when would you prefer one over the other?"}],"model":"gpt-4o-mini","max_tokens":256,"temperature":0.7,"stream":true}"#;

/// One event of a chat stream: 280 bytes.
const EVENT: &[u8] = br#"{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_44added55e","choices":[{"index":0,"delta":{"content":" of"},"logprobs":null,"finish_reason":null}]}"#;

fn main() {
    let limits = Limits::default();
    let spaced = String::from_utf8_lossy(CHAT).replace("\":", "\": ").replace(",\"", ", \"").into_bytes();
    let mut long = CHAT.to_vec();
    let at = long.iter().position(|&byte| byte == b'Y').unwrap_or(0);
    long.splice(at..at, std::iter::repeat(*b"All work and no play makes Jack a dull boy. ").flatten().take(64 << 10));
    println!("chat {} B, spaced chat {} B, event {} B, long {} B", CHAT.len(), spaced.len(), EVENT.len(), long.len());

    time("scan chat", || Index::scan(black_box(CHAT), limits));
    let chats = different_chats();
    let mut turn = 0;
    time("scan chat, 4096 different in turn", || {
        turn = (turn + 1) % chats.len();
        Index::scan(black_box(&chats[turn]), limits)
    });
    time("scan spaced chat", || Index::scan(black_box(&spaced), limits));
    time("scan event", || Index::scan(black_box(EVENT), limits));
    time("scan 64 KiB", || Index::scan(black_box(&long), limits));
    time("validate chat", || validate(black_box(CHAT), limits).map(|value| value.raw().len()));
    time("validate event", || validate(black_box(EVENT), limits).map(|value| value.raw().len()));

    let Ok(chat) = Index::scan(CHAT, limits) else { return };
    let Ok(event) = Index::scan(EVENT, limits) else { return };
    time("get model, stream, tools", || {
        ["model", "stream", "tools"].map(|key| black_box(&chat).get(black_box(CHAT), key).is_some())
    });
    time("walk to choices[0].delta.content", || {
        let choice = black_box(&event).get(black_box(EVENT), "choices")?.elements().next()?;
        choice.get("delta")?.get("content")?.as_str().map(|text| text.len())
    });
    let mut edits = Edits::new();
    edits.set("model", &b"\"gpt-4.1\""[..]);
    edits.set("stream_options", &br#"{"include_usage":true}"#[..]);
    time("apply two edits to chat", || edits.apply(black_box(CHAT), &chat));
    time("cache key of chat, with scan", || cachekey::key_of(black_box(CHAT), "team-a"));
    time("blake3 of 280 bytes alone", || *blake3::hash(black_box(&CHAT[..280])).as_bytes());
}

/// Chats of about 300 bytes with texts of different lengths, so that no branch predictor can learn them by heart.
fn different_chats() -> Vec<Vec<u8>> {
    let mut state = 1u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let chat = |draw: &mut dyn FnMut(u64) -> u64| {
        let (system, user) = ("s".repeat(60 + draw(60) as usize), "u".repeat(60 + draw(80) as usize));
        let model = "gpt-4o-mini-2024"[..6 + draw(11) as usize].to_owned();
        let (tokens, heat) = (draw(5000), draw(20));
        format!(
            r#"{{"messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}}],"model":"{model}","max_tokens":{tokens},"temperature":0.{heat},"stream":{}}}"#,
            draw(2) == 0
        )
    };
    (0..4096).map(|_| chat(&mut draw).into_bytes()).collect()
}

fn time<T>(what: &str, mut call: impl FnMut() -> T) {
    let mut best = f64::MAX;
    for _ in 0..60 {
        let start = Instant::now();
        let mut calls = 0;
        while start.elapsed().as_micros() < 2_000 {
            for _ in 0..64 {
                black_box(call());
            }
            calls += 64;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    println!("{what:36} {best:9.1} ns");
}
