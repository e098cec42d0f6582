//! Models that run: the decoder, what is made of its tokens, and the engine. One program, since each links all of Candle.

mod common;
mod constrained;
mod decoder;
mod engine;
mod soak;
mod stop;
mod talkers;
mod vectors;
