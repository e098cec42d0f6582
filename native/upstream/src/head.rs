//! The head of an answer.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::Bytes;
use hoosh_core::http::HeaderView;
use httparse::{ParserConfig, Response, Status};

use crate::framing::Framing;

/// Most header lines of a head, as callers' heads have at most.
const MAX_HEADERS: usize = 100;

/// The headers of an answer: where each is in its head.
#[derive(Debug)]
pub struct AnswerHeaders {
    head: Bytes,
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl AnswerHeaders {
    /// All values of `name`, in their order.
    fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let is_it = move |known: &Range<usize>| {
            known.len() == name.len() && self.head[known.clone()].eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().filter(move |(known, _)| is_it(known)).map(|(_, value)| &self.head[value.clone()])
    }

    /// The members of the lists that all values of `name` are.
    fn words<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.all(name).flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii)
    }
}

impl HeaderView for AnswerHeaders {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }
}

/// What an answer's head says.
pub struct Head {
    pub status: u16,
    pub headers: AnswerHeaders,
    pub framing: Framing,
    /// The connection may serve another request after it.
    pub keeps: bool,
}

/// Where the head in `input` ends, behind its empty line, of which the first `seen` bytes were looked at before. `None`: not
/// yet. Lines may end in LF alone, as RFC 9112, section 2.2, has those take it who ask.
pub fn end_of(input: &[u8], seen: usize) -> Option<usize> {
    let mut at = seen.saturating_sub(2);
    while let Some(found) = memchr::memchr(b'\n', &input[at..]) {
        at += found + 1;
        match input[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Reads a whole head. `None`: it is none, or does not say where its answer ends.
pub fn read(head: Bytes) -> Option<Head> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut answer = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut answer, &head, &mut room).ok()?;
    let (Status::Complete(length), Some(status), Some(version)) = (parsed, answer.code, answer.version) else {
        return None;
    };
    let range = |part: &[u8]| {
        let start = part.as_ptr() as usize - head.as_ptr() as usize;
        start..start + part.len()
    };
    let fields = answer.headers.iter().map(|field| (range(field.name.as_bytes()), range(field.value))).collect();
    if length != head.len() || status < 100 {
        return None;
    }
    let headers = AnswerHeaders { head, fields };
    let is_old = version == 0;
    let framing = framing(status, is_old, &headers)?;
    let says = |word: &str| headers.words("connection").any(|said| said.eq_ignore_ascii_case(word.as_bytes()));
    // An answer that says its length in two ways may end elsewhere for somebody on the way (RFC 9112, section 6.3).
    let is_twice = headers.get("transfer-encoding").is_some() && headers.get("content-length").is_some();
    let is_kept = if is_old { says("keep-alive") } else { true };
    let keeps = is_kept && !says("close") && !is_twice && status != 101 && !matches!(framing, Framing::UntilEnd);
    Some(Head { status, headers, framing, keeps })
}

/// RFC 9112, section 6.3. `None`: it cannot be known.
fn framing(status: u16, is_old: bool, headers: &AnswerHeaders) -> Option<Framing> {
    if matches!(status, 100..=199 | 204 | 304) {
        return Some(Framing::Length(0));
    }
    if headers.get("transfer-encoding").is_some() {
        // It is not of HTTP/1.0, and what understands that alone on the way would read the answer otherwise.
        let last = headers.words("transfer-encoding").last().filter(|_| !is_old)?;
        return Some(if last.eq_ignore_ascii_case(b"chunked") { Framing::chunked() } else { Framing::UntilEnd });
    }
    let mut length = None;
    for said in headers.words("content-length") {
        let is_number = (1..=19).contains(&said.len()) && said.iter().all(u8::is_ascii_digit);
        let said = is_number.then(|| said.iter().fold(0, |sum: u64, b| sum * 10 + u64::from(b - b'0')))?;
        // The same number again is how some on the way join two answers' headers; another is two ends.
        if length.is_some_and(|known| known != said) {
            return None;
        }
        length = Some(said);
    }
    Some(length.map_or(Framing::UntilEnd, Framing::Length))
}
