//! What exchanges share.
