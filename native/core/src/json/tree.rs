//! Small JSON texts made of values: what the gateway says of itself. What callers and upstreams say is never made so, but
//! spliced.

use std::fmt::Write;

use super::write_string;

/// A value to be written.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// A number, a word of JSON's own, or text that is JSON already.
    Plain(String),
    Text(String),
    Array(Vec<Tree>),
    /// In the order given.
    Object(Vec<(&'static str, Tree)>),
}

impl From<&str> for Tree {
    fn from(text: &str) -> Tree {
        Tree::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Tree {
        Tree::Text(text)
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Tree {
        Tree::Plain(value.to_string())
    }
}

impl From<u32> for Tree {
    fn from(value: u32) -> Tree {
        Tree::Plain(value.to_string())
    }
}

impl From<u64> for Tree {
    fn from(value: u64) -> Tree {
        Tree::Plain(value.to_string())
    }
}

impl From<i64> for Tree {
    fn from(value: i64) -> Tree {
        Tree::Plain(value.to_string())
    }
}

/// Nothing is `null`.
impl<T: Into<Tree>> From<Option<T>> for Tree {
    fn from(value: Option<T>) -> Tree {
        value.map_or_else(|| Tree::Plain("null".into()), Into::into)
    }
}

impl FromIterator<Tree> for Tree {
    fn from_iter<I: IntoIterator<Item = Tree>>(values: I) -> Tree {
        Tree::Array(values.into_iter().collect())
    }
}

impl Tree {
    /// In one line.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// With a line for each field, and one line end at the end.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out.push('\n');
        out
    }

    /// `depth`: how far lines are indented; `None` breaks none.
    fn write(&self, out: &mut String, depth: Option<usize>) {
        let deeper = depth.map(|depth| depth + 1);
        match self {
            Tree::Plain(written) => out.push_str(written),
            Tree::Text(text) => string(out, text),
            // Lists of words stay on their line.
            Tree::Array(values) => {
                let nested = values.iter().any(|value| matches!(value, Tree::Array(_) | Tree::Object(_)));
                let lines = depth.filter(|_| nested);
                let apart = if depth.is_some() { ", " } else { "," };
                block(out, lines, apart, ['[', ']'], values, |value, out| value.write(out, deeper));
            }
            Tree::Object(fields) => block(out, depth, ",", ['{', '}'], fields, |(key, value), out| {
                string(out, key);
                out.push_str(if depth.is_some() { ": " } else { ":" });
                value.write(out, deeper);
            }),
        }
    }
}

fn string(out: &mut String, text: &str) {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    write_string(&mut bytes, text);
    out.push_str(&String::from_utf8_lossy(&bytes));
}

/// Items between `ends`, each on its line if there is a depth, else with `apart` between them.
fn block<T>(
    out: &mut String,
    depth: Option<usize>,
    apart: &str,
    ends: [char; 2],
    items: &[T],
    write: impl Fn(&T, &mut String),
) {
    out.push(ends[0]);
    for (at, item) in items.iter().enumerate() {
        match depth {
            Some(depth) => {
                let _ = write!(out, "{}\n{:indent$}", if at > 0 { "," } else { "" }, "", indent = 2 * (depth + 1));
            }
            None => out.push_str(if at > 0 { apart } else { "" }),
        }
        write(item, out);
    }
    if let Some(depth) = depth.filter(|_| !items.is_empty()) {
        let _ = write!(out, "\n{:indent$}", "", indent = 2 * depth);
    }
    out.push(ends[1]);
}
