//! Pictures: bare base64 in Ollama's messages, data URLs in the neutral request.

use std::borrow::Cow;

use super::errors::invalid;
use crate::base64;
use crate::dialects::{Change, Loss};
use crate::error::Failure;

/// Letters that are looked at: 18 bytes, which show every type below.
const LOOKED_AT: usize = 24;
/// What an unknown picture is called.
const UNKNOWN: &str = "image/png";

/// One of a caller's pictures as a data URL. `at` is its place, for words.
pub(super) fn as_url<'a>(
    image: Cow<'a, str>,
    at: &dyn Fn() -> String,
    loss: &mut Loss,
) -> Result<Cow<'a, str>, Failure> {
    if image.starts_with("data:") {
        return Ok(image);
    }
    if image.is_empty() || image.starts_with("http://") || image.starts_with("https://") {
        return Err(invalid(at(), format!("{} must be a picture in base64; addresses are not fetched", at())));
    }
    let kind = kind_of(&image).unwrap_or_else(|| {
        loss.add(Change::Approximated, "images", "of a kind that its first bytes do not show: sent as image/png");
        UNKNOWN
    });
    Ok(Cow::Owned(["data:", kind, ";base64,", &image].concat()))
}

/// What a data URL holds, where it is in base64.
pub(super) fn from_url(url: &str) -> Option<&str> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    head.ends_with(";base64").then_some(data)
}

/// The media type that the first bytes show.
fn kind_of(image: &str) -> Option<&'static str> {
    let start = image.get(..LOOKED_AT.min(image.len() / 4 * 4))?;
    let bytes = base64::read(start)?;
    match &*bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'B', b'M', ..] => Some("image/bmp"),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some("image/tiff"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => Some("image/avif"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', b'i', ..] => Some("image/heic"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        base64::write(&mut out, bytes.iter().copied());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn first_bytes_show_the_type() {
        for (bytes, kind) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..], Some("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", Some("image/png")),
            (b"GIF89a\x01\0", Some("image/gif")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"\0\0\0\x18ftypheic\0\0\0\0", Some("image/heic")),
            (b"", None),
            (b"x", None),
        ] {
            assert_eq!(kind_of(&written(bytes)), kind, "{bytes:?}");
        }
        assert_eq!(kind_of("ääääääääääääääääää"), None);
    }

    #[test]
    fn only_base64_is_taken_out_of_an_url() {
        assert_eq!(from_url("data:image/png;base64,AAAA"), Some("AAAA"));
        assert_eq!(from_url("data:image/svg+xml,%3Csvg/%3E"), None);
        assert_eq!(from_url("https://x.example/a.png"), None);
    }
}
