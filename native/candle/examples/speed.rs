//! Measures how many tokens a model reads and writes in a second, with one sequence and with eight:
//!
//!     CANDLE_NUM_THREADS=1 cargo run --release -p hoosh-candle --features examples --example speed -- model.gguf [PROMPT ANSWER]
//!
//! With one thread, tokens are counted against the time that this thread had a core, which others on the machine do not
//! change; where that is not told (outside Linux) and with more threads, against the clock.

use std::path::Path;
use std::time::{Duration, Instant};

use hoosh_candle::decoder::{Decoder, Kv, Slice};
use hoosh_candle::device::{self, Accelerator};
use hoosh_candle::file::ModelFile;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let model = arguments.first().ok_or("usage: speed MODEL [PROMPT ANSWER]")?;
    let number = |index: usize, default: usize| arguments.get(index).map_or(Ok(default), |text| text.parse());
    let (prompt, answer) = (number(1, 256)?, number(2, 64)?);
    let decoder = Decoder::load(
        &ModelFile::open(Path::new(model))?,
        None,
        &device::open(Accelerator::find("auto")?)?,
        &mut |_| {},
    )?;
    let tokens: Vec<u32> = (0..prompt as u32).map(|token| token * 7 % 256).collect();
    // Once beforehand, so that weights are packed and pages are there.
    read(&decoder, &tokens[..prompt.min(80)])?;
    let start = Instant::now();
    for sequences in [1, 8] {
        let began = spent(start);
        let mut kvs = Vec::new();
        for _ in 0..sequences {
            kvs.push(read(&decoder, &tokens)?);
        }
        let reading = (sequences * prompt) as f64 / (spent(start) - began).as_secs_f64();
        let began = spent(start);
        write(&decoder, &mut kvs, answer)?;
        let writing = (sequences * answer) as f64 / (spent(start) - began).as_secs_f64();
        println!("{sequences} sequences: {reading:.1} tokens/s read, {writing:.1} tokens/s written");
    }
    Ok(())
}

/// The time that this thread was on a core, or the time since `start`.
fn spent(start: Instant) -> Duration {
    let is_single = std::env::var("CANDLE_NUM_THREADS").is_ok_and(|count| count == "1");
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok().filter(|_| is_single);
    let on_core = told.and_then(|text| text.split(' ').next()?.parse().ok());
    on_core.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Puts a prompt in, in slices as the engine does.
fn read(decoder: &Decoder, tokens: &[u32]) -> Result<Kv> {
    let mut kv = decoder.sequence(4096);
    for tokens in tokens.chunks(64) {
        decoder.step(&mut [Slice { kv: &mut kv, tokens, logits: true }])?;
    }
    Ok(kv)
}

fn write(decoder: &Decoder, kvs: &mut [Kv], count: usize) -> Result<()> {
    let mut tokens: Vec<u32> = (1..=kvs.len() as u32).collect();
    for _ in 0..count {
        let slices = kvs.iter_mut().zip(&tokens);
        let mut slices: Vec<Slice> =
            slices.map(|(kv, token)| Slice { kv, tokens: std::slice::from_ref(token), logits: true }).collect();
        let logits = decoder.step(&mut slices)?;
        let best = |logits: Vec<f32>| (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0);
        tokens = logits.into_iter().flatten().map(|logits| best(logits) as u32).collect();
    }
    Ok(())
}
