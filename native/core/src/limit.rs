//! Concurrency and rate limits with fair waiting.
