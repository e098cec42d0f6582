//! Finds the special tokens in a text and leaves the stretches between them to the model's way of splitting.
//!
//! As llama.cpp has it: the longest special token is looked for in the whole text first, then the next in what is left, so
//! that a shorter one never takes a part of a longer. Which of them occur at all is found in one pass, so that a vocabulary
//! with thousands of special tokens costs no thousands of searches.

use aho_corasick::{AhoCorasick, Input};
use memchr::memmem;

use super::vocabulary::{Kind, Vocabulary};
use crate::file::FileError;

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment<'a> {
    Token(u32),
    Text(&'a str),
}

/// The special tokens of a vocabulary.
pub(super) struct Specials {
    /// Longest first.
    tokens: Vec<Special>,
    searcher: Option<AhoCorasick>,
}

struct Special {
    id: u32,
    text: String,
    guarded: bool,
    /// Swallows the white space after it.
    strips: bool,
}

impl Specials {
    /// The special tokens of `vocabulary`; `strips` says which of them swallow the white space after them.
    pub fn new(vocabulary: &Vocabulary, strips: impl Fn(&str) -> bool) -> Result<Specials, FileError> {
        let special = |(id, text): (u32, &str)| {
            let kind = vocabulary.kind(id);
            let found = !text.is_empty() && (kind.is_guarded() || kind == Kind::UserDefined);
            found.then(|| Special { id, text: text.into(), guarded: kind.is_guarded(), strips: strips(text) })
        };
        let mut tokens: Vec<Special> = vocabulary.iter().filter_map(special).collect();
        tokens.sort_by_key(|token| std::cmp::Reverse(token.text.len()));
        let searcher = match tokens.is_empty() {
            true => None,
            false => {
                let texts = tokens.iter().map(|token| &token.text);
                let wrong =
                    |error| FileError::Vocabulary(format!("its special tokens cannot be searched for: {error}"));
                Some(AhoCorasick::new(texts).map_err(wrong)?)
            }
        };
        Ok(Specials { tokens, searcher })
    }

    /// The id of the special token `text`.
    pub fn id(&self, text: &str) -> Option<u32> {
        self.tokens.iter().find(|token| token.text == text).map(|token| token.id)
    }

    /// The texts that only trusted text may turn into tokens.
    pub fn guarded(&self) -> impl Iterator<Item = &str> + '_ {
        self.tokens.iter().filter(|token| token.guarded).map(|token| token.text.as_str())
    }

    /// Splits `text`. Where it is not `trusted`, guarded tokens are text like any other.
    pub fn split<'a>(&self, text: &'a str, trusted: bool) -> Vec<Fragment<'a>> {
        let mut fragments = vec![Fragment::Text(text)];
        for index in self.occurring(text) {
            let token = &self.tokens[index];
            if trusted || !token.guarded {
                fragments = split_at(fragments, token);
            }
        }
        fragments.retain(|fragment| *fragment != Fragment::Text(""));
        fragments
    }

    /// Splits `text`, which follows `before`.
    pub fn split_after<'a>(&self, before: Option<&Fragment<'_>>, text: &'a str, trusted: bool) -> Vec<Fragment<'a>> {
        let strips = |id: u32| self.tokens.iter().any(|token| token.strips && token.id == id);
        match before {
            Some(Fragment::Token(id)) if strips(*id) => self.split(trimmed(text), trusted),
            _ => self.split(text, trusted),
        }
    }

    /// Which special tokens occur in `text`, longest first.
    fn occurring(&self, text: &str) -> Vec<usize> {
        let Some(searcher) = &self.searcher else { return Vec::new() };
        // Most texts have none, and that is told faster than which.
        if !searcher.is_match(text) {
            return Vec::new();
        }
        let mut occurs = vec![false; self.tokens.len()];
        for found in searcher.find_overlapping_iter(Input::new(text)) {
            occurs[found.pattern().as_usize()] = true;
        }
        (0..occurs.len()).filter(|&index| occurs[index]).collect()
    }
}

/// `text` without the white space, by C's `isspace`, that it begins with.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r'])
}

fn split_at<'a>(fragments: Vec<Fragment<'a>>, token: &Special) -> Vec<Fragment<'a>> {
    let finder = memmem::Finder::new(&token.text);
    let mut out = Vec::with_capacity(fragments.len());
    for fragment in fragments {
        let Fragment::Text(mut text) = fragment else {
            out.push(fragment);
            continue;
        };
        while let Some(at) = finder.find(text.as_bytes()) {
            if at > 0 {
                out.push(Fragment::Text(&text[..at]));
            }
            out.push(Fragment::Token(token.id));
            text = &text[at + token.text.len()..];
            if token.strips {
                text = trimmed(text);
            }
        }
        if !text.is_empty() {
            out.push(Fragment::Text(text));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::Writing;
    use super::*;

    fn specials(tokens: &[(&str, Kind)], strips: &'static str) -> Specials {
        let texts = tokens.iter().map(|(text, _)| text.to_string()).collect();
        let kinds = tokens.iter().map(|(_, kind)| *kind).collect();
        let vocabulary = Vocabulary::new(texts, kinds, Writing::Plain).unwrap();
        Specials::new(&vocabulary, |text| text == strips).unwrap()
    }

    #[test]
    fn the_longest_wins_wherever_it_is() {
        let specials = specials(&[("ab", Kind::Control), ("bcd", Kind::Control), ("b", Kind::UserDefined)], "");
        assert_eq!(specials.split("abcd", true), [Fragment::Text("a"), Fragment::Token(1)]);
        assert_eq!(specials.split("ab", true), [Fragment::Token(0)]);
        assert_eq!(specials.split("abcd", false), [Fragment::Text("a"), Fragment::Token(2), Fragment::Text("cd")]);
    }

    #[test]
    fn text_without_any_is_one_stretch() {
        let specials = specials(&[("<s>", Kind::Control)], "");
        assert_eq!(specials.split("", true), []);
        assert_eq!(specials.split("a < s > b", true), [Fragment::Text("a < s > b")]);
        assert_eq!(specials.split("<s><s>", true), [Fragment::Token(0), Fragment::Token(0)]);
    }

    #[test]
    fn some_swallow_the_white_space_after_them() {
        let specials = specials(&[("<e>", Kind::Control), ("<u>", Kind::Control)], "<e>");
        let fragments = specials.split("<e> \n a <u> b<e>\n", true);
        let expected =
            [Fragment::Token(0), Fragment::Text("a "), Fragment::Token(1), Fragment::Text(" b"), Fragment::Token(0)];
        assert_eq!(fragments, expected);
        assert_eq!(specials.split_after(fragments.last(), "\n c", true), [Fragment::Text("c")]);
        assert_eq!(specials.split_after(None, "\n c", true), [Fragment::Text("\n c")]);
    }
}
