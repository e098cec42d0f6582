//! Attention: what each row takes from the tokens before it, sequence by sequence.

use candle_core::{Device, Tensor, D};

use super::kv::Kv;
use super::rope::Angles;
use super::weights::{Linear, Norm, Reader};
use super::{Config, DecoderError, Slice};

/// The attention of one layer.
#[derive(Debug)]
pub(crate) struct Attention {
    inputs: Inputs,
    output: Linear,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    heads: usize,
    kv_heads: usize,
    head_size: usize,
    scale: f64,
    softcap: Option<f64>,
    window: Option<usize>,
}

/// What makes queries, keys and values: three matrices, or one (Phi 3).
#[derive(Debug)]
enum Inputs {
    Apart { query: Linear, key: Linear, value: Linear },
    Fused(Linear),
}

/// One sequence's part of a step, as all layers see it.
pub(crate) struct Span {
    /// Its first row in the step.
    pub(crate) first: usize,
    pub(crate) rows: usize,
    /// Tokens that it held before.
    pub(crate) held: usize,
    /// What its rows may not see, of all tokens; `None`: nothing is hidden.
    mask: Option<Tensor>,
    /// The same in windowed layers, of the tokens from [`Span::window_start`] on.
    window_mask: Option<Tensor>,
}

impl Span {
    pub(crate) fn new(
        first: usize,
        slice: &Slice<'_>,
        window: Option<usize>,
        device: &Device,
    ) -> Result<Self, DecoderError> {
        let (rows, held) = (slice.tokens.len(), slice.kv.len());
        let mut span = Span { first, rows, held, mask: None, window_mask: None };
        if rows > 1 {
            span.mask = Some(span.hide(0, None, device)?);
            if let Some(window) = window {
                span.window_mask = Some(span.hide(span.window_start(window), Some(window), device)?);
            }
        }
        Ok(span)
    }

    /// The first token that any row of a windowed layer sees.
    fn window_start(&self, window: usize) -> usize {
        (self.held + 1).saturating_sub(window)
    }

    /// Minus infinity where a row may not look: ahead of itself, or further back than `window`.
    fn hide(&self, start: usize, window: Option<usize>, device: &Device) -> Result<Tensor, DecoderError> {
        let seen = self.held + self.rows - start;
        let mut mask = vec![0f32; self.rows * seen];
        for (row, hidden) in mask.chunks_exact_mut(seen).enumerate() {
            let position = self.held + row;
            for (token, hidden) in (start..).zip(hidden) {
                if token > position || window.is_some_and(|window| position - token >= window) {
                    *hidden = f32::NEG_INFINITY;
                }
            }
        }
        Ok(Tensor::from_vec(mask, (self.rows, seen), device)?)
    }
}

impl Attention {
    pub(crate) fn load(reader: &mut Reader<'_>, config: &Config, layer: usize) -> Result<Self, DecoderError> {
        let (width, size) = (config.width, config.head_size);
        let (queries, keys) = (config.heads * size, config.kv_heads * size);
        let name = |part: &str| format!("blk.{layer}.{part}");
        let inputs = if reader.file.has(&name("attn_qkv.weight")) {
            Inputs::Fused(reader.linear(&name("attn_qkv"), queries + 2 * keys, width)?)
        } else {
            Inputs::Apart {
                query: reader.linear(&name("attn_q"), queries, width)?,
                key: reader.linear(&name("attn_k"), keys, width)?,
                value: reader.linear(&name("attn_v"), keys, width)?,
            }
        };
        Ok(Attention {
            inputs,
            output: reader.linear(&name("attn_output"), width, queries)?,
            query_norm: reader.norm_if(&name("attn_q_norm"), size, config.epsilon)?,
            key_norm: reader.norm_if(&name("attn_k_norm"), size, config.epsilon)?,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_size: size,
            scale: config.query_scale,
            softcap: config.attention_softcap,
            window: config.window_of(layer),
        })
    }

