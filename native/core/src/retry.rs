//! When and how often to try again.
