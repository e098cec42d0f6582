//! From a model name to the providers that serve it.
