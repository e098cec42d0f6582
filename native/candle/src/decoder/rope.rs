//! Rotary positions (Su et al., "RoFormer", 2021): each pair of numbers of a query or key is turned by an angle that
//! grows with the position. The angles of a step are computed when it is made, so that no table grows with the context.

use candle_core::{Device, Tensor, D};

use crate::file::ModelFile;

use super::config::Keys;
use super::{Architecture, DecoderError};

/// What says, below the name of the architecture, that halves of a head are turned in spite of it.
pub(crate) const BY_HALVES: &str = "rope.by_halves";

/// How a model turns.
#[derive(Clone, Debug)]
pub(crate) struct RopeConfig {
    neighbours: bool,
    /// How many numbers of a head are turned; the rest stay.
    turned: usize,
    base: f64,
    /// Of windowed layers, where it differs.
    window_base: Option<f64>,
    /// Positions are divided by it, except in windowed layers with a base of their own.
    stretch: f64,
    /// What cosine and sine are multiplied by.
    magnitude: f64,
    /// Which of two lists of factors is right for the context in use.
    long: bool,
}

impl RopeConfig {
    pub(crate) fn from_keys(
        keys: &Keys<'_>,
        architecture: Architecture,
        head_size: usize,
        context: usize,
    ) -> Result<Self, DecoderError> {
        let turned = keys.count_or("rope.dimension_count", head_size)?;
        if turned > head_size || turned % 2 != 0 {
            return Err(DecoderError::Metadata(format!("{turned} of {head_size} numbers of a head cannot be turned")));
        }
        let base = f64::from(keys.fraction_or("rope.freq_base", 10_000.0)?);
        let stretch = match keys.word("rope.scaling.type")? {
            None | Some("none") | Some("longrope") => f64::from(keys.fraction_or("rope.scale_linear", 1.0)?),
            Some("linear") => f64::from(keys.fraction_or("rope.scaling.factor", 1.0)?),
            Some(other) => return Err(DecoderError::Unsupported(format!("rope scaling `{other}`"))),
        };
        if base <= 0.0 || stretch <= 0.0 {
            return Err(DecoderError::Metadata("the base and the factor of rope must be above 0".to_owned()));
        }
        let original = keys.number_or("rope.scaling.original_context_length", 0)? as usize;
        let window_base = match architecture {
            Architecture::Gemma3 => Some(f64::from(keys.fraction_or("rope.freq_base_swa", 10_000.0)?)),
            _ => None,
        };
        Ok(RopeConfig {
            // Weights that were never in GGUF are not in its order.
            neighbours: architecture.turns_neighbours() && !keys.flag(BY_HALVES)?,
            turned,
            base,
            window_base,
            stretch,
            magnitude: f64::from(keys.fraction_or("rope.scaling.attn_factor", 1.0)?),
            long: original > 0 && context > original,
        })
    }
}

/// The speeds at which the pairs of a head turn.
#[derive(Debug)]
pub(crate) struct Rope {
    config: RopeConfig,
    speeds: Vec<f64>,
    window_speeds: Option<Vec<f64>>,
}

/// Cosines and sines of the rows of one step.
pub(crate) struct Angles {
    neighbours: bool,
    turned: usize,
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    pub(crate) fn load(config: &RopeConfig, file: &ModelFile) -> Result<Self, DecoderError> {
        let factors = factors(config, file)?;
        let speeds = speeds(config.turned, config.base, config.stretch, factors.as_deref());
        let window_speeds = config.window_base.map(|base| speeds_plain(config.turned, base));
        Ok(Rope { config: config.clone(), speeds, window_speeds })
    }

    /// The angles at `positions`, of layers that see everything or of windowed ones.
    pub(crate) fn angles(&self, positions: &[usize], windowed: bool, device: &Device) -> Result<Angles, DecoderError> {
        let speeds = self.window_speeds.as_ref().filter(|_| windowed).unwrap_or(&self.speeds);
        let mut cos = Vec::with_capacity(positions.len() * speeds.len());
        let mut sin = Vec::with_capacity(positions.len() * speeds.len());
        for position in positions {
            for speed in speeds {
                let (s, c) = (*position as f64 * speed).sin_cos();
                cos.push((c * self.config.magnitude) as f32);
                sin.push((s * self.config.magnitude) as f32);
            }
        }
        let shape = (positions.len(), speeds.len());
        Ok(Angles {
            neighbours: self.config.neighbours,
            turned: self.config.turned,
            cos: Tensor::from_vec(cos, shape, device)?,
            sin: Tensor::from_vec(sin, shape, device)?,
        })
    }

    /// Whether windowed layers turn at speeds of their own.
    pub(crate) fn differs_by_window(&self) -> bool {
        self.window_speeds.is_some()
    }
}

impl Angles {
    /// Turns `heads`, of the shape `[heads, rows, size]`.
    pub(crate) fn turn(&self, heads: &Tensor) -> Result<Tensor, DecoderError> {
        let size = heads.dim(D::Minus1)?;
        if self.turned == size {
            return self.turn_all(heads);
        }
        let turned = self.turn_all(&heads.narrow(D::Minus1, 0, self.turned)?.contiguous()?)?;
        let rest = heads.narrow(D::Minus1, self.turned, size - self.turned)?;
        Ok(Tensor::cat(&[&turned, &rest], D::Minus1)?)
    }

    fn turn_all(&self, heads: &Tensor) -> Result<Tensor, DecoderError> {
        let heads = heads.unsqueeze(0)?;
        let turned = match self.neighbours {
            true => candle_nn::rotary_emb::rope_i(&heads, &self.cos, &self.sin)?,
            false => candle_nn::rotary_emb::rope(&heads, &self.cos, &self.sin)?,
        };
        Ok(turned.squeeze(0)?)
    }
}

/// What the file divides the speeds by: one list (Llama 3.1), or one for short and one for long contexts (Phi 3).
fn factors(config: &RopeConfig, file: &ModelFile) -> Result<Option<Vec<f32>>, DecoderError> {
    let by_length = if config.long { "rope_factors_long.weight" } else { "rope_factors_short.weight" };
    let Some(name) = ["rope_freqs.weight", by_length].into_iter().find(|name| file.has(name)) else {
        return Ok(None);
    };
    let factors = file.f32s(name)?;
    if factors.len() != config.turned / 2 {
        let (expected, found) = (vec![config.turned / 2], vec![factors.len()]);
        return Err(DecoderError::Shape { name: name.to_owned(), expected, found });
    }
    match factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        true => Ok(Some(factors)),
        false => Err(DecoderError::Metadata(format!("`{name}` holds what is not a number above 0"))),
    }
}

fn speeds_plain(turned: usize, base: f64) -> Vec<f64> {
    (0..turned / 2).map(|pair| base.powf(-2.0 * pair as f64 / turned as f64)).collect()
}

fn speeds(turned: usize, base: f64, stretch: f64, factors: Option<&[f32]>) -> Vec<f64> {
    let mut speeds = speeds_plain(turned, base);
    for (pair, speed) in speeds.iter_mut().enumerate() {
        *speed /= stretch * factors.map_or(1.0, |factors| f64::from(factors[pair]));
    }
    speeds
}
