//! The weights of a model, as the file has them: quantized weights stay quantized.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};

use crate::file::ModelFile;

use super::DecoderError;

/// Tells of each tensor as it comes.
pub(crate) struct Reader<'a> {
    pub(crate) file: &'a ModelFile,
    pub(crate) device: &'a Device,
    /// Told of the bytes of each tensor that was read.
    pub(crate) progress: &'a mut dyn FnMut(u64),
}

/// A matrix, and what is added to what it gives.
#[derive(Debug)]
pub(crate) struct Linear {
    matrix: QMatMul,
    bias: Option<Tensor>,
}

/// A root-mean-square norm.
#[derive(Debug)]
pub(crate) struct Norm {
    weight: Tensor,
    epsilon: f64,
}

impl Reader<'_> {
    /// The matrix `name`, that makes `outputs` numbers of `inputs`.
    pub(crate) fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Arc<QTensor>, DecoderError> {
        let tensor = self.file.qtensor(name, self.device)?;
        check(name, tensor.shape().dims(), &[outputs, inputs])?;
        (self.progress)(tensor.storage_size_in_bytes() as u64);
        Ok(Arc::new(tensor))
    }

    /// `name.weight` and, where there is one, `name.bias`.
    pub(crate) fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, DecoderError> {
        let matrix = self.matrix(&format!("{name}.weight"), outputs, inputs)?;
        let bias = format!("{name}.bias");
        let bias = match self.file.has(&bias) {
            true => Some(self.vector(&bias, outputs)?),
            false => None,
        };
        Ok(Linear { matrix: QMatMul::from_arc(matrix)?, bias })
    }

    /// `name.weight` as a norm.
    pub(crate) fn norm(&mut self, name: &str, size: usize, epsilon: f32) -> Result<Norm, DecoderError> {
        Ok(Norm { weight: self.vector(&format!("{name}.weight"), size)?, epsilon: f64::from(epsilon) })
    }

    /// `name.weight` as a norm, if there is one.
    pub(crate) fn norm_if(&mut self, name: &str, size: usize, epsilon: f32) -> Result<Option<Norm>, DecoderError> {
        match self.file.has(&format!("{name}.weight")) {
            true => self.norm(name, size, epsilon).map(Some),
            false => Ok(None),
        }
    }

    fn vector(&mut self, name: &str, size: usize) -> Result<Tensor, DecoderError> {
        let numbers = self.file.f32s(name)?;
        check(name, &[numbers.len()], &[size])?;
        (self.progress)((size * size_of::<f32>()) as u64);
        Ok(Tensor::from_vec(numbers, size, self.device)?)
    }
}

fn check(name: &str, found: &[usize], expected: &[usize]) -> Result<(), DecoderError> {
    match found == expected {
        true => Ok(()),
        false => Err(DecoderError::Shape { name: name.to_owned(), expected: expected.into(), found: found.into() }),
    }
}

impl Linear {
    /// Of a matrix alone.
    pub(crate) fn from_matrix(matrix: Arc<QTensor>) -> Result<Self, DecoderError> {
        Ok(Linear { matrix: QMatMul::from_arc(matrix)?, bias: None })
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub(crate) fn forward(&self, rows: &Tensor) -> Result<Tensor, DecoderError> {
        let out = self.matrix.forward(rows)?;
        Ok(match &self.bias {
            Some(bias) => out.broadcast_add(bias)?,
            None => out,
        })
    }
}

impl Norm {
    /// Over the last dimension.
    pub(crate) fn forward(&self, rows: &Tensor) -> Result<Tensor, DecoderError> {
        Ok(candle_nn::ops::rms_norm(&rows.contiguous()?, &self.weight, self.epsilon as f32)?)
    }
}
