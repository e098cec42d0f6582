//! Splits text into the words within which BPE merges, by the patterns that a model's tokenizer was trained with.
//!
//! The patterns are llama.cpp's (llama-vocab.cpp, by `tokenizer.ggml.pre`), which mirror those of the models'
//! tokenizer.json. Nearly all end in `\s+(?!\S)|\s+`: the last space of a run belongs to the word after it. That is the only
//! look-around in them, and is done by hand here, so that the rest is a regular expression in the strict sense, which an
//! automaton matches in linear time whatever the text. Where a pattern is of several steps, each splits what the steps
//! before it left, and sees nothing beyond.

use std::ops::Range;

use regex_automata::meta::Regex;
use regex_automata::Input;

use crate::file::FileError;

/// Splits text into words.
pub(super) struct Splitter {
    steps: Vec<Regex>,
}

/// The pattern that gives the last space of a run to what follows: it is given back after the match.
const ALL_BUT_LAST: &str = r"\s+\s";
const SPACES: &str = r"\s+";

/// Steps without the spaces at their end.
struct Pattern {
    steps: &'static [Step],
    /// Whether a word that is a token as a whole is that token, whatever the merges say.
    whole_words: bool,
    /// Whether the vocabulary's first token belongs before a text, unless the metadata says otherwise.
    begins: bool,
}

