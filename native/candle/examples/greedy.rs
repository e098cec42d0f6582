//! Continues tokens with the likeliest ones, and prints each with the likeliest five logits, one line of JSON each:
//!
//!     cargo run -p hoosh-candle --features examples --example greedy -- model.gguf 1,2,3 20
//!
//! `tests/llamacpp/compare_decoder.py` holds it against llama.cpp.

use std::path::Path;

use hoosh_candle::decoder::{Decoder, Slice};
use hoosh_candle::device::{self, Accelerator};
use hoosh_candle::file::ModelFile;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, prompt, count] = arguments.as_slice() else {
        return Err("usage: greedy MODEL TOKEN,TOKEN,... COUNT".into());
    };
    let file = ModelFile::open(Path::new(model))?;
    let decoder = Decoder::load(&file, None, &device::open(Accelerator::find("auto")?)?, &mut |_| {})?;
    let mut tokens: Vec<u32> = prompt.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
    let mut kv = decoder.sequence(tokens.len() + count.parse::<usize>()?);
    for _ in 0..count.parse::<usize>()? {
        let logits = decoder.step(&mut [Slice { kv: &mut kv, tokens: &tokens, logits: true }])?;
        let logits = logits.into_iter().flatten().next().ok_or("no logits")?;
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        let top: Vec<(usize, f32)> = order.iter().take(5).map(|token| (*token, logits[*token])).collect();
        println!("{}", serde_json::json!({ "token": order[0], "top": top }));
        tokens = vec![order[0] as u32];
    }
    Ok(())
}