    /// Whether it sees a window only.
    pub(crate) fn is_windowed(&self) -> bool {
        self.window.is_some()
    }

    /// `[rows, width]` to `[rows, width]`; the keys and values of the rows are written to their sequences.
    pub(crate) fn forward(
        &self,
        layer: usize,
        rows: &Tensor,
        angles: &Angles,
        spans: &[Span],
        slices: &[Slice<'_>],
    ) -> Result<Tensor, DecoderError> {
        let (queries, keys, values) = self.project(rows)?;
        let queries = angles.turn(&self.by_head(&queries, self.heads, self.query_norm.as_ref())?)?;
        let queries = (queries * self.scale)?;
        let keys = angles.turn(&self.by_head(&keys, self.kv_heads, self.key_norm.as_ref())?)?;
        let values = self.by_head(&values, self.kv_heads, None)?;
        let mut seen = Vec::with_capacity(spans.len());
        for (span, slice) in spans.iter().zip(slices) {
            let part = |heads: &Tensor| heads.narrow(1, span.first, span.rows)?.contiguous();
            slice.kv.write(layer, &part(&keys)?, &part(&values)?)?;
            seen.push(self.attend(layer, &part(&queries)?, span, slice.kv)?);
        }
        let seen = if seen.len() == 1 { seen.remove(0) } else { Tensor::cat(&seen, 0)? };
        self.output.forward(&seen)
    }

    fn project(&self, rows: &Tensor) -> Result<(Tensor, Tensor, Tensor), DecoderError> {
        match &self.inputs {
            Inputs::Apart { query, key, value } => Ok((query.forward(rows)?, key.forward(rows)?, value.forward(rows)?)),
            Inputs::Fused(all) => {
                let (queries, keys) = (self.heads * self.head_size, self.kv_heads * self.head_size);
                let all = all.forward(rows)?;
                let part = |start, length| all.narrow(D::Minus1, start, length);
                Ok((part(0, queries)?, part(queries, keys)?, part(queries + keys, keys)?))
            }
        }
    }

    /// `[rows, heads * size]` to `[heads, rows, size]`, each head through `norm`.
    fn by_head(&self, rows: &Tensor, heads: usize, norm: Option<&Norm>) -> Result<Tensor, DecoderError> {
        let apart = rows.reshape((rows.dim(0)?, heads, self.head_size))?;
        let apart = match norm {
            Some(norm) => norm.forward(&apart)?,
            None => apart,
        };
        Ok(apart.transpose(0, 1)?.contiguous()?)
    }

    /// What the queries of one sequence take from its values: `[heads, rows, size]` to `[rows, heads * size]`. The heads
    /// that share keys are rows of one product, so that keys are never repeated.
    fn attend(&self, layer: usize, queries: &Tensor, span: &Span, kv: &Kv) -> Result<Tensor, DecoderError> {
        let group = self.heads / self.kv_heads;
        let start = self.window.map_or(0, |window| span.window_start(window));
        let seen = span.held + span.rows - start;
        let (keys, values) = kv.read(layer, start, seen)?;
        let queries = queries.reshape((self.kv_heads, group * span.rows, self.head_size))?;
        let mut scores = queries.matmul(&keys.transpose(1, 2)?)?;
        if let Some(cap) = self.softcap {
            scores = ((scores / cap)?.tanh()? * cap)?;
        }
        let mask = if self.window.is_some() { &span.window_mask } else { &span.mask };
        if let Some(mask) = mask {
            let apart = scores.reshape((self.kv_heads, group, span.rows, seen))?.broadcast_add(mask)?;
            scores = apart.reshape((self.kv_heads, group * span.rows, seen))?;
        }
        let shares = candle_nn::ops::softmax_last_dim(&scores)?;
        let taken = shares.matmul(&values)?.reshape((self.heads, span.rows, self.head_size))?;
        Ok(taken.transpose(0, 1)?.reshape((span.rows, self.heads * self.head_size))?)
    }
}
