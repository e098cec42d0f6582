//! Wire protocols: bytes to the neutral form and back. Pure.

pub mod multipart;
pub mod neutral;
pub mod openai;
pub mod passed;
