//! What one caller was given, as a driver saw it.

use bytes::Bytes;
use hoosh_core::http::Headers;

/// How far an answer came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stand {
    #[default]
    Nothing,
    Started,
    Replied,
    Finished,
    Cut,
}

/// What a caller got.
#[derive(Debug, Default)]
pub struct Outcome {
    pub(crate) stand: Stand,
    /// By one reply, whatever came after.
    pub(crate) replied: bool,
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    /// All bytes given.
    pub(crate) bytes: Vec<u8>,
    /// As they were given.
    pub(crate) pieces: Vec<Bytes>,
    /// When the answer began.
    pub(crate) began_us: u64,
    /// When something was last said.
    pub(crate) spoke_us: u64,
}

impl Outcome {
    pub(crate) fn reply(&mut self, status: u16, headers: Headers, body: Bytes, now_us: u64) {
        self.start(status, headers, now_us);
        self.emit(body, now_us);
        self.stand = Stand::Replied;
        self.replied = true;
    }

    pub(crate) fn start(&mut self, status: u16, headers: Headers, now_us: u64) {
        self.stand = Stand::Started;
        self.status = status;
        self.headers = headers;
        self.began_us = now_us;
        self.spoke_us = now_us;
    }

    pub(crate) fn emit(&mut self, bytes: Bytes, now_us: u64) {
        self.spoke_us = now_us;
        self.bytes.extend_from_slice(&bytes);
        self.pieces.push(bytes);
    }

    pub(crate) fn finish(&mut self) {
        self.stand = Stand::Finished;
    }

    pub(crate) fn cut(&mut self) {
        self.stand = Stand::Cut;
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.stand == Stand::Cut
    }

    /// Nothing more may come but a cut.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stand, Stand::Replied | Stand::Finished | Stand::Cut)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| &n[..] == name.as_bytes()).map(|(_, v)| &v[..])
    }
}
