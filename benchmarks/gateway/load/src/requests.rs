//! Chats of one size, each written by patching a few digits of the one before.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::arguments::Arguments;

/// Digits of what is numbered. Fixed, so that all requests are equally long.
const NUMBER_DIGITS: usize = 12;
const KEY_DIGITS: usize = 8;
const MODEL_DIGITS: usize = 5;
/// What `--keys` callers call themselves, with their number for `#`.
pub const KEY: &str = "bench-key-########-0123456789abcdef";
/// What `--models` are called.
pub const MODEL: &str = "model-#####";

pub struct Requests {
    pub address: SocketAddr,
    /// Whether streams are asked for.
    pub streams: bool,
    template: Vec<u8>,
    number: Varied,
    key: Option<Varied>,
    model: Option<Varied>,
    next: AtomicU64,
    last: u64,
}

/// Digits at a place of the template, of as many values as there are.
struct Varied {
    at: usize,
    digits: usize,
    of: u64,
}

impl Requests {
    /// By `--url`, `--get`, `--stream`, `--model`, `--models`, `--key`, `--keys`, `--header`, `--bytes`, `--distinct`,
    /// `--first` and `--requests`; the README of the benchmarks says what they mean.
    pub fn from(arguments: &mut Arguments) -> Result<Self, String> {
        let url = arguments.text("url").ok_or("--url http://… is missing")?;
        let rest = url.strip_prefix("http://").ok_or("only http:// addresses")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?.next();
        let distinct = arguments.number("distinct", u64::MAX)?;
        // Runs that want bodies which nobody has seen begin where the clock stands.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_millis() as u64);
        let first = arguments.number("first", if distinct == u64::MAX { now * 1000 } else { 0 })?;
        let most = arguments.number("requests", u64::MAX)?;

        let (keys, key) = (arguments.number("keys", 0)?, arguments.text("key"));
        let key = if keys > 0 { Some(KEY.to_owned()) } else { key };
        let models = arguments.number("models", 0)?;
        let model =
            if models > 0 { MODEL.to_owned() } else { arguments.text("model").unwrap_or("small-chat-1".into()) };
        let streams = arguments.flag("stream");
        let body = body(&model, streams, arguments.number("bytes", 300)?);
        let path = if path.is_empty() { "/" } else { path };
        let mut head = match arguments.flag("get") {
            true => format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"),
            false => format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ),
        };
        if let Some(key) = key {
            head += &format!("Authorization: Bearer {key}\r\n");
        }
        for header in arguments.every("header") {
            head += &format!("{header}\r\n");
        }
        let is_get = head.starts_with("GET");
        let template = if is_get { head + "\r\n" } else { head + "\r\n" + &body };
        let find = |pattern: &str, digits: usize, of: u64| {
            let at = template.find(pattern)? + pattern.find('#')?;
            Some(Varied { at, digits, of })
        };
        Ok(Self {
            address: address.ok_or("an address that leads nowhere")?,
            streams,
            number: find(&"#".repeat(NUMBER_DIGITS), NUMBER_DIGITS, distinct).unwrap_or(Varied {
                at: 0,
                digits: 0,
                of: 1,
            }),
            key: find(KEY, KEY_DIGITS, keys),
            model: find(MODEL, MODEL_DIGITS, models),
            template: template.into_bytes(),
            next: AtomicU64::new(first),
            last: first.saturating_add(most),
        })
    }

    /// Writes the next request in place of what is in `out`; false when there are no more.
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.last {
            return false;
        }
        if out.len() != self.template.len() {
            out.clone_from(&self.template);
        }
        for varied in [Some(&self.number), self.key.as_ref(), self.model.as_ref()].into_iter().flatten() {
            varied.write(number, out);
        }
        true
    }
}

impl Varied {
    fn write(&self, number: u64, out: &mut [u8]) {
        let mut rest = number % self.of;
        for digit in out[self.at..self.at + self.digits].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// A chat of `size` bytes, or as few as it takes.
fn body(model: &str, stream: bool, size: usize) -> String {
    let number = "#".repeat(NUMBER_DIGITS);
    // Usage comes to the caller too, so that every gateway gives on as many events as it gets.
    let options = if stream { r#","stream_options":{"include_usage":true}"# } else { "" };
    let before = format!(
        r#"{{"model":"{model}","stream":{stream}{options},"temperature":0.7,"user":"u-1","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"Question {number}: "#
    );
    let after = r#""}]}"#;
    let words = "why is the sky blue? ";
    let room = size.saturating_sub(before.len() + after.len());
    let filling: String = words.chars().cycle().take(room).collect();
    before + &filling + after
}
