//! A tensor's bytes as Candle computes with them.

use std::borrow::Cow;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::Device;

use super::error::FileError;
use super::{ModelFile, Tensor};

/// What the strictest of Candle's block types asks of the address of its data.
const ALIGN: usize = 8;

impl ModelFile {
    /// The tensor `name` for Candle's quantized kernels of `device`.
    ///
    /// Candle keeps weights in memory of its own, so this copies the bytes once: a model takes its size in memory, and the
    /// pages of the map are given back by the system as it needs them.
    pub fn qtensor(&self, name: &str, device: &Device) -> Result<QTensor, FileError> {
        let tensor = self.tensor(name)?;
        to_candle(&tensor, device).map_err(|error| FileError::tensor(name, format!("is not taken by Candle: {error}")))
    }

    /// The elements of the tensor `name` as numbers, rows one after another: for norms and biases, which are small.
    pub fn f32s(&self, name: &str) -> Result<Vec<f32>, FileError> {
        let tensor = self.tensor(name)?;
        let numbers = || to_candle(&tensor, &Device::Cpu)?.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>();
        numbers().map_err(|error| FileError::tensor(name, format!("is not taken by Candle: {error}")))
    }
}

fn to_candle(tensor: &Tensor<'_>, device: &Device) -> candle_core::Result<QTensor> {
    let storage = match aligned(tensor.data) {
        Aligned::Already(data) => QStorage::from_data(Cow::Borrowed(data), device, tensor.dtype)?,
        Aligned::Copied(buffer, start) => {
            let data = &buffer[start..start + tensor.data.len()];
            QStorage::from_data(Cow::Borrowed(data), device, tensor.dtype)?
        }
    };
    QTensor::new(storage, tensor.shape.clone())
}

enum Aligned<'a> {
    Already(&'a [u8]),
    /// A buffer, and where in it the data begins.
    Copied(Vec<u8>, usize),
}

/// `data` where Candle can read it in place. A map begins at a page, so it is; a model that is embedded in the program, or
/// whose file is aligned to less, is copied, since Candle stops the process over a crooked address.
fn aligned(data: &[u8]) -> Aligned<'_> {
    if data.as_ptr().addr() % ALIGN == 0 {
        return Aligned::Already(data);
    }
    let mut buffer: Vec<u8> = Vec::with_capacity(data.len() + ALIGN);
    let start = (ALIGN - buffer.as_ptr().addr() % ALIGN) % ALIGN;
    buffer.resize(start, 0);
    buffer.extend_from_slice(data);
    Aligned::Copied(buffer, start)
}
