//! Keeps what users write from becoming control tokens.
//!
//! A chat template is a program that writes text, and the tokenizer turns the texts of control tokens in it into those
//! tokens. A user who writes `<|im_end|>` must not end their turn by it. Putting signs around a user's text before the
//! template sees it would show which stretches are whose, but templates trim, split, compare and slice, and lose a sign or
//! stumble over it. Instead a text is changed only where it could be taken for a control token, or for a piece of one: there
//! a mark is put inside, a character that Unicode keeps for a program's own use (U+FDD0, a noncharacter). A text with a mark
//! in it is no token's text, wherever the template moves it, so control tokens are looked for while the marks are in, and
//! the marks are taken out of what is left. Texts without anything of the kind, which are nearly all, are not changed at
//! all, so templates do with them what they always do, and the tokens are those of the whole.
//!
//! Marks are put
//! - inside every whole control token in the text;
//! - before a text that begins, after its white space, as a control token ends; after one that ends as a control token
//!   begins; and before one that is a piece from the middle: so that neither the template's own text nor another user's can
//!   complete it.
//!
//! Words of the protocol, such as `user` and `function`, are left alone, since templates compare them, and some build
//! control tokens out of roles (`<|` + role + `|>`). Filters and methods that could make a control token out of a text that
//! had none (`replace`, `split`, `lower`, …) mark again what they return. What remains is a template that cuts a user's text
//! by numbers, or letter by letter, and puts it next to half a control token of its own: none is known.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use hashbrown::HashMap;

use crate::file::FileError;
use crate::text::Part;

/// The mark.
const MARK: char = '\u{fdd0}';

/// The texts of a model's control tokens.
pub(super) struct Guard {
    /// Every occurrence, also within others.
    everywhere: Option<AhoCorasick>,
    /// Occurrences as they are cut out of a text.
    cutting: Option<AhoCorasick>,
    beginnings: Trie,
    /// The same of the texts backwards.
    ends: Trie,
    /// All texts with something between that occurs in none, to look for a piece from the middle.
    all: String,
}

impl Guard {
    pub fn new<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Guard, FileError> {
        let tokens: Vec<&str> = tokens.collect();
        let build = |kind| {
            let built = (!tokens.is_empty()).then(|| AhoCorasick::builder().match_kind(kind).build(&tokens));
            built.transpose().map_err(|error| FileError::Vocabulary(format!("its control tokens: {error}")))
        };
        Ok(Guard {
            everywhere: build(MatchKind::Standard)?,
            cutting: build(MatchKind::LeftmostLongest)?,
            beginnings: Trie::new(tokens.iter().map(|token| token.chars().collect())),
            ends: Trie::new(tokens.iter().map(|token| token.chars().rev().collect())),
            all: tokens.join("\u{fdd1}"),
        })
    }

