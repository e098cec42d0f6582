//! The parts of an encoder: matrices, norms, attention, and the layer that they make.

use candle_core::{Device, Tensor, D};

use super::config::{Activation, Config, Family};
use crate::decoder::DecoderError;
use crate::folder::Shards;

/// Numbers of one table of attention at most, so that a long text does not take memory by the square of its length.
const SCORES: usize = 1 << 22;

/// Reads weights, and tells of each as it comes.
pub(super) struct Reader<'a> {
    pub(super) weights: &'a Shards,
    /// What stands before every name: the model as a part of a larger one is named by it.
    pub(super) prefix: &'a str,
    pub(super) device: &'a Device,
    /// Told of bytes in memory.
    pub(super) progress: &'a mut dyn FnMut(u64),
}

impl Reader<'_> {
    pub(super) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, DecoderError> {
        let tensor = self.weights.floats(&format!("{}{name}", self.prefix), shape, self.device)?;
        (self.progress)((tensor.elem_count() * size_of::<f32>()) as u64);
        Ok(tensor)
    }

    pub(super) fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, DecoderError> {
        let matrix = self.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok(Linear { matrix: matrix.t()?, bias: self.tensor(&format!("{name}.bias"), &[outputs])? })
    }

    pub(super) fn norm(&mut self, name: &str, size: usize, epsilon: f32) -> Result<Norm, DecoderError> {
        // Models that were converted from TensorFlow have its names.
        let older = self.weights.has(&format!("{}{name}.gamma", self.prefix));
        let (weight, bias) = if older { ("gamma", "beta") } else { ("weight", "bias") };
        Ok(Norm {
            weight: self.tensor(&format!("{name}.{weight}"), &[size])?,
            bias: self.tensor(&format!("{name}.{bias}"), &[size])?,
            epsilon,
        })
    }
}

/// A matrix, and what is added to what it gives.
pub(super) struct Linear {
    /// `[inputs, outputs]`
    matrix: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(super) fn forward(&self, rows: &Tensor) -> Result<Tensor, DecoderError> {
        Ok(rows.matmul(&self.matrix)?.broadcast_add(&self.bias)?)
    }
}

/// Brings each row to a mean and a spread.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

impl Norm {
    pub(super) fn forward(&self, rows: &Tensor) -> Result<Tensor, DecoderError> {
        Ok(candle_nn::ops::layer_norm(&rows.contiguous()?, &self.weight, &self.bias, self.epsilon)?)
    }
}

impl Activation {
    fn apply(self, rows: &Tensor) -> Result<Tensor, DecoderError> {
        Ok(match self {
            Activation::Gelu => rows.gelu_erf()?,
            Activation::GeluTanh => rows.gelu()?,
            Activation::Relu => rows.relu()?,
            Activation::Silu => rows.silu()?,
        })
    }
}

/// How the tensors of a layer are named, behind the layer's own name.
struct Names {
    query: &'static str,
    key: &'static str,
    value: &'static str,
    attended: &'static str,
    attended_norm: &'static str,
    widen: &'static str,
    narrow: &'static str,
    norm: &'static str,
}

const BERT: Names = Names {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    attended: "attention.output.dense",
    attended_norm: "attention.output.LayerNorm",
    widen: "intermediate.dense",
    narrow: "output.dense",
    norm: "output.LayerNorm",
};

const DISTILBERT: Names = Names {
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    attended: "attention.out_lin",
    attended_norm: "sa_layer_norm",
    widen: "ffn.lin1",
    narrow: "ffn.lin2",
    norm: "output_layer_norm",
};

/// Attention of each text to itself, and two matrices, each with the way around it and a norm behind.
pub(super) struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    widen: Linear,
    narrow: Linear,
    norm: Norm,
    activation: Activation,
    heads: usize,
}

impl Layer {
    pub(super) fn load(reader: &mut Reader<'_>, config: &Config, number: usize) -> Result<Layer, DecoderError> {
        let (names, layers) = match config.family {
            Family::Bert | Family::Roberta => (&BERT, "encoder.layer"),
            Family::DistilBert => (&DISTILBERT, "transformer.layer"),
        };
        let (width, inner, epsilon) = (config.width, config.feed_forward, config.epsilon);
        let name = |part: &str| format!("{layers}.{number}.{part}");
        Ok(Layer {
            query: reader.linear(&name(names.query), width, width)?,
            key: reader.linear(&name(names.key), width, width)?,
            value: reader.linear(&name(names.value), width, width)?,
            attended: reader.linear(&name(names.attended), width, width)?,
            attended_norm: reader.norm(&name(names.attended_norm), width, epsilon)?,
            widen: reader.linear(&name(names.widen), inner, width)?,
            narrow: reader.linear(&name(names.narrow), width, inner)?,
            norm: reader.norm(&name(names.norm), width, epsilon)?,
            activation: config.activation,
            heads: config.heads,
        })
    }

    /// `rows` are the tokens of all texts, one behind the other, which have `lengths` of them.
    pub(super) fn forward(&self, rows: &Tensor, lengths: &[usize]) -> Result<Tensor, DecoderError> {
        let attended = self.attended.forward(&self.attend(rows, lengths)?)?;
        let rows = self.attended_norm.forward(&(attended + rows)?)?;
        let widened = self.activation.apply(&self.widen.forward(&rows)?)?;
        let narrowed = self.narrow.forward(&widened)?;
        self.norm.forward(&(narrowed + rows)?)
    }

    fn attend(&self, rows: &Tensor, lengths: &[usize]) -> Result<Tensor, DecoderError> {
        let (query, key, value) = (self.query.forward(rows)?, self.key.forward(rows)?, self.value.forward(rows)?);
        let mut attended = Vec::with_capacity(lengths.len());
        let mut start = 0;
        for &length in lengths {
            let of = |rows: &Tensor| self.by_head(&rows.narrow(0, start, length)?);
            let (key, value) = (of(&key)?, of(&value)?);
            // As many of its tokens at a time as keep the table small.
            let most = (SCORES / (self.heads * length)).max(1);
            for first in (0..length).step_by(most) {
                let query = self.by_head(&query.narrow(0, start + first, most.min(length - first))?)?;
                attended.push(together(&query, &key, &value)?);
            }
            start += length;
        }
        Ok(Tensor::cat(&attended, 0)?)
    }

    /// `[tokens, width]` to `[heads, tokens, width of a head]`.
    fn by_head(&self, rows: &Tensor) -> candle_core::Result<Tensor> {
        let (tokens, width) = rows.dims2()?;
        rows.reshape((tokens, self.heads, width / self.heads))?.transpose(0, 1)?.contiguous()
    }
}

fn together(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<Tensor, DecoderError> {
    let (heads, tokens, head) = query.dims3()?;
    let scale = 1.0 / (head as f64).sqrt();
    let scores = (query.matmul(&key.transpose(D::Minus2, D::Minus1)?)? * scale)?;
    let shares = candle_nn::ops::softmax_last_dim(&scores)?;
    Ok(shares.matmul(value)?.transpose(0, 1)?.reshape((tokens, heads * head))?)
}
