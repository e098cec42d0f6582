//! The exact-answer cache.
