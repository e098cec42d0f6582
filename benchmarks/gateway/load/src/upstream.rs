//! A provider of chats as an OpenAI-compatible one looks from a gateway: whole answers at once, streams paced, some of
//! both wrong on demand.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use memchr::memmem;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::faults::{Fate, Faults};
use crate::framing::{malformed, Framing};
use crate::wire::Wire;

/// Connections that the kernel keeps until they are accepted: thousands come at once.
const BACKLOG: u32 = 4096;
const MOST_HEADERS: usize = 64;
/// How much of a body is asked whether it wants a stream.
const LOOKED_AT: usize = 64 << 10;
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// What a whole answer says.
pub const ANSWER: &str = r#"{"id":"chatcmpl-123456789","object":"chat.completion","created":1700000000,"model":"small-chat-1","choices":[{"index":0,"message":{"role":"assistant","content":"Because air scatters blue light more than red."},"finish_reason":"stop"}],"usage":{"prompt_tokens":70,"completion_tokens":9,"total_tokens":79}}"#;
const MODELS: &str =
    r#"{"object":"list","data":[{"id":"small-chat-1","object":"model","created":1700000000,"owned_by":"bench"}]}"#;
const ERROR: &str = r#"{"error":{"message":"on demand","type":"server_error","param":null,"code":null}}"#;
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

/// What all connections of an upstream answer with.
pub struct Manner {
    whole: Vec<u8>,
    models: Vec<u8>,
    throttled: Vec<u8>,
    failed: Vec<u8>,
    first: Vec<u8>,
    event: Vec<u8>,
    last: Vec<u8>,
    events: u64,
    gap: Duration,
    faults: Mutex<Faults>,
}

impl Manner {
    /// Streams have `events` pieces of content, `gap` apart; the first comes with the head.
    pub fn new(answer: &str, events: u64, gap: Duration, faults: Faults) -> Self {
        let delta = |inner: &str, finish: &str| {
            format!(r#""choices":[{{"index":0,"delta":{{{inner}}},"logprobs":null,"finish_reason":{finish}}}]"#)
        };
        let content = delta(r#""content":" scatters""#, "null");
        let usage = format!(
            r#""choices":[],"usage":{{"prompt_tokens":70,"completion_tokens":{events},"total_tokens":{}}}"#,
            events + 70
        );
        let role = event(&delta(r#""role":"assistant","content":"""#, "null"));
        let ends = [&event(&delta("", r#""stop""#)), &event(&usage), "data: [DONE]\n\n"].map(chunk);
        Self {
            whole: response("200 OK", "", answer),
            models: response("200 OK", "", MODELS),
            throttled: response("429 Too Many Requests", "Retry-After: 0\r\n", ERROR),
            failed: response("500 Internal Server Error", "", ERROR),
            first: format!("{STREAM_HEAD}{}{}", chunk(&role), chunk(&event(&content))).into_bytes(),
            event: chunk(&event(&content)).into_bytes(),
            last: format!("{}0\r\n\r\n", ends.concat()).into_bytes(),
            events,
            gap,
            faults: Mutex::new(faults),
        }
    }
}

pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, manner: Arc<Manner>) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let manner = manner.clone();
                // An error is a gateway that left.
                tokio::spawn(async move { answer_all(stream, &manner).await.ok() });
            }
            // Out of descriptors: some come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// What a request wants.
enum Wanted {
    Models,
    Whole,
    Stream,
}

async fn answer_all(stream: TcpStream, manner: &Manner) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while let Some(wanted) = request(&mut wire).await? {
        let fate = match wanted {
            Wanted::Models => Fate::Well,
            _ => manner.faults.lock().unwrap_or_else(PoisonError::into_inner).draw(),
        };
        match (fate, wanted) {
            (_, Wanted::Models) => wire.write(&manner.models).await?,
            (Fate::Throttled, _) => wire.write(&manner.throttled).await?,
            (Fate::Failed, _) => wire.write(&manner.failed).await?,
            (Fate::Reset, _) => return wire.stream.set_zero_linger(),
            (Fate::Well, Wanted::Whole) => wire.write(&manner.whole).await?,
            (Fate::Well, Wanted::Stream) => {
                stream_events(&mut wire, manner, manner.events).await?;
                wire.write(&manner.last).await?;
            }
            (Fate::Truncated | Fate::Stalled, wanted) => {
                match wanted {
                    Wanted::Stream => stream_events(&mut wire, manner, manner.events.div_ceil(2)).await?,
                    _ => wire.write(&manner.whole[..manner.whole.len() - manner.whole.len() / 4]).await?,
                }
                if fate == Fate::Stalled {
                    // Until the gateway leaves.
                    let _ = tokio::time::timeout(FOR_EVER, wire.more()).await;
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn stream_events(wire: &mut Wire, manner: &Manner, count: u64) -> io::Result<()> {
    wire.write(&manner.first).await?;
    let mut due = tokio::time::Instant::now();
    for _ in 1..count {
        if !manner.gap.is_zero() {
            due += manner.gap;
            tokio::time::sleep_until(due).await;
        }
        wire.write(&manner.event).await?;
    }
    Ok(())
}

/// Reads a request to its end; none when the connection ended between two.
async fn request(wire: &mut Wire) -> io::Result<Option<Wanted>> {
    let (length, is_get, framing) = loop {
        if let Some(head) = head(wire.unread())? {
            break head;
        }
        if wire.read().await? == 0 {
            return Ok(None);
        }
    };
    wire.took(length);
    let mut body = Vec::new();
    let mut show = |piece: &[u8]| body.extend_from_slice(&piece[..piece.len().min(LOOKED_AT - body.len())]);
    wire.body(framing, &mut show).await?;
    Ok(Some(match (is_get, wants_stream(&body)) {
        (true, _) => Wanted::Models,
        (false, true) => Wanted::Stream,
        (false, false) => Wanted::Whole,
    }))
}

fn wants_stream(body: &[u8]) -> bool {
    const NAME: &[u8] = b"\"stream\":";
    memmem::find(body, NAME).is_some_and(|at| body[at + NAME.len()..].trim_ascii_start().starts_with(b"true"))
}

fn head(bytes: &[u8]) -> io::Result<Option<(usize, bool, Framing)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let framing = Framing::of(request.headers, Framing::Length(0))?;
            Ok(Some((length, request.method == Some("GET"), framing)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(malformed(&error.to_string())),
    }
}

fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn event(inner: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-123456789\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"small-chat-1\",\"system_fingerprint\":\"fp_0123456789\",{inner}}}\n\n"
    )
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
