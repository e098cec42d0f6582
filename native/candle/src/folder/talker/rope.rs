//! By how much each pair of numbers of a head turns slower, where that differs from pair to pair: Llama 3's way.

use std::f64::consts::TAU;

use super::shape::{Rope, Shape};
use crate::decoder::DecoderError;

/// What the speeds are divided by, pair by pair; `None`: nothing.
pub(super) fn factors(shape: &Shape) -> Result<Option<Vec<f32>>, DecoderError> {
    let rope = shape.rope();
    match rope.rope_type.as_deref() {
        None | Some("default" | "linear") => Ok(None),
        Some("llama3") => llama3(shape, &rope).map(Some),
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            Err(DecoderError::Unsupported(format!("rope scaling `{other}`; take the model in GGUF")))
        }
    }
}

/// Slow pairs are slowed by `factor`, fast ones not at all, and those between in between.
fn llama3(shape: &Shape, rope: &Rope) -> Result<Vec<f32>, DecoderError> {
    let named = [rope.factor, rope.low_freq_factor, rope.high_freq_factor].map(|value| value.map(f64::from));
    let original = rope.original_max_position_embeddings.map(f64::from);
    let ([Some(factor), Some(low), Some(high)], Some(original)) = (named, original) else {
        return Err(DecoderError::Metadata("config.json lacks a number of its rope scaling `llama3`".into()));
    };
    if !(factor > 0.0 && low > 0.0 && high > low && original > 0.0) {
        return Err(DecoderError::Metadata("the numbers of rope scaling `llama3` make no sense".into()));
    }
    let (turned, base) = (shape.turned()?, f64::from(shape.base()));
    let slower = |pair: u32| {
        let wave = TAU * base.powf(2.0 * f64::from(pair) / f64::from(turned));
        let share = ((original / wave - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 / ((1.0 - share) / factor + share)) as f32
    };
    Ok((0..turned / 2).map(slower).collect())
}