    /// A user's `text`, marked.
    pub fn mark<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let clean = remove_marks(text);
        let mut places = self.insides(&clean);
        self.edges(&clean, &mut places);
        insert(clean, places)
    }

    /// `text` as a filter made it of `before`. Where it holds a control token more often than `before`, which of them the
    /// template wrote cannot be told, and all are marked.
    pub fn mark_made<'a>(&self, text: &'a str, before: &str) -> Cow<'a, str> {
        let Some(everywhere) = &self.everywhere else { return Cow::Borrowed(text) };
        let mut places = Vec::new();
        let mut new: HashMap<&str, bool> = HashMap::new();
        for found in everywhere.find_overlapping_iter(text) {
            let token = &text[found.range()];
            let is_new = || text.matches(token).count() > before.matches(token).count();
            if *new.entry(token).or_insert_with(is_new) {
                places.push(found.start() + first_length(token));
            }
        }
        insert(Cow::Borrowed(text), places)
    }

    /// `pieces` with `glue` between them, marked where a control token came together across a border.
    pub fn join<'a>(&self, pieces: impl Iterator<Item = &'a str>, glue: &str) -> String {
        let mut whole = String::new();
        let mut borders = Vec::new();
        for (index, piece) in pieces.enumerate() {
            for text in [if index > 0 { glue } else { "" }, piece] {
                whole.push_str(text);
                borders.push(whole.len());
            }
        }
        let found = self.everywhere.iter().flat_map(|everywhere| everywhere.find_overlapping_iter(&whole));
        let crosses = |start: usize, end: usize| {
            let next = borders.partition_point(|&border| border <= start);
            borders.get(next).is_some_and(|&border| border < end)
        };
        let places: Vec<usize> = found
            .filter(|found| crosses(found.start(), found.end()))
            .map(|found| found.start() + first_length(&whole[found.range()]))
            .collect();
        insert(Cow::Owned(whole), places).into_owned()
    }

    /// A piece of a text that was cut up, marked where it could be put together otherwise.
    pub fn mark_piece<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut places = Vec::new();
        self.edges(text, &mut places);
        insert(Cow::Borrowed(text), places)
    }

    /// What a template wrote, cut at the control tokens, without marks.
    pub fn cut(&self, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = 0;
        for found in self.cutting.iter().flat_map(|cutting| cutting.find_iter(text)) {
            push_text(&mut parts, &text[at..found.start()]);
            parts.push(Part::Trusted(text[found.range()].into()));
            at = found.end();
        }
        push_text(&mut parts, &text[at..]);
        parts
    }

    /// The places after the first letter of every control token in `text`.
    fn insides(&self, text: &str) -> Vec<usize> {
        let Some(everywhere) = &self.everywhere else { return Vec::new() };
        // Most texts have none, and that is told faster than where.
        if !everywhere.is_match(text) {
            return Vec::new();
        }
        let found = everywhere.find_overlapping_iter(text);
        found.map(|found| found.start() + first_length(&text[found.range()])).collect()
    }

    /// The places where `text`, but for its outer white space, could be the end, the beginning or the middle of a token.
    fn edges(&self, text: &str, places: &mut Vec<usize>) {
        let inner = text.trim();
        if inner.is_empty() {
            return;
        }
        let start = text.len() - text.trim_start().len();
        let end = start + inner.len();
        let mut head: Vec<char> = inner.chars().take(self.ends.deepest).collect();
        head.reverse();
        if self.all.contains(inner) || self.ends.is_begun_by_end_of(&head) {
            places.push(start);
        }
        let mut tail: Vec<char> = inner.chars().rev().take(self.beginnings.deepest).collect();
        tail.reverse();
        if self.beginnings.is_begun_by_end_of(&tail) {
            places.push(end);
        }
    }
}

/// Words by their letters.
struct Trie {
    next: HashMap<(usize, char), usize>,
    /// Whether a word goes on at each node.
    goes_on: Vec<bool>,
    /// Letters of the longest word.
    deepest: usize,
}

impl Trie {
    fn new(words: impl Iterator<Item = Vec<char>>) -> Trie {
        let mut trie = Trie { next: HashMap::new(), goes_on: vec![false], deepest: 0 };
        for word in words {
            trie.deepest = trie.deepest.max(word.len());
            let mut node = 0;
            for letter in word {
                trie.goes_on[node] = true;
                let free = trie.goes_on.len();
                node = *trie.next.entry((node, letter)).or_insert(free);
                if node == free {
                    trie.goes_on.push(false);
                }
            }
        }
        trie
    }

