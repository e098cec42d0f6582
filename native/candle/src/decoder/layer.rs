//! One layer: attention, then the feed-forward net, each after a norm and added to what came in.

use candle_core::{Tensor, D};

use super::attention::{Attention, Span};
use super::rope::Angles;
use super::weights::{Linear, Norm, Reader};
use super::{Config, DecoderError, Slice};

/// One layer of a decoder.
#[derive(Debug)]
pub(crate) struct Layer {
    attention_norm: Norm,
    pub(crate) attention: Attention,
    /// Of what attention gives, where the family has one (Gemma 2 and 3).
    after_attention: Option<Norm>,
    feed_forward_norm: Norm,
    feed_forward: FeedForward,
    after_feed_forward: Option<Norm>,
}

/// The gated net: `down(activate(gate(x)) * up(x))`.
#[derive(Debug)]
struct FeedForward {
    gate: Option<Linear>,
    /// Where there is no gate apart (Phi 3), the gate is the first half of its outputs.
    up: Linear,
    down: Linear,
    smooth: bool,
}

impl Layer {
    pub(crate) fn load(reader: &mut Reader<'_>, config: &Config, layer: usize) -> Result<Self, DecoderError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (width, epsilon) = (config.width, config.epsilon);
        Ok(Layer {
            attention_norm: reader.norm(&name("attn_norm"), width, epsilon)?,
            attention: Attention::load(reader, config, layer)?,
            after_attention: reader.norm_if(&name("post_attention_norm"), width, epsilon)?,
            feed_forward_norm: reader.norm(&name("ffn_norm"), width, epsilon)?,
            feed_forward: FeedForward::load(reader, config, layer)?,
            after_feed_forward: reader.norm_if(&name("post_ffw_norm"), width, epsilon)?,
        })
    }

    /// `[rows, width]` to `[rows, width]`.
    pub(crate) fn forward(
        &self,
        layer: usize,
        rows: &Tensor,
        angles: &Angles,
        spans: &[Span],
        slices: &[Slice<'_>],
    ) -> Result<Tensor, DecoderError> {
        let seen = self.attention.forward(layer, &self.attention_norm.forward(rows)?, angles, spans, slices)?;
        let rows = (rows + normed(self.after_attention.as_ref(), seen)?)?;
        let fed = self.feed_forward.forward(&self.feed_forward_norm.forward(&rows)?)?;
        Ok((&rows + normed(self.after_feed_forward.as_ref(), fed)?)?)
    }
}

fn normed(norm: Option<&Norm>, rows: Tensor) -> Result<Tensor, DecoderError> {
    match norm {
        Some(norm) => norm.forward(&rows),
        None => Ok(rows),
    }
}

impl FeedForward {
    fn load(reader: &mut Reader<'_>, config: &Config, layer: usize) -> Result<Self, DecoderError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (width, inner) = (config.width, config.feed_forward);
        let gate = match reader.file.has(&name("ffn_gate.weight")) {
            true => Some(reader.linear(&name("ffn_gate"), inner, width)?),
            false => None,
        };
        let ups = if gate.is_some() { inner } else { 2 * inner };
        Ok(FeedForward {
            gate,
            up: reader.linear(&name("ffn_up"), ups, width)?,
            down: reader.linear(&name("ffn_down"), width, inner)?,
            smooth: config.architecture.is_gemma(),
        })
    }

    fn forward(&self, rows: &Tensor) -> Result<Tensor, DecoderError> {
        let up = self.up.forward(rows)?;
        let (gate, up) = match &self.gate {
            Some(gate) => (gate.forward(rows)?, up),
            None => {
                let inner = up.dim(D::Minus1)? / 2;
                (up.narrow(D::Minus1, 0, inner)?, up.narrow(D::Minus1, inner, inner)?)
            }
        };
        // Gemma's net uses GELU in its approximation by tanh, which is Candle's `gelu`.
        let gate = if self.smooth { gate.gelu()? } else { gate.silu()? };
        self.down.forward(&(gate * up)?)
    }
}
