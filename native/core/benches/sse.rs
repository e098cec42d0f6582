//! Bytes a second through the event stream layers, on a stream in the shape of a recorded chat completion: 280-byte
//! events in 16 KiB chunks. `cargo bench -p hoosh-core --bench sse`.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use hoosh_core::sse::{write_event, Framer, Limits, Parser};

const EVENT_BYTES: usize = 280;
const CHUNK_BYTES: usize = 16 << 10;
const EVENTS: usize = 100_000;

fn stream() -> Vec<u8> {
    let mut out = Vec::with_capacity(EVENTS * EVENT_BYTES);
    for number in 0..EVENTS {
        let head = "{\"id\":\"chatcmpl-9zRk2mQxT4vWb7nYc1LsPfHd\",\"object\":\"chat.completion.chunk\",\"created\":1726000000,";
        let body =
            "\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,";
        let mut data = format!("{head}{body}\"delta\":{{\"content\":\" {number}");
        let tail = "\"},\"logprobs\":null,\"finish_reason\":null}]}";
        data.extend(std::iter::repeat_n('w', EVENT_BYTES - 8 - data.len() - tail.len()));
        data.push_str(tail);
        write_event(&mut out, None, None, &data).expect("no event name");
    }
    assert_eq!(out.len(), EVENTS * EVENT_BYTES);
    out
}

/// Prints the best of several runs: the machine's noise only ever adds time.
fn measure(name: &str, input: &[u8], mut run: impl FnMut() -> usize) {
    let best = (0..15)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(black_box(run()), EVENTS);
            start.elapsed()
        })
        .min()
        .expect("at least one run");
    let seconds = best.as_secs_f64();
    let (rate, each) = (input.len() as f64 / seconds / 1e9, seconds * 1e9 / EVENTS as f64);
    println!("{name:<24} {rate:>6.2} GB/s {each:>8.1} ns per event");
}

fn main() {
    let stream = stream();
    let chunks: Vec<Bytes> = stream.chunks(CHUNK_BYTES).map(Bytes::copy_from_slice).collect();
    measure("Framer", &stream, || {
        let (mut framer, mut events) = (Framer::new(Limits::default()), 0);
        for chunk in &chunks {
            framer.push(chunk.clone());
            while let Some(frame) = framer.next_frame().expect("within bounds") {
                events += usize::from(black_box(frame).dispatches);
            }
        }
        events
    });
    measure("Parser", &stream, || {
        let (mut parser, mut events) = (Parser::new(Limits::default()), 0);
        for chunk in &chunks {
            events += black_box(parser.feed(chunk).expect("within bounds")).len();
        }
        events
    });
}