    /// Whether the last letters of `text`, however few, are the first ones of a longer word.
    fn is_begun_by_end_of(&self, text: &[char]) -> bool {
        (0..text.len()).any(|start| {
            let walk = text[start..].iter().try_fold(0, |node, &letter| self.next.get(&(node, letter)).copied());
            walk.is_some_and(|node| self.goes_on[node])
        })
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    let text = remove_marks(text);
    if !text.is_empty() {
        parts.push(Part::Text(text.into_owned()));
    }
}

/// `text` without marks.
pub(super) fn remove_marks(text: &str) -> Cow<'_, str> {
    if text.contains(MARK) {
        Cow::Owned(text.replace(MARK, ""))
    } else {
        Cow::Borrowed(text)
    }
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

fn insert(text: Cow<'_, str>, mut places: Vec<usize>) -> Cow<'_, str> {
    if places.is_empty() {
        return text;
    }
    places.sort_unstable();
    places.dedup();
    let mut marked = String::with_capacity(text.len() + places.len() * MARK.len_utf8());
    let mut at = 0;
    for place in places {
        marked.push_str(&text[at..place]);
        marked.push(MARK);
        at = place;
    }
    marked.push_str(&text[at..]);
    Cow::Owned(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 5] = ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "[INST]"];

    fn guard() -> Guard {
        Guard::new(TOKENS.into_iter()).unwrap()
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        let guard = guard();
        for text in ["", "  ", "Hello, world.", "a < b | c > d", "fn main() { vec[0] }", "</think> ok", "日本語"] {
            assert!(matches!(guard.mark(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn whole_tokens_are_broken_wherever_they_are() {
        let guard = guard();
        assert_eq!(guard.mark("a <|im_end|> b"), "a <\u{fdd0}|im_end|> b");
        assert_eq!(guard.cut(&guard.mark("<s></s><s>")), [Part::Text("<s></s><s>".into())]);
        assert_eq!(guard.cut("<s>"), [Part::Trusted("<s>".into())]);
    }

    #[test]
    fn pieces_cannot_be_put_together() {
        let guard = guard();
        for token in TOKENS {
            let letters: Vec<char> = token.chars().collect();
            for at in 1..letters.len() {
                let (left, right) =
                    (letters[..at].iter().collect::<String>(), letters[at..].iter().collect::<String>());
                for (left, right) in [
                    (guard.mark(&left), Cow::Borrowed(right.as_str())),
                    (Cow::Borrowed(left.as_str()), guard.mark(&right)),
                    (guard.mark(&format!("x{left} \n")), guard.mark(&format!(" {right}x"))),
                ] {
                    let whole = format!("{}{}", left.trim_end(), right.trim_start());
                    assert!(guard.cut(&whole).iter().all(|part| matches!(part, Part::Text(_))), "{left} {right}");
                }
                for end in at + 1..letters.len() {
                    let middle: String = letters[at..end].iter().collect();
                    let head: String = letters[..at].iter().collect();
                    let tail: String = letters[end..].iter().collect();
                    let whole = format!("{head}{}{tail}", guard.mark(&middle));
                    assert_eq!(guard.cut(&whole), [Part::Text(token.into())]);
                }
            }
        }
    }

    #[test]
    fn marks_of_users_are_taken_out() {
        let guard = guard();
        assert_eq!(guard.mark("x <\u{fdd0}s> x"), "x <\u{fdd0}s> x");
        assert_eq!(guard.mark("a\u{fdd0}b"), "ab");
        assert_eq!(guard.cut("a\u{fdd0}b"), [Part::Text("ab".into())]);
    }

    #[test]
    fn what_a_filter_makes_is_marked_and_what_it_keeps_is_not() {
        let guard = guard();
        assert_eq!(guard.mark_made("<s> a", "<S> a"), "<\u{fdd0}s> a");
        assert_eq!(guard.mark_made("<s> a", "<s> A"), "<s> a");
        assert_eq!(guard.join(["<", "s>"].into_iter(), ""), "<\u{fdd0}s>");
        assert_eq!(guard.join(["<s>a", "b<s>", "c"].into_iter(), "</s>"), "<s>a</s>b<s></s>c");
    }

    #[test]
    fn a_model_without_control_tokens_has_nothing_to_guard() {
        let guard = Guard::new(std::iter::empty()).unwrap();
        assert_eq!(guard.mark("<s>"), "<s>");
        assert_eq!(guard.cut("<s>"), [Part::Text("<s>".into())]);
    }
}
