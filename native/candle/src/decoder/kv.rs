//! The keys and values of one sequence.

use candle_core::{DType, Device, Tensor};

use super::{Config, DecoderError};

/// Tokens by which room grows, and by which a prefix is worth taking over.
pub const BLOCK: usize = 64;

/// The keys and values of one sequence, of all layers. It never holds more than the room it was made with.
#[derive(Debug)]
pub struct Kv {
    layers: Vec<Pair>,
    /// Tokens held.
    length: usize,
    /// Tokens that the tensors have room for now.
    capacity: usize,
    /// Tokens that they may grow to.
    room: usize,
    shape: Shape,
}

#[derive(Debug)]
struct Pair {
    keys: Tensor,
    values: Tensor,
}

#[derive(Clone, Debug)]
struct Shape {
    layers: usize,
    heads: usize,
    size: usize,
    device: Device,
}

impl Kv {
    /// Nothing yet, with room for `room` tokens. Memory is taken as tokens come.
    pub fn new(config: &Config, room: usize, device: &Device) -> Self {
        let shape =
            Shape { layers: config.layers, heads: config.kv_heads, size: config.head_size, device: device.clone() };
        Kv { layers: Vec::new(), length: 0, capacity: 0, room, shape }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Tokens that fit.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Bytes taken in memory.
    pub fn bytes(&self) -> u64 {
        (self.shape.layers * 2 * self.shape.heads * self.shape.size * self.capacity * size_of::<f32>()) as u64
    }

    /// Forgets all but the first `length` tokens.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Changes how many tokens fit. What does not fit any more is forgotten.
    pub fn set_room(&mut self, room: usize) -> Result<(), DecoderError> {
        self.room = room;
        self.length = self.length.min(room);
        if self.capacity > room.next_multiple_of(BLOCK) {
            self.resize(self.length.next_multiple_of(BLOCK))?;
        }
        Ok(())
    }

    /// A copy of the first `length` tokens, with room for `room`.
    pub fn fork(&self, length: usize, room: usize) -> Result<Self, DecoderError> {
        let mut fork = Kv { layers: Vec::new(), length: 0, capacity: 0, room, shape: self.shape.clone() };
        let length = length.min(self.length);
        if length > 0 {
            fork.reserve(length)?;
            for (from, to) in self.layers.iter().zip(&fork.layers) {
                to.keys.slice_set(&from.keys.narrow(1, 0, length)?.contiguous()?, 1, 0)?;
                to.values.slice_set(&from.values.narrow(1, 0, length)?.contiguous()?, 1, 0)?;
            }
            fork.length = length;
        }
        Ok(fork)
    }

    /// Makes room for `more` tokens after those held.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), DecoderError> {
        let needed = self.length + more;
        if needed > self.room {
            return Err(DecoderError::Full { needed, room: self.room });
        }
        if needed <= self.capacity && !self.layers.is_empty() {
            return Ok(());
        }
        // By half again, so that a long text is copied few times; in whole blocks, and never beyond the room.
        let grown = (needed + needed / 2).next_multiple_of(BLOCK).min(self.room.next_multiple_of(BLOCK));
        self.resize(grown)
    }

    fn resize(&mut self, capacity: usize) -> Result<(), DecoderError> {
        let Shape { layers, heads, size, device } = &self.shape;
        let zeros = || Tensor::zeros((*heads, capacity, *size), DType::F32, device);
        for layer in 0..*layers {
            let pair = Pair { keys: zeros()?, values: zeros()? };
            match self.layers.get_mut(layer) {
                Some(old) => {
                    if self.length > 0 {
                        pair.keys.slice_set(&old.keys.narrow(1, 0, self.length)?.contiguous()?, 1, 0)?;
                        pair.values.slice_set(&old.values.narrow(1, 0, self.length)?.contiguous()?, 1, 0)?;
                    }
                    *old = pair;
                }
                None => self.layers.push(pair),
            }
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Puts the keys and values of one layer, `[heads, rows, size]`, after those held. [`Kv::commit`] makes them count.
    pub(crate) fn write(&self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(), DecoderError> {
        self.layers[layer].keys.slice_set(keys, 1, self.length)?;
        self.layers[layer].values.slice_set(values, 1, self.length)?;
        Ok(())
    }

    /// The keys and values of one layer from token `start` on, `length` of them.
    pub(crate) fn read(&self, layer: usize, start: usize, length: usize) -> Result<(Tensor, Tensor), DecoderError> {
        let pair = &self.layers[layer];
        Ok((pair.keys.narrow(1, start, length)?, pair.values.narrow(1, start, length)?))
    }

    /// Counts `more` tokens that every layer has written.
    pub(crate) fn commit(&mut self, more: usize) {
        self.length += more;
    }
}
