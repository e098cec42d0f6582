//! Whose a request is, and what its headers say of that: each dialect's [`Door`](crate::dialects::Door) is asked.

use super::headers::pick;
use super::target::Target;
use crate::dialects::Dialect;
use crate::http::{HeaderView, Headers};

/// Whose errors a caller reads: the path's, or as its headers tell of SDKs that share a path with others.
pub(super) fn dialect(target: Option<&Target>, path: &str, headers: &dyn HeaderView) -> Dialect {
    match target {
        Some(Target::Inference(dialect, _) | Target::Count(dialect) | Target::Question(dialect, ..)) => *dialect,
        Some(Target::Models | Target::Model(_)) | None => by_path(path).unwrap_or_else(|| by_headers(headers)),
        Some(_) => by_path(path).unwrap_or_default(),
    }
}

fn by_path(path: &str) -> Option<Dialect> {
    Dialect::ALL.into_iter().find(|dialect| dialect.door().below.iter().any(|below| path.starts_with(below)))
}

fn by_headers(headers: &dyn HeaderView) -> Dialect {
    let has = |name: &str| headers.get(name).is_some();
    let is_shown = |dialect: &Dialect| {
        let door = dialect.door();
        door.version.is_some_and(|version| has(version.header)) || door.key_header.is_some_and(has)
    };
    Dialect::ALL.into_iter().find(is_shown).unwrap_or_default()
}

/// The key that a caller shows, wherever its SDK puts it.
pub(super) fn presented<'a>(
    dialect: Dialect,
    target: &'a str,
    headers: &'a dyn HeaderView,
) -> impl Iterator<Item = &'a [u8]> {
    let bearer = headers.get("authorization").and_then(crate::keys::bearer);
    let own = Dialect::ALL.into_iter().filter_map(move |any| headers.get(any.door().key_header?));
    let query = target.split_once('?').map_or("", |(_, query)| query).split('&');
    let named = query.filter_map(move |pair| pair.strip_prefix(dialect.door().key_parameter?)?.strip_prefix('='));
    bearer.into_iter().chain(own).chain(named.map(str::as_bytes))
}

/// The headers of a dialect that go to upstreams of the same.
pub(super) fn told(dialect: Dialect, headers: &dyn HeaderView) -> Headers {
    pick(dialect.door().told.iter().copied(), headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_path_is_told_apart_by_headers() {
        let told = |pairs: &[(&[u8], &[u8])]| dialect(Some(&Target::Models), "/v1/models", &pairs);
        assert_eq!(told(&[]), Dialect::OpenAiChat);
        assert_eq!(told(&[(b"anthropic-version", b"2023-06-01")]), Dialect::Anthropic);
        assert_eq!(told(&[(b"x-goog-api-key", b"k")]), Dialect::Gemini);
        let none: &[(&[u8], &[u8])] = &[];
        assert_eq!(dialect(None, "/v1beta/x", &none), Dialect::Gemini);
    }
}
