//! Across files.
