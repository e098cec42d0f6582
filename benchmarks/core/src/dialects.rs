//! What it costs to go from one dialect to another: a request's body of about 1 kB, and one event of a stream, each read
//! from a dialect and written in it. `cargo run --release -p hoosh-core-cost -- dialects`.

use bytes::Bytes;
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::dialects::{Ask, Dialect, Listener, Loss, Protocol, Reply, To};
use hoosh_core::ledger::Usage;

use super::cpu_seconds;

/// Two turns with a call between them, one tool, a bound and a temperature.
const NEUTRAL: &str = r#"{"model":"small-chat-1","messages":[{"role":"system","content":"You are a helpful assistant that answers in one short sentence."},{"role":"user","content":"What is the weather in Paris today, and is it likely to rain before the evening?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_9zRk2mQxT4vW","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\",\"unit\":\"celsius\"}"}}]},{"role":"tool","tool_call_id":"call_9zRk2mQxT4vW","content":"{\"temperature\":18,\"rain\":0.4,\"wind\":\"south-west\"}"},{"role":"user","content":"And tomorrow?"}],"temperature":0.7,"max_tokens":512,"tools":[{"type":"function","function":{"name":"get_weather","description":"The weather of a city, now and in the next days.","parameters":{"type":"object","properties":{"city":{"type":"string","description":"Its name."},"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city"]}}}],"tool_choice":"auto"}"#;

const TIMES: usize = 2_000;
const ROUNDS: usize = 25;

/// Prints a row for each dialect.
pub fn measure() {
    println!("{:<18} {:>8} {:>10} {:>10} {:>10} {:>10}", "best CPU, µs", "bytes", "read", "write", "decode", "encode");
    for dialect in Dialect::ALL {
        let protocol = dialect.protocol();
        let to = To { endpoint: Endpoint::Chat, model: "small-chat-1", stream: true, cap: None, version: "2023-06-01" };
        let write = || protocol.write_request(&to, NEUTRAL.as_bytes(), &mut Loss::default()).expect("is written");
        let body = write();
        let ask = Ask {
            endpoint: Some(Endpoint::Chat),
            model: Some("small-chat-1".to_owned()),
            stream: Some(true),
            ..Ask::default()
        };
        let read = || protocol.read_request(&ask, &body, &mut Loss::default()).expect("is read");
        let events = stream(protocol);
        println!(
            "{:<18} {:>8} {:>10.2} {:>10.2} {:>10.3} {:>10.3}",
            dialect.as_str(),
            body.len(),
            best(TIMES, read),
            best(TIMES, write),
            best(1, || decode(protocol, &events)) / TIMES as f64,
            best(1, || stream(protocol)) / TIMES as f64,
        );
    }
}

/// One answer of as many pieces of text as [`TIMES`] says.
fn stream(protocol: &dyn Protocol) -> Bytes {
    let reply = Reply { id: "0123456789abcdef".into(), model: "small-chat-1".into(), ..Reply::default() };
    let mut encoder = protocol.encoder(reply);
    let mut out = Vec::new();
    for _ in 0..TIMES {
        let text = " a piece of text".to_owned();
        encoder.item(&Item::Text { choice: 0, text, logprobs: Vec::new() }, &mut out);
    }
    encoder.item(&Item::Finish { choice: 0, reason: "stop".into() }, &mut out);
    encoder.end(&Usage::default(), &mut out);
    Bytes::from(out)
}

fn decode(protocol: &dyn Protocol, events: &Bytes) -> usize {
    let mut listener = Listener::of(protocol);
    let mut items = Vec::new();
    let mut seen = 0;
    // As much as a read of a socket brings.
    for chunk in events.chunks(16 << 10) {
        listener.push(events.slice_ref(chunk));
        while listener.next_event(&mut items).is_some() {
            seen += items.drain(..).filter(|item| matches!(item, Item::Text { .. })).count();
        }
    }
    assert!(seen >= TIMES, "{seen} pieces of text");
    seen
}

/// Of the fastest round, µs for one call.
fn best<T>(times: usize, mut call: impl FnMut() -> T) -> f64 {
    let round = |_| {
        let start = cpu_seconds();
        for _ in 0..times {
            std::hint::black_box(call());
        }
        (cpu_seconds() - start) * 1e6 / times as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
