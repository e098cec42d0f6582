//! Patterns of model names: `*` stands for any text, also none and also slashes.

/// A pattern, read once. Matching allocates nothing, and costs one comparison where the `*` stands at the end or is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glob {
    /// No `*`.
    Exact(Box<str>),
    /// One `*`, at the end.
    Prefix(Box<str>),
    /// What stands before, between and after several, or one elsewhere; at least two texts.
    Parts(Box<[Box<str>]>),
}

impl Glob {
    /// Reads a pattern. Every text is one.
    pub fn new(text: &str) -> Glob {
        match text.split_once('*') {
            None => Glob::Exact(text.into()),
            Some((stem, "")) => Glob::Prefix(stem.into()),
            Some(_) => Glob::Parts(text.split('*').map(Into::into).collect()),
        }
    }

    /// Whether `name` is one of those it means.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Glob::Exact(exact) => **exact == *name,
            Glob::Prefix(stem) => name.starts_with(&**stem),
            Glob::Parts(parts) => matches_parts(parts, name),
        }
    }

    /// Whether it has no `*`.
    pub fn is_exact(&self) -> bool {
        matches!(self, Glob::Exact(_))
    }

    /// Bytes beside its `*`: of two patterns that match, the longer one says more.
    pub fn literal_bytes(&self) -> usize {
        match self {
            Glob::Exact(text) | Glob::Prefix(text) => text.len(),
            Glob::Parts(parts) => parts.iter().map(|part| part.len()).sum(),
        }
    }
}

/// The first and last part stand at the ends; of those between, each is taken at its first place, which leaves the most
/// for the next.
fn matches_parts(parts: &[Box<str>], name: &str) -> bool {
    let (Some((first, rest)), true) = (parts.split_first(), parts.len() > 1) else { return false };
    let Some((last, between)) = rest.split_last() else { return false };
    let Some(name) = name.strip_prefix(&**first).and_then(|name| name.strip_suffix(&**last)) else { return false };
    let mut left = name;
    between.iter().all(|part| match left.find(&**part) {
        Some(at) => {
            left = &left[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name, matches) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-", true),
            ("*", "", true),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-4o-mini-x", false),
            ("*/llama-*-instruct", "meta/llama-3.1-8b-instruct", true),
            ("*/llama-*-instruct", "llama-3.1-8b-instruct", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a**b", "ab", true),
            ("*é*", "caffè é", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), matches, "{pattern} {name}");
        }
    }

    /// By the definition: one letter, or `*` and any number of them.
    fn reference(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|at| reference(rest, &name[at..])),
            Some((letter, rest)) => name.first() == Some(letter) && reference(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matches_by_the_definition(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let expected = reference(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Glob::new(&pattern).matches(&name), expected, "{} {}", pattern, name);
        }
    }
}
