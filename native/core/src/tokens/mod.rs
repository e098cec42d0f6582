//! Token counting for OpenAI encodings, offline.
