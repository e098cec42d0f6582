//! Finds calls of functions in what a model writes.
//!
//! Known is the form of Hermes and Qwen: a JSON object between tags. What looks like a call and is none stays text. Models
//! that call in forms of their own (Llama's bare JSON, Mistral's `[TOOL_CALLS]`) are not understood: their calls are text.

use hoosh_core::json::{validate, Kind, Limits};

/// Before a call.
pub(crate) const OPEN: &str = "<tool_call>";
/// After it.
pub(crate) const CLOSE: &str = "</tool_call>";
/// How a call begins, as models write it that were trained on this form.
pub(crate) const NAME: &str = r#"{"name": ""#;
/// What comes between the name and the arguments.
pub(crate) const ARGUMENTS: &str = r#"", "arguments": "#;

/// Takes text as it comes, and gives text and calls.
#[derive(Debug, Default)]
pub struct Reader {
    /// What may be, or become, a call.
    pending: String,
    calls: u32,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, at least a character.
    Text(String),
    /// A call.
    Call {
        /// Which call of the answer, from 0.
        index: u32,
        /// Of the function.
        name: String,
        /// A JSON object as the model wrote it; or its beginning, of a call that was cut.
        arguments: String,
    },
}

impl Reader {
    /// How many calls there were so far.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Takes more text.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.pending.push_str(text);
        let mut pieces = Vec::new();
        while let Some((open, close)) = self.tags() {
            let end = close + CLOSE.len();
            let rest = self.pending.split_off(end);
            let call = self.call(open + OPEN.len(), close);
            self.give(if call.is_some() { open } else { end }, call.is_some(), &mut pieces);
            pieces.extend(call);
            self.pending = rest;
        }
        let open = self.pending.find(OPEN).unwrap_or(self.pending.len() - open_tag(&self.pending));
        let kept = self.pending.split_off(self.pending[..open].trim_end().len());
        self.give(self.pending.len(), false, &mut pieces);
        self.pending = kept;
        pieces
    }

    /// Gives what is left, because nothing follows. A call whose closing tag is missing is one; and if the text was `cut`,
    /// so is one whose arguments are not complete, as OpenAI has it.
    pub fn finish(&mut self, cut: bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let open = self.pending.find(OPEN);
        let call = open.and_then(|open| {
            let start = open + OPEN.len();
            self.call(start, self.pending.len()).or_else(|| self.beginning(start).filter(|_| cut))
        });
        let end = open.filter(|_| call.is_some()).unwrap_or(self.pending.len());
        // Around calls, white space says nothing.
        self.give(end, self.calls > 0, &mut pieces);
        pieces.extend(call);
        pieces
    }

    /// Where the next call's tags begin.
    fn tags(&self) -> Option<(usize, usize)> {
        let open = self.pending.find(OPEN)?;
        let close = self.pending[open..].find(CLOSE)?;
        Some((open, open + close))
    }

    /// What is pending from `start` to `end`, if it is a call.
    fn call(&mut self, start: usize, end: usize) -> Option<Piece> {
        let object = validate(&self.pending.as_bytes()[start..end], Limits::default()).ok()?;
        let name = object.get("name")?.as_str()?.into_owned();
        // As it was written: a number that is read and written again may be another.
        let arguments = match object.get("arguments").filter(|arguments| arguments.kind() != Kind::Null) {
            None => "{}".to_owned(),
            Some(arguments) => match arguments.as_str() {
                // Some models write the object as a string.
                Some(text) => text.into_owned(),
                None => String::from_utf8_lossy(arguments.raw()).into_owned(),
            },
        };
        Some(self.piece(name, arguments))
    }

    /// The call of which only the beginning is there, from `start` on.
    fn beginning(&mut self, start: usize) -> Option<Piece> {
        let call = self.pending[start..].trim_start().strip_prefix(NAME)?;
        let (name, arguments) = call.split_once(ARGUMENTS)?;
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        Some(self.piece(name, arguments))
    }

    fn piece(&mut self, name: String, arguments: String) -> Piece {
        self.calls += 1;
        Piece::Call { index: self.calls - 1, name, arguments }
    }

    /// Gives the first `count` bytes that are pending, without the white space at their end if that is `trimmed`, and
    /// forgets the rest.
    fn give(&mut self, count: usize, trimmed: bool, pieces: &mut Vec<Piece>) {
        let mut text = std::mem::take(&mut self.pending);
        text.truncate(count);
        if trimmed {
            text.truncate(text.trim_end().len());
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
    }
}

/// How many bytes at the end of `text` may be the beginning of a tag.
fn open_tag(text: &str) -> usize {
    let is_open = |count: &usize| text.as_bytes().ends_with(&OPEN.as_bytes()[..*count]);
    (1..OPEN.len()).rev().find(is_open).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pieces, with neighbouring texts joined, however the text is cut.
    fn read(text: &str) -> Vec<Piece> {
        let whole = joined([text]);
        for size in [1, 3, 7] {
            let characters: Vec<char> = text.chars().collect();
            let chunks: Vec<String> = characters.chunks(size).map(|chunk| chunk.iter().collect()).collect();
            assert_eq!(joined(chunks.iter().map(String::as_str)), whole, "in pieces of {size}");
        }
        whole
    }

    fn joined<'a>(chunks: impl IntoIterator<Item = &'a str>) -> Vec<Piece> {
        let mut reader = Reader::default();
        let mut pieces: Vec<Piece> = chunks.into_iter().flat_map(|chunk| reader.push(chunk)).collect();
        pieces.extend(reader.finish(false));
        let mut all: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (all.last_mut(), piece) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, piece) => all.push(piece),
            }
        }
        all
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn call(index: u32, name: &str, arguments: &str) -> Piece {
        Piece::Call { index, name: name.to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn calls_are_found_and_the_space_around_them_is_dropped() {
        let written = "Let me see.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": [1, \"é\"]}}\n</tool_call>\n\
                       <tool_call>{\"name\": \"b\"}</tool_call>\n";
        assert_eq!(read(written), [text("Let me see."), call(0, "a", r#"{"x": [1, "é"]}"#), call(1, "b", "{}")]);
    }

    #[test]
    fn a_call_without_its_end_is_one() {
        assert_eq!(read(r#"<tool_call>{"name": "a", "arguments": "{}"}"#), [call(0, "a", "{}")]);
    }

    #[test]
    fn arguments_are_as_they_were_written() {
        let arguments = r#"{"x": 1e999, "y": 12345678901234567890123}"#;
        let written = format!("<tool_call>{{\"name\": \"a\", \"arguments\": {arguments}}}</tool_call>");
        assert_eq!(read(&written), [call(0, "a", arguments)]);
    }

    #[test]
    fn a_call_that_was_cut_is_told_as_far_as_it_goes() {
        let finish = |text: &str, cut| {
            let mut reader = Reader::default();
            let mut pieces = reader.push(text);
            pieces.extend(reader.finish(cut));
            pieces
        };
        let written = "<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": \"y";
        assert_eq!(finish(written, true), [call(0, "a", r#"{"x": "y"#)]);
        assert_eq!(finish(written, false), [text(written)]);
        assert_eq!(finish("<tool_call>\n{\"name\": \"a", true), [text("<tool_call>\n{\"name\": \"a")]);
    }

    #[test]
    fn what_only_looks_like_a_call_is_text() {
        for written in [
            "a < b, <tool_cal and <tool_call",
            "<tool_call>no json</tool_call> and on",
            "<tool_call>{\"x\": 1}</tool_call>",
            "  \n text \n ",
            "<tool_call>{",
        ] {
            assert_eq!(read(written), [text(written)]);
        }
    }
}
