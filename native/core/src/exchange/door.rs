//! The paths of dialects other than OpenAI's, and what their path and query say: `/v1/messages`, `/v1/responses`,
//! `/v1beta/models/{model}:generateContent`, `/api/chat`.

use super::headers::pick;
use super::target::Target;
use crate::dialects::neutral::Endpoint;
use crate::dialects::{Ask, Dialect, Form};
use crate::http::{HeaderView, Headers};

/// What a path names, if it is one of these.
pub(super) fn of(path: &str, query: &str) -> Option<(Target, Ask)> {
    use Dialect::{Anthropic, Ollama, OpenAiResponses};
    let (target, form) = match path {
        "/v1/messages" => (Target::Inference(Anthropic, Endpoint::Chat), Form::Usual),
        "/v1/messages/count_tokens" => (Target::Count(Anthropic), Form::Usual),
        "/v1/responses" => (Target::Inference(OpenAiResponses, Endpoint::Chat), Form::Usual),
        "/api/chat" => (Target::Inference(Ollama, Endpoint::Chat), Form::Usual),
        "/api/generate" => (Target::Inference(Ollama, Endpoint::Chat), Form::Prompt),
        "/api/embed" => (Target::Inference(Ollama, Endpoint::Embeddings), Form::Usual),
        "/api/embeddings" => (Target::Inference(Ollama, Endpoint::Embeddings), Form::Other),
        _ => return of_gemini(path, query),
    };
    let endpoint = match target {
        Target::Inference(_, endpoint) => endpoint,
        _ => Endpoint::Chat,
    };
    let count = matches!(target, Target::Count(_));
    Some((target, Ask { endpoint: Some(endpoint), form, count, ..Ask::default() }))
}

/// `/v1beta/models/{model}:{verb}`, with `/v1` too, and without `models/` before names with a slash, as Google's client for
/// JavaScript writes them.
fn of_gemini(path: &str, query: &str) -> Option<(Target, Ask)> {
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    let (model, verb) = rest.rsplit_once(':')?;
    let model = model.strip_prefix("models/").unwrap_or(model);
    let dialect = Dialect::Gemini;
    let (chat, embeddings) =
        (Target::Inference(dialect, Endpoint::Chat), Target::Inference(dialect, Endpoint::Embeddings));
    let (target, form, stream) = match verb {
        "generateContent" => (chat, Form::Usual, false),
        // Without `alt=sse` a stream is one array.
        "streamGenerateContent" if asks_events(query) => (chat, Form::Usual, true),
        "streamGenerateContent" => (chat, Form::Array, true),
        "countTokens" => (Target::Count(dialect), Form::Usual, false),
        "embedContent" => (embeddings, Form::Usual, false),
        "batchEmbedContents" => (embeddings, Form::Other, false),
        _ => return None,
    };
    let endpoint = match target {
        Target::Inference(_, endpoint) => endpoint,
        _ => Endpoint::Chat,
    };
    let model = Some(model.to_owned()).filter(|model| !model.is_empty())?;
    let count = matches!(target, Target::Count(_));
    Some((target, Ask { endpoint: Some(endpoint), form, model: Some(model), stream: Some(stream), count }))
}

fn asks_events(query: &str) -> bool {
    query.split('&').any(|pair| pair == "alt=sse")
}

/// Whose errors a caller reads: the path's, or as its headers tell of SDKs that share a path with others.
pub(super) fn dialect(target: Option<&Target>, path: &str, headers: &dyn HeaderView) -> Dialect {
    match target {
        Some(Target::Inference(dialect, _) | Target::Count(dialect)) => *dialect,
        Some(Target::Models | Target::Model(_)) | None => by_path(path).unwrap_or_else(|| by_headers(headers)),
        Some(_) => by_path(path).unwrap_or_default(),
    }
}

fn by_path(path: &str) -> Option<Dialect> {
    [("/v1beta/", Dialect::Gemini), ("/api/", Dialect::Ollama), ("/v1/messages", Dialect::Anthropic)]
        .into_iter()
        .find(|(prefix, _)| path.starts_with(prefix))
        .map(|(_, dialect)| dialect)
}

fn by_headers(headers: &dyn HeaderView) -> Dialect {
    let has = |name: &str| headers.get(name).is_some();
    if has("anthropic-version") || has("x-api-key") {
        Dialect::Anthropic
    } else if has("x-goog-api-key") {
        Dialect::Gemini
    } else {
        Dialect::OpenAiChat
    }
}

/// The key that a caller shows, wherever its SDK puts it.
pub(super) fn presented<'a>(
    dialect: Dialect,
    target: &'a str,
    headers: &'a dyn HeaderView,
) -> impl Iterator<Item = &'a [u8]> {
    let bearer = headers.get("authorization").and_then(crate::keys::bearer);
    let own = ["x-api-key", "x-goog-api-key"].into_iter().filter_map(move |name| headers.get(name));
    // Google's documentation shows `?key=`; nobody else has it.
    let query = target.split_once('?').map_or("", |(_, query)| query).split('&');
    let named = query.filter_map(|pair| pair.strip_prefix("key=")).filter(move |_| dialect == Dialect::Gemini);
    bearer.into_iter().chain(own).chain(named.map(str::as_bytes))
}

/// The headers of a dialect that go to upstreams of the same.
pub(super) fn told(dialect: Dialect, headers: &dyn HeaderView) -> Headers {
    match dialect {
        Dialect::Anthropic => pick(["anthropic-version", "anthropic-beta"], headers),
        _ => Headers::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gemini(path: &str, query: &str) -> (String, Form, Option<bool>) {
        let (_, ask) = of(path, query).unwrap();
        (ask.model.unwrap(), ask.form, ask.stream)
    }

    #[test]
    fn geminis_paths_name_model_and_form() {
        assert_eq!(gemini("/v1beta/models/g:generateContent", ""), ("g".into(), Form::Usual, Some(false)));
        let events = gemini("/v1/models/a/b:streamGenerateContent", "x=1&alt=sse");
        assert_eq!(events, ("a/b".into(), Form::Usual, Some(true)));
        assert_eq!(gemini("/v1beta/a/b:streamGenerateContent", ""), ("a/b".into(), Form::Array, Some(true)));
        assert_eq!(gemini("/v1beta/models/a:8b:embedContent", "").0, "a:8b");
        for path in ["/v1/models/a:8b", "/v1beta/models/:generateContent", "/v1/other:generate", "/v1/messages/x"] {
            assert_eq!(of(path, ""), None, "{path}");
        }
    }

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
