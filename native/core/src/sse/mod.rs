//! The WHATWG event stream: a parser that may be fed at any split, and a writer.
