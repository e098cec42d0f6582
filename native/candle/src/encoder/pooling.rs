//! Makes one vector of the vectors of a text's tokens.

/// A way to do so, as sentence-transformers has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// Of each number the largest.
    Max,
    /// The mean.
    Mean,
    /// The sum, divided by the root of the length.
    MeanSqrtLength,
    /// The mean, in which the second token counts twice, the third three times, and so on.
    WeightedMean,
    /// The last token's.
    LastToken,
}

impl Pooling {
    /// All, in the order in which their vectors are joined where several are used.
    pub const ALL: [Pooling; 6] =
        [Pooling::Cls, Pooling::Max, Pooling::Mean, Pooling::MeanSqrtLength, Pooling::WeightedMean, Pooling::LastToken];

    /// Its name in newer files, the value of `pooling_mode`.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Cls => "cls",
            Pooling::Max => "max",
            Pooling::Mean => "mean",
            Pooling::MeanSqrtLength => "mean_sqrt_len_tokens",
            Pooling::WeightedMean => "weightedmean",
            Pooling::LastToken => "lasttoken",
        }
    }

    /// Its name in older files, a key that is true.
    pub fn older_name(self) -> &'static str {
        match self {
            Pooling::Cls => "pooling_mode_cls_token",
            Pooling::Max => "pooling_mode_max_tokens",
            Pooling::Mean => "pooling_mode_mean_tokens",
            Pooling::MeanSqrtLength => "pooling_mode_mean_sqrt_len_tokens",
            Pooling::WeightedMean => "pooling_mode_weightedmean_tokens",
            Pooling::LastToken => "pooling_mode_lasttoken",
        }
    }

    /// The vector of `rows`, one or more of `width` numbers, put behind `vector`.
    pub(super) fn add(self, rows: &[f32], width: usize, vector: &mut Vec<f32>) {
        let count = rows.len() / width;
        let weighted = |weight: fn(usize) -> f32, divisor: f32| {
            let mut sum = vec![0.0f32; width];
            for (at, row) in rows.chunks_exact(width).enumerate() {
                let weight = weight(at);
                sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += weight * number);
            }
            sum.into_iter().map(move |sum| sum / divisor)
        };
        match self {
            Pooling::Cls => vector.extend_from_slice(&rows[..width]),
            Pooling::LastToken => vector.extend_from_slice(&rows[rows.len() - width..]),
            Pooling::Max => {
                let mut most = rows[..width].to_vec();
                for row in rows.chunks_exact(width).skip(1) {
                    most.iter_mut().zip(row).for_each(|(most, number)| *most = most.max(*number));
                }
                vector.extend(most);
            }
            Pooling::Mean => vector.extend(weighted(|_| 1.0, count as f32)),
            Pooling::MeanSqrtLength => vector.extend(weighted(|_| 1.0, (count as f32).sqrt())),
            Pooling::WeightedMean => vector.extend(weighted(|at| (at + 1) as f32, (count * (count + 1) / 2) as f32)),
        }
    }
}

/// Brings `vector` to the length 1. One of zeros stays as it is.
pub(crate) fn normalize(vector: &mut [f32]) {
    // Below this PyTorch's `normalize` divides by this.
    const LEAST: f64 = 1e-12;
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt().max(LEAST);
    vector.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
}
