//! Where the Gemini API is spoken.

use crate::dialects::neutral::Endpoint;
use crate::dialects::{Ask, Asked, Door, Form, Framing, Listing};

pub(super) static DOOR: Door = Door {
    asked,
    path,
    below: &["/v1beta/"],
    questions: None,
    key_header: Some("x-goog-api-key"),
    // As Google's documentation shows it.
    key_parameter: Some("key"),
    bearer_since: None,
    version: None,
    told: &[],
    takes_untyped: false,
    id_header: None,
    // google-genai 3 for Python breaks on them.
    takes_comments: false,
    framing: Framing::Events,
    marks_end: false,
    prefix: "/v1beta",
    // Pages have 50 unless asked for more.
    models_target: "/models?pageSize=1000",
    listing: Listing { list: "models", name: "name", before: Some("models/") },
};

fn asked(path: &str, query: &str) -> Option<Asked> {
    answer(path, query).map(Asked::Answer).or_else(|| listed(path))
}

fn path(endpoint: Endpoint, count: bool) -> &'static str {
    if count {
        return "/v1beta/models/{model}:countTokens";
    }
    match endpoint {
        Endpoint::Embeddings => "/v1beta/models/{model}:embedContent",
        Endpoint::Chat | Endpoint::Completions => "/v1beta/models/{model}:generateContent",
    }
}

/// `/v1beta/models/{model}:{verb}`, with `/v1` too, and without `models/` before names with a slash, as Google's client for
/// JavaScript writes them.
fn answer(path: &str, query: &str) -> Option<Ask> {
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    let (model, verb) = rest.rsplit_once(':')?;
    let model = model.strip_prefix("models/").unwrap_or(model);
    let (endpoint, form, stream) = match verb {
        "generateContent" | "countTokens" => (Endpoint::Chat, Form::Usual, false),
        // Without `alt=sse` a stream is one array.
        "streamGenerateContent" if asks_events(query) => (Endpoint::Chat, Form::Usual, true),
        "streamGenerateContent" => (Endpoint::Chat, Form::Array, true),
        "embedContent" => (Endpoint::Embeddings, Form::Usual, false),
        "batchEmbedContents" => (Endpoint::Embeddings, Form::Other, false),
        _ => return None,
    };
    let model = Some(model.to_owned()).filter(|model| !model.is_empty())?;
    Some(Ask { endpoint: Some(endpoint), form, model: Some(model), stream: Some(stream), count: verb == "countTokens" })
}

fn asks_events(query: &str) -> bool {
    query.split('&').any(|pair| pair == "alt=sse")
}

fn listed(path: &str) -> Option<Asked> {
    match path.strip_prefix("/v1beta/models")? {
        "" => Some(Asked::Models),
        rest => Some(Asked::Model(rest.strip_prefix('/').filter(|id| !id.is_empty())?.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gemini(path: &str, query: &str) -> (String, Form, Option<bool>) {
        let ask = answer(path, query).unwrap();
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
            assert_eq!(answer(path, ""), None, "{path}");
        }
    }

    #[test]
    fn what_is_listed_below_v1_is_nobodys_alone() {
        assert_eq!(asked("/v1beta/models", ""), Some(Asked::Models));
        assert_eq!(asked("/v1beta/models/a/b", ""), Some(Asked::Model("a/b".into())));
        for path in ["/v1/models", "/v1/models/a", "/v1beta/models/", "/v1beta/modelsa"] {
            assert_eq!(asked(path, ""), None, "{path}");
        }
    }
}