enum Step {
    /// Followed by `\s+(?!\S)|\s+`.
    Spaced(&'static str),
    /// Taken as it is.
    Exact(&'static str),
}

use Step::{Exact, Spaced};

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+";
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+";
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+";
const QWEN35: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+";
const DEEPSEEK3: &str = r##"[!"#$%\&'()*+,\-./:;<=>?@\[\\\]^_`{|}\~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+"##;
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+";
const MARKS: &str = r"[\p{P}\$\+<=>\^\~\|]+";
const MARKS_AND_TICKS: &str = r"[\p{P}\$\+<=>\^\~\|`]+";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";

/// What `name`, of `tokenizer.ggml.pre`, stands for.
fn pattern(name: &str) -> Option<Pattern> {
    let plain = |steps| Some(Pattern { steps, whole_words: false, begins: false });
    match name {
        "default" => plain(&[Exact(MARKS), Spaced(GPT2), Exact(r"\p{N}+"), Exact(THREE_DIGITS)]),
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2" => {
            Some(Pattern { steps: &[Spaced(LLAMA3)], whole_words: true, begins: true })
        }
        "tekken" => Some(Pattern { steps: &[Spaced(TEKKEN)], whole_words: true, begins: true }),
        "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => plain(&[Spaced(LLAMA3)]),
        "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" | "megrez" | "kormo" | "solar-open" | "grok-2" => {
            plain(&[Spaced(QWEN2)])
        }
        "qwen35" => plain(&[Spaced(QWEN35)]),
        "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" | "exaone4" | "gigachat" | "a.x-4.0" | "mellum"
        | "modern-bert" | "roberta-bpe" | "granite-docling" => plain(&[Spaced(GPT2)]),
        "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b" | "mellum2" => {
            plain(&[Exact(r"\p{N}"), Spaced(GPT2)])
        }
        "falcon" => plain(&[Exact(MARKS_AND_TICKS), Spaced(GPT2), Exact(THREE_DIGITS)]),
        "deepseek-coder" => plain(&[
            Exact(r"[\r\n]"),
            Exact(r"\s?\p{L}+"),
            Exact(r"\s?\p{P}+"),
            // The spaces in the range are none of its letters for llama.cpp, which writes them otherwise before it looks.
            Exact("[[一-龥ࠀ-一가-\u{d7ff}]&&\\S]+"),
            Exact(r"\p{N}"),
        ]),
        "deepseek-v3" | "hunyuan-dense" | "joyai-llm" => {
            plain(&[Exact(r"\p{N}{1,3}"), Exact("[一-龥\u{3040}-ゟ゠-ヿ]+"), Spaced(DEEPSEEK3)])
        }
        "gpt-4o" | "llama4" | "kanana2" | "minimax-m2" => plain(&[Spaced(GPT4O)]),
        _ => None,
    }
}

/// What a vocabulary's pattern brings along besides the splitting.
pub(super) struct Habits {
    pub splitter: Splitter,
    pub whole_words: bool,
    pub begins: bool,
    /// Set where the pattern is unknown and another stands in.
    pub note: Option<String>,
}

/// The pattern `name`; where it is unknown, the default one, with a note that says so.
pub(super) fn habits(name: Option<&str>) -> Result<Habits, FileError> {
    let found = name.and_then(pattern);
    let note = found.is_none().then(|| {
        let name = name.map_or_else(
            || "no pre-tokenizer".into(),
            |name| format!("the pre-tokenizer {}", crate::file::shown(name)),
        );
        format!("the model names {name} that is known here; the default one stands in, and answers may be worse for it")
    });
    let Some(Pattern { steps, whole_words, begins }) = found.or_else(|| pattern("default")) else {
        return Err(FileError::Vocabulary("its pre-tokenizer is unknown".into()));
    };
    Ok(Habits { splitter: Splitter::new(steps)?, whole_words, begins, note })
}

impl Splitter {
    fn new(steps: &[Step]) -> Result<Splitter, FileError> {
        let compile = |step: &Step| {
            let regex = match step {
                Spaced(pattern) => Regex::new_many(&[pattern, ALL_BUT_LAST, SPACES]),
                Exact(pattern) => Regex::new(pattern),
            };
            regex.map_err(|error| FileError::Vocabulary(format!("its pre-tokenizer cannot be built: {error}")))
        };
        Ok(Splitter { steps: steps.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The words of `text`, which together are all of it.
    pub fn words<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let mut words: Vec<Range<usize>> = std::iter::once(0..text.len()).collect();
        for step in &self.steps {
            let mut finer = Vec::with_capacity(words.len());
            for word in words {
                split(step, &text[word.clone()], word.start, &mut finer);
            }
            words = finer;
        }
        words.into_iter().map(|word| &text[word])
    }
}

/// Splits `text`, which begins at `base` of the whole, into what `regex` matches and what is between.
fn split(regex: &Regex, text: &str, base: usize, out: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        let Some(found) = regex.search(&Input::new(text).range(at..)) else { break };
        let mut end = found.end();
        // Pattern 1 is ALL_BUT_LAST: at the end of the text there is no word that the last space could belong to.
        if found.pattern().as_usize() == 1 && end < text.len() {
            end -= text[..end].chars().next_back().map_or(0, char::len_utf8);
        }
        if found.start() > at {
            out.push(base + at..base + found.start());
        }
        out.push(base + found.start()..base + end);
        at = end;
    }
    if at < text.len() {
        out.push(base + at..base + text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
        habits(Some(name)).unwrap().splitter.words(text).collect()
    }

    #[test]
    fn every_known_pattern_compiles_and_loses_nothing() {
        let text = "It's 12345 days…\r\n\r\n  naïve\tDON'T 日本語、ok? £5 <b>`x`</b>  \n ";
        for name in [
            "default",
            "llama-bpe",
            "tekken",
            "dbrx",
            "qwen2",
            "qwen35",
            "gpt-2",
            "smollm",
            "falcon",
            "deepseek-coder",
            "deepseek-v3",
            "gpt-4o",
        ] {
            let habits = habits(Some(name)).unwrap();
            assert!(habits.note.is_none());
            assert_eq!(habits.splitter.words(text).collect::<String>(), text, "{name}");
        }
    }

    #[test]
    fn the_last_space_of_a_run_belongs_to_the_word_after_it() {
        assert_eq!(words("gpt-2", "a   b"), ["a", "  ", " b"]);
        assert_eq!(words("gpt-2", "a   "), ["a", "   "]);
        assert_eq!(words("gpt-2", "a \u{a0}\u{3000}b"), ["a", " \u{a0}", "\u{3000}", "b"]);
        assert_eq!(words("gpt-2", "a\nb"), ["a", "\n", "b"]);
        assert_eq!(words("llama-bpe", "a \n\n  b"), ["a", " \n\n", " ", " b"]);
    }

    #[test]
    fn digits_and_contractions() {
        assert_eq!(words("llama-bpe", "I'LL 12345"), ["I", "'LL", " ", "123", "45"]);
        assert_eq!(words("qwen2", "x12"), ["x", "1", "2"]);
        assert_eq!(words("default", "12345 a"), ["123", "45", " a"]);
        assert_eq!(words("tekken", "helloWORLDx"), ["hello", "WORLDx"]);
    }

    #[test]
    fn an_unknown_pattern_is_noted() {
        let habits = habits(Some("of-tomorrow\u{7}")).unwrap();
        assert!(habits.note.unwrap().contains("of-tomorrow\\u{7}"));
        assert!(super::habits(None).unwrap().note.unwrap().contains("no pre-tokenizer"));
    }
}
