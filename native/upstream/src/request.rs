//! The head of a request, as it goes over the wire.

use std::io::Write;

use hoosh_core::config::Secret;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{write_header, Body, Origin, UpstreamRequest};

/// What is the same in every head of one connection.
pub struct Lines {
    /// Goes before each target: empty but where a proxy is told where to (RFC 9112, section 3.2.2).
    prefix: String,
    /// `host`, and what such a proxy asks for, with the ends of their lines.
    headers: Vec<u8>,
}

impl Lines {
    /// Those of connections to `origin`.
    pub fn of(origin: &Origin) -> Result<Lines, Stage> {
        let authority = origin.authority();
        let mut lines = Lines { prefix: String::new(), headers: Vec::new() };
        lines.header(b"host", authority.as_bytes()).ok_or(Stage::Connect)?;
        if let Some(proxy) = origin.proxy.as_ref().filter(|_| !origin.tls) {
            lines.prefix = format!("http://{authority}");
            if let Some(authorization) = proxy.authorization.as_ref().map(Secret::expose) {
                lines.header(b"proxy-authorization", authorization.as_bytes()).ok_or(Stage::Connect)?;
            }
        }
        Ok(lines)
    }

    fn header(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        write_header(&mut self.headers, name, value)
    }

    /// Adds the head of `request` to `out`. `None`: it cannot be written, and what `out` holds is nothing to send.
    pub fn head(&self, request: &UpstreamRequest, out: &mut Vec<u8>) -> Option<()> {
        let UpstreamRequest { method, target, headers, body, .. } = request;
        let length: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let whole = body.bytes().len().min(crate::feed::SLICE);
        out.reserve(self.prefix.len() + self.headers.len() + target.len() + length + whole + 64);
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(target_of(target)?);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        out.extend_from_slice(&self.headers);
        for (name, value) in headers {
            write_header(out, name, value)?;
        }
        match body {
            // RFC 9110, section 8.6: a method that has no body says nothing of its length.
            Body::Whole(bytes) if bytes.is_empty() && *method != "POST" => {}
            Body::Whole(bytes) => length_line(out, bytes.len() as u64),
            Body::Streamed { length: Some(length) } => length_line(out, *length),
            Body::Streamed { length: None } => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        Some(())
    }
}

fn length_line(out: &mut Vec<u8>, length: u64) {
    // Writing to a vector does not fail.
    let _ = write!(out, "content-length: {length}\r\n");
}

/// A target is one word: a path, and what is asked of it.
fn target_of(target: &[u8]) -> Option<&[u8]> {
    let is_word = target.iter().fold(true, |so_far, &b| so_far & (b > b' ') & (b != 0x7f) & (b != b'#'));
    (is_word && target.first() == Some(&b'/')).then_some(target)
}
