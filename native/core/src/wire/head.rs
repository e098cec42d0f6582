//! Request heads: bounds while they arrive, and the rules once they are whole.

use memchr::memchr;
use smallvec::SmallVec;

use super::{malformed, Framing, MAX_HEAD, MAX_HEADERS};
use crate::error::{Code, Failure};
use crate::http::is_value;

const MAX_METHOD: usize = 32;

/// Where the head in `input` ends (after its empty line), judging what came after the first `seen` bytes for bounds and
/// line ends alone, so that a flood is refused before it is kept. `None`: not yet.
pub(super) fn end_of(input: &[u8], seen: usize) -> Result<Option<usize>, Failure> {
    refuse_early(input)?;
    let most = &input[..input.len().min(MAX_HEAD)];
    // A line end could lie across the border of what was seen: CR LF CR LF.
    let mut at = seen.saturating_sub(3);
    while let Some(found) = memchr(b'\n', &most[at..]) {
        let lf = at + found;
        if lf == 0 || most[lf - 1] != b'\r' {
            return Err(malformed("a line ends in LF without CR"));
        }
        if lf >= 3 && most[lf - 3] == b'\r' && most[lf - 2] == b'\n' {
            return Ok(Some(lf + 1));
        }
        at = lf + 1;
    }
    if input.len() >= MAX_HEAD {
        return Err(too_large("is longer than 64 KiB"));
    }
    Ok(None)
}

/// What does not begin with a method is no HTTP request, which can be said before its end: that may never come.
fn refuse_early(input: &[u8]) -> Result<(), Failure> {
    let first = input.split(|&b| b == b'\r').next().unwrap_or(input);
    match first.iter().position(|&b| !is_token(b)) {
        Some(0) => Err(malformed("it does not begin with a method")),
        Some(end) if first[end] != b' ' || end > MAX_METHOD => Err(malformed("it does not begin with a method")),
        None if first.len() > MAX_METHOD => Err(malformed("it does not begin with a method")),
        _ => Ok(()),
    }
}

/// Where a line's name and value lie in its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub name: (u32, u32),
    pub value: (u32, u32),
}

/// What a whole head says of what follows it.
#[derive(Debug)]
pub(super) struct Judged {
    /// Where its target lies.
    pub target: (u32, u32),
    /// It is one of HTTP/1.0.
    pub old: bool,
    pub fields: SmallVec<[Field; 12]>,
    pub framing: Framing,
    /// The body is sent once that is asked for.
    pub expects: bool,
    /// Where lines begin that the parser behind must not act on.
    pub hidden: SmallVec<[usize; 2]>,
    /// Where the line of `Upgrade` begins, in a whole handshake of a websocket. It is among the hidden ones too.
    pub websocket: Option<usize>,
    /// No request may follow on this connection.
    pub last: bool,
}

/// Judges a whole head, its empty line included.
pub(super) fn judge(head: &[u8]) -> Result<Judged, Failure> {
    let mut lines = Lines(&head[..head.len() - 2]);
    let (target, version) = request_line(lines.next().ok_or_else(|| malformed("it has no request line"))?)?;
    let within = |part: &[u8]| {
        let start = (part.as_ptr() as usize).wrapping_sub(head.as_ptr() as usize) as u32;
        (start, start + part.len() as u32)
    };
    let (mut found, mut fields) = (Found::default(), SmallVec::new());
    for (count, line) in lines.enumerate() {
        if count == MAX_HEADERS {
            return Err(too_large("has more than 100 headers"));
        }
        let (name, value) = field(line)?;
        let field = Field { name: within(name), value: within(value) };
        fields.push(field);
        found.take(field.name.0 as usize, name, value)?;
    }
    let mut hidden = std::mem::take(&mut found.hidden);
    // RFC 9110 section 10.1.1: in HTTP/1.0 it is ignored.
    let expect = found.expect.filter(|_| version == Version::Http11);
    hidden.extend(expect);
    hidden.sort_unstable();
    let last = found.close || version == Version::Http10;
    // RFC 6455 section 4.1: a GET of HTTP/1.1 without a body. One that says `close` besides means nothing.
    let switches = head.starts_with(b"GET ") && !last && found.switches;
    let websocket = found.websocket.filter(|_| switches && found.upgrades == 1);
    let framing = found.framing(version)?;
    Ok(Judged {
        target: within(target),
        old: version == Version::Http10,
        fields,
        framing,
        expects: expect.is_some(),
        hidden,
        websocket: websocket.filter(|_| framing == Framing::Length(0)),
        last,
    })
}

/// The lines of a head without their CRLF. Every LF has been seen to follow a CR.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let lf = memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at(lf + 1);
        self.0 = rest;
        Some(&line[..lf - 1])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// RFC 9112 section 3: method SP target SP version, single spaces.
fn request_line(line: &[u8]) -> Result<(&[u8], Version), Failure> {
    let mut words = line.split(|&b| b == b' ');
    let (Some(_), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(malformed("its first line is not `method target HTTP/1.1` with single spaces"));
    };
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..] => {
            let message = "This listener speaks HTTP/1.1 (and 1.0); HTTP/2 is not spoken without TLS.";
            return Err(Failure::new(Code::WrongVersion, message));
        }
        _ => return Err(malformed("its first line does not end in a version")),
    };
    if target.first() != Some(&b'/') {
        return Err(malformed("its target is not a path"));
    }
    // RFC 3986, section 2: what parsers of URIs refuse, each a choice of its own. Brackets are common in queries.
    if !target.iter().all(|&b| TARGET[b as usize]) {
        return Err(malformed("its target holds a byte that must be percent-encoded"));
    }
    Ok((target, version))
}

