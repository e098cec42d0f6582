//! Media: data URLs against Gemini's `inlineData`, addresses against its `fileData`.

use std::borrow::Cow;

/// Media type and base64 of a data URL; `None` if it is none, or not in base64.
pub(super) fn of_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    let media = head.split(';').next().unwrap_or_default();
    Some((if media.is_empty() { "text/plain" } else { media }, data))
}

/// Base64 of the usual alphabet with its filling. Google's clients write the one that is safe for URLs, with or without.
pub(super) fn usual(data: &str) -> Cow<'_, str> {
    let is_usual = data.len() % 4 == 0 && !data.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    if is_usual {
        return Cow::Borrowed(data);
    }
    let mut out: String = data
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            letter => letter,
        })
        .collect();
    while out.len() % 4 != 0 {
        out.push('=');
    }
    Cow::Owned(out)
}

/// Endings of file names and their media types: those that Gemini takes.
const ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("json", "application/json"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("aac", "audio/aac"),
    ("aiff", "audio/aiff"),
];

/// What the ending of an address says that it is.
pub(super) fn media_of(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, media)| *media)
}

/// OpenAI's word for the format of audio.
pub(super) fn audio_format(media: &str) -> Option<&str> {
    let subtype = media.strip_prefix("audio/")?.split(';').next()?;
    Some(match subtype {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        subtype => subtype,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_come_apart() {
        assert_eq!(of_url("data:image/png;base64,AAAA"), Some(("image/png", "AAAA")));
        assert_eq!(of_url("data:text/plain;charset=utf-8;base64,AA=="), Some(("text/plain", "AA==")));
        assert_eq!(of_url("data:,hello"), None);
        assert_eq!(of_url("https://x/y.png"), None);
    }

    /// google-genai writes `bytes` in the alphabet for URLs, padded or not.
    #[test]
    fn either_alphabet_becomes_the_usual_one() {
        for (written, read) in [("-_8=", "+/8="), ("-_8", "+/8="), ("+/8=", "+/8="), ("", "")] {
            assert_eq!(usual(written), read);
        }
    }

    #[test]
    fn an_address_tells_its_type_by_its_ending() {
        assert_eq!(media_of("https://h/a.b/x.JPG?w=1#f"), Some("image/jpeg"));
        assert_eq!(media_of("https://h.png/x"), None);
        assert_eq!(audio_format("audio/mpeg"), Some("mp3"));
    }
}
