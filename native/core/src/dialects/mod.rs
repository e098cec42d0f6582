//! Wire protocols: bytes to the neutral form and back. Pure.

pub mod neutral;
pub mod openai;
