//! The few HTTP words that a driver and the core share. Framing belongs to the driver; meaning belongs to the core.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::egress::{Proxy, TlsTerms};

/// Read access to somebody else's header block, so that a driver need not copy it. Names are compared without case.
pub trait HeaderView {
    /// The first value of `name` (given in lower case).
    fn get(&self, name: &str) -> Option<&[u8]>;
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderView for &[(N, V)] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.as_ref().eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v.as_ref())
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderView for Vec<(N, V)> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.as_ref().eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v.as_ref())
    }
}

/// Whether a `content-type` is `kind` (in lower case), whatever its parameters.
#[inline]
pub(crate) fn is_media_type(content_type: Option<&[u8]>, kind: &str) -> bool {
    let Some(value) = content_type else { return false };
    let essence = value.split(|b| *b == b';').next().unwrap_or(value).trim_ascii();
    essence.eq_ignore_ascii_case(kind.as_bytes())
}

/// Headers that the core writes: names in lower case, values free of CR, LF and NUL.
pub type Headers = Vec<(Bytes, Bytes)>;

/// Adds a line of a head to `out`. `None`: what would end the line, or the head, is no header (RFC 9110, sections 5.1 and 5.5);
/// nothing was added.
pub fn write_header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Option<()> {
    if !is_name(name) || !is_value(value) {
        return None;
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Some(())
}

/// Visible characters of ASCII, but for the colon.
fn is_name(name: &[u8]) -> bool {
    let is_it = |b: u8| b > b' ' && b < 0x7f && b != b':';
    !name.is_empty()
        && (each_word(name, |word| below(word, b'!') | equal(word, b':') | equal(word, 0x7f) | word)
            || name.iter().all(|&b| is_it(b)))
}

/// No control characters, but for the tab.
pub(crate) fn is_value(value: &[u8]) -> bool {
    let is_it = |b: u8| b >= b' ' && b != 0x7f || b == b'\t';
    each_word(value, |word| below(word, b' ') | equal(word, 0x7f)) || value.iter().all(|&b| is_it(b))
}

/// Each byte of a word.
const ONES: u64 = u64::MAX / 255;

/// Whether `odd` marks no byte of the text, of which it sees eight at a time. Headers are short, and there are many.
fn each_word(text: &[u8], odd: impl Fn(u64) -> u64) -> bool {
    let marked = match text.last_chunk::<8>() {
        // The last ones are seen twice where they are no whole word.
        Some(last) => text.chunks_exact(8).fold(odd(u64::from_le_bytes(*last)), |so_far, word| {
            so_far | odd(word.try_into().map_or(0, u64::from_le_bytes))
        }),
        // Behind letters, which are never odd.
        None => odd(text.iter().fold(ONES * u64::from(b'a'), |word, &b| word << 8 | u64::from(b))),
    };
    marked & ONES << 7 == 0
}

/// Marks, by the highest bit, bytes that are less than `bound`; where there is one, those above it may be marked too.
fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(bound)) & !word
}

/// The same of bytes that are `b`.
fn equal(word: u64, b: u8) -> u64 {
    below(word ^ (ONES * u64::from(b)), 1)
}

/// Where an upstream listens, and what is asked of the way there. Two requests to equal origins may share a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// TLS or clear.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The operator named it. Any other must not lead into this machine or its networks: a driver asks
    /// [`is_forbidden`](crate::egress::is_forbidden) about the address of each connection.
    pub trusted: bool,
    /// What TLS must be like, beside the system's authorities.
    pub terms: Option<Arc<TlsTerms>>,
    /// What the way there goes through.
    pub proxy: Option<Arc<Proxy>>,
}

// What is hashed for each request is short; origins that differ in the rest alone are rare.
impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.tls, &self.host, self.port).hash(state);
    }
}

impl Origin {
    /// `host`, or `host:port` when the port is not the scheme's own: the value of the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// The body of a request to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it; empty where the request has none.
    Whole(Bytes),
    /// It follows in pieces.
    Streamed {
        /// `content-length`, bytes; `None`: it is sent in chunks.
        length: Option<u64>,
    },
}

impl Body {
    /// The bytes that are there already.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Whole(bytes) => bytes,
            Body::Streamed { .. } => &[],
        }
    }

    /// The same, shared.
    pub fn whole(&self) -> Bytes {
        match self {
            Body::Whole(bytes) => bytes.clone(),
            Body::Streamed { .. } => Bytes::new(),
        }
    }
}

/// A request to an upstream. `Debug` hides header values, because one of them is the credential.
#[derive(Clone)]
pub struct UpstreamRequest {
    /// Where to.
    pub origin: Arc<Origin>,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Path with query, beginning with `/`.
    pub target: Bytes,
    /// Everything but `host`, `content-length`, `connection` and `transfer-encoding`, which the driver's HTTP layer writes.
    pub headers: Headers,
    /// The body; empty but for `POST`.
    pub body: Body,
}

impl std::fmt::Debug for UpstreamRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamRequest")
            .field("origin", &self.origin)
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body_bytes", &self.body.bytes().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_judged_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for length in 1..20 {
                for at in 0..length {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    let is_text = byte >= b' ' && byte != 0x7f || byte == b'\t';
                    assert_eq!(is_value(&text), is_text, "{byte} at {at} of {length}");
                    let is_word = byte > b' ' && byte < 0x7f && byte != b':';
                    assert_eq!(is_name(&text), is_word, "{byte} at {at} of {length}");
                }
            }
        }
        assert!(is_value(b"") && !is_name(b""));
    }

    #[test]
    fn what_is_no_header_is_not_written() {
        let mut out = Vec::new();
        assert_eq!(write_header(&mut out, b"a", b"b\r\nc: d"), None);
        assert_eq!(write_header(&mut out, b"a b", b""), None);
        assert_eq!(out, b"");
        write_header(&mut out, b"x-one", "\tcaf\u{e9}".as_bytes()).unwrap();
        assert_eq!(out, "x-one: \tcaf\u{e9}\r\n".as_bytes());
    }
}
