//! A matrix behind the pooling.

use candle_core::Device;
use serde::Deserialize;

use crate::decoder::DecoderError;
use crate::file::FileError;
use crate::folder::ModelFolder;

/// A matrix, what is added to what it gives, and perhaps what bends it.
pub(super) struct Dense {
    /// Rows of the inputs' length, one for each output.
    matrix: Vec<f32>,
    bias: Option<Vec<f32>>,
    inputs: usize,
    bends: bool,
}

#[derive(Deserialize)]
struct File {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

fn yes() -> bool {
    true
}

impl Dense {
    /// The one in the folder `path`, for vectors of `inputs` numbers.
    pub(super) fn load(
        folder: &ModelFolder,
        path: &str,
        inputs: usize,
        device: &Device,
    ) -> Result<Dense, DecoderError> {
        let name = format!("{path}/config.json");
        let file: File =
            folder.json(&name)?.ok_or_else(|| FileError::part(&name, "is missing, and modules.json names it"))?;
        if file.in_features != inputs {
            let problem = format!("takes vectors of {} numbers, and they have {inputs} there", file.in_features);
            return Err(FileError::part(&name, problem).into());
        }
        let bends = match file.activation_function.as_deref() {
            None | Some("torch.nn.modules.activation.Tanh") => true,
            Some("torch.nn.modules.linear.Identity") => false,
            Some(_) => return Err(DecoderError::Unsupported(format!("the activation of {name}"))),
        };
        if file.use_residual {
            return Err(DecoderError::Unsupported(format!("the way around the matrix of {name}")));
        }
        let weights = folder.more_weights(&format!("{path}/model.safetensors"))?;
        let outputs = file.out_features;
        let numbers = |name: &str, shape: &[usize]| {
            Ok::<_, DecoderError>(weights.floats(name, shape, device)?.flatten_all()?.to_vec1::<f32>()?)
        };
        let matrix = numbers("linear.weight", &[outputs, inputs])?;
        let bias = if file.bias { Some(numbers("linear.bias", &[outputs])?) } else { None };
        Ok(Dense { matrix, bias, inputs, bends })
    }

    pub(super) fn outputs(&self) -> usize {
        self.matrix.len() / self.inputs
    }

    pub(super) fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let product = |row: &[f32]| row.iter().zip(vector).map(|(weight, number)| weight * number).sum::<f32>();
        let mut out: Vec<f32> = self.matrix.chunks_exact(self.inputs).map(product).collect();
        if let Some(bias) = &self.bias {
            out.iter_mut().zip(bias).for_each(|(number, bias)| *number += bias);
        }
        if self.bends {
            out.iter_mut().for_each(|number| *number = number.tanh());
        }
        out
    }
}
