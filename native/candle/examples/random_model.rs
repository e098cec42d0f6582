//! Writes a model with random weights, for measurements and comparisons:
//!
//!     cargo run -p hoosh-candle --features examples --example random_model -- out.gguf llama q4k [width layers vocabulary]

#[path = "../tests/running/common/mod.rs"]
mod common;

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::GgmlDType;
use common::Shape;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, architecture, dtype, sizes @ ..] = arguments.as_slice() else {
        return Err("usage: random_model FILE ARCHITECTURE DTYPE [WIDTH LAYERS VOCABULARY]".into());
    };
    let dtype = match dtype.as_str() {
        "f32" => GgmlDType::F32,
        "f16" => GgmlDType::F16,
        "q8_0" => GgmlDType::Q8_0,
        "q4_0" => GgmlDType::Q4_0,
        "q4k" => GgmlDType::Q4K,
        "q5k" => GgmlDType::Q5K,
        "q6k" => GgmlDType::Q6K,
        other => return Err(format!("no such type: {other}").into()),
    };
    let mut shape = Shape::wide(String::leak(architecture.clone()), dtype);
    if matches!(shape.architecture, "gemma2" | "gemma3") {
        // Layers of both kinds, and a window that a short text outgrows.
        shape.layers = 7;
        shape = shape.with("attention.sliding_window", Value::U32(16));
    }
    if let [width, layers, vocabulary] = sizes {
        shape.width = width.parse()?;
        shape.feed_forward = shape.width * 11 / 4 / 256 * 256;
        shape.layers = layers.parse()?;
        shape.vocabulary = vocabulary.parse()?;
        shape.heads = shape.width / shape.head_size;
        shape.kv_heads = shape.heads / 4;
        shape.context = 4096;
    }
    std::fs::write(path, shape.bytes())?;
    Ok(())
}
