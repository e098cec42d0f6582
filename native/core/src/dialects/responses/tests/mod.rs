//! What this dialect is held to.