/// RFC 9112 section 5: name, colon, value; no white space before the colon, no folded lines.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Failure> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(malformed("a header is folded over two lines"));
    }
    let colon = memchr(b':', line).ok_or_else(|| malformed("a header has no colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    // All bytes are looked at, because that can be done many at a time.
    if name.is_empty() || !name.iter().fold(true, |so_far, &b| so_far & is_token(b)) {
        return Err(malformed("a header's name holds white space or a byte that a name cannot hold"));
    }
    if !is_value(value) {
        return Err(malformed("a header's value holds a control character"));
    }
    Ok((name, value.trim_ascii()))
}

#[derive(Default)]
struct Found {
    host: bool,
    length: Option<u64>,
    chunked: bool,
    expect: Option<usize>,
    hidden: SmallVec<[usize; 2]>,
    /// Headers `Upgrade`, and where one names `websocket` alone.
    upgrades: usize,
    websocket: Option<usize>,
    /// `Connection` says that the upgrade is meant.
    switches: bool,
    close: bool,
}

impl Found {
    /// Looks at the headers that decide where a request ends and for whom it is.
    fn take(&mut self, at: usize, name: &[u8], value: &[u8]) -> Result<(), Failure> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("host") => self.host(value),
            6 if is("expect") => self.expect(at, value),
            7 if is("upgrade") => self.upgrade(at, value),
            10 if is("connection") => {
                self.close |= words(value).any(|word| word.eq_ignore_ascii_case(b"close"));
                self.switches |= words(value).any(|word| word.eq_ignore_ascii_case(b"upgrade"));
                Ok(())
            }
            // A caller's own, which would be taken for one that was hidden.
            12 | 13 if is("hoosh-expect") || is("hoosh-upgrade") => {
                self.hidden.push(at);
                Ok(())
            }
            14 if is("content-length") => self.content_length(value),
            17 if is("transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    /// RFC 9110 section 7.2 and RFC 3986 section 3.2.2, without user information.
    fn host(&mut self, value: &[u8]) -> Result<(), Failure> {
        if std::mem::replace(&mut self.host, true) {
            return Err(malformed("it has two Host headers"));
        }
        if !value.iter().all(|&b| HOST[b as usize]) {
            return Err(malformed("its Host is not a name or address"));
        }
        Ok(())
    }

    fn expect(&mut self, at: usize, value: &[u8]) -> Result<(), Failure> {
        if self.expect.is_some() || !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Failure::new(Code::ExpectationFailed, "Of expectations only 100-continue, once, can be met."));
        }
        self.expect = Some(at);
        Ok(())
    }

    /// RFC 9110 section 7.8: it may be ignored, and is, so that a websocket handshake is a request like any other. An upgrade
    /// to clear-text HTTP/2 tunnels requests past a proxy in front; it was removed from HTTP/2 (RFC 9113 section 3.1).
    fn upgrade(&mut self, at: usize, value: &[u8]) -> Result<(), Failure> {
        if words(value).any(|name| name.eq_ignore_ascii_case(b"h2c")) {
            return Err(malformed("it asks to go on in clear-text HTTP/2 (Upgrade: h2c), which is not spoken"));
        }
        self.hidden.push(at);
        self.upgrades += 1;
        if value.eq_ignore_ascii_case(b"websocket") {
            self.websocket = Some(at);
        }
        Ok(())
    }

    /// RFC 9112 section 6.3: one decimal number. Repeated ones are refused even where they agree.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Failure> {
        let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        if !digits || self.length.is_some() {
            return Err(malformed("its Content-Length is not one number"));
        }
        self.length = Some(value.iter().fold(0, |sum, b| sum * 10 + u64::from(b - b'0')));
        Ok(())
    }

    /// RFC 9112 section 6.1: a coding that is not understood could hide the body's end.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Failure> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            let message = "Of transfer codings only `chunked`, once and alone, is understood.";
            return Err(Failure::new(Code::UnsupportedCoding, message));
        }
        self.chunked = true;
        Ok(())
    }

    fn framing(self, version: Version) -> Result<Framing, Failure> {
        if version == Version::Http11 && !self.host {
            return Err(malformed("it has no Host"));
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(malformed("it has both Content-Length and Transfer-Encoding")),
            (true, None) if version == Version::Http10 => Err(malformed("HTTP/1.0 has no Transfer-Encoding")),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// The members of a list.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(|word| word.trim_ascii())
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(b: u8) -> bool {
    TOKEN[b as usize]
}

const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
/// What a target may hold: what RFC 3986, section 2, has, and brackets.
const TARGET: [bool; 256] = table(b"!$%&'()*+,-./:;=?@[]_~");
const HOST: [bool; 256] = table(b"-._~:[]%!$&'()*+;=");

/// Letters, digits and `marks`.
const fn table(marks: &[u8]) -> [bool; 256] {
    let (mut table, mut at) = ([false; 256], 0);
    while at < 128 {
        table[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    table
}

fn too_large(what: &str) -> Failure {
    Failure::new(Code::HeadTooLarge, format!("The head of the request {what}."))
}
