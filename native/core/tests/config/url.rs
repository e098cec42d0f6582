//! Where a provider is: `base_url`, and what the type says of it.

use super::{bad, good};

/// The base URL that a provider table ends up with.
pub fn url(table: &str) -> String {
    good(&format!("[[providers]]\n{table}")).providers[0].base_url.as_ref().unwrap().to_string()
}

#[test]
fn bad_urls_are_told_apart_and_never_quoted() {
    for (text, words) in [
        ("host.example", "must begin with `http://`"),
        ("ftp://host", "must begin with `http://`"),
        ("http://", "no valid host"),
        ("http:///v1", "no valid host"),
        ("http://ho st", "no valid host"),
        ("http://bücher.example", "no valid host"),
        ("http://a..b", "no valid host"),
        ("https://u:s3cr3t-value@host", "put the key in `api_key`"),
        ("$URL_WITH_KEY", "put the key in `api_key`"),
        ("http://host/v1?key=s3cr3t-value", "query or fragment"),
        ("http://host/#x", "query or fragment"),
        ("http://host:0", "port from 1 to 65535"),
        ("http://host:65536", "port from 1 to 65535"),
        ("http://host:+1", "port from 1 to 65535"),
        ("http://host:", "port from 1 to 65535"),
        ("http://::1", "in brackets"),
        ("http://[::1", "without `]`"),
        ("http://[::g]", "no valid IPv6"),
        ("http://[::1]8", "nothing after `]`"),
        ("http://host/a b", "percent-encoded"),
        ("http://host/a/../b", "segments"),
        ("http://host/a//b", "segments"),
    ] {
        let error = bad(&format!("[[providers]]\ntype = \"openai\"\nbase_url = \"{text}\""));
        assert_eq!(error.line, Some(3));
        assert!(error.message.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_path_is_kept_and_an_absent_one_filled_in() {
    for (table, expected) in [
        ("type = \"openai\"", "https://api.openai.com/v1"),
        ("type = \"openai\"\nbase_url = \"https://api.openai.com\"", "https://api.openai.com/v1"),
        ("type = \"openai\"\nbase_url = \"HTTPS://API.openai.com:443/\"", "https://api.openai.com/v1"),
        ("type = \"openai\"\nbase_url = \"https://api.openai.com/v1/\"", "https://api.openai.com/v1"),
        ("type = \"openai\"\nbase_url = \"http://proxy:81/team%20a/x\"", "http://proxy:81/team%20a/x"),
        ("type = \"groq\"", "https://api.groq.com/openai/v1"),
        ("type = \"groq\"\nbase_url = \"https://api.groq.com\"", "https://api.groq.com/openai/v1"),
        ("type = \"open-router\"", "https://openrouter.ai/api/v1"),
        ("type = \"openai-compatible\"\nbase_url = \"http://[0:0::1]:8000\"", "http://[::1]:8000/v1"),
        ("type = \"openai-compatible\"\nbase_url = \"$URL\"", "http://host.example:9/x"),
        ("type = \"Llama_CPP\"", "http://localhost:8080/v1"),
        ("type = \"XAI\"", "https://api.x.ai/v1"),
    ] {
        assert_eq!(url(table), expected, "{table}");
    }
    let config = good("[[providers]]\ntype = \"groq\"\napi_key = \"k\"\nbase_url = \"https://api.groq.com/openai\"");
    assert!(config.warnings[0].contains("add `/v1`"), "{:?}", config.warnings);
}
