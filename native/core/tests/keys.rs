//! Keys: found by their secret only, and never beyond their scope.

use hoosh_core::config::{Provider, Secret, Token};
use hoosh_core::keys::{bearer, Digest, Keys, Pattern};
use proptest::prelude::*;

fn token(secret: &str, models: &[&str]) -> Token {
    Token {
        token: Secret::new(secret),
        name: format!("name-of-{}", secret.len()),
        models: models.iter().map(|m| m.to_string()).collect(),
        ..Token::default()
    }
}

fn providers(names: &[&str]) -> Vec<Provider> {
    names.iter().map(|name| Provider { name: name.to_string(), ..Provider::default() }).collect()
}

#[test]
fn finds_a_key_by_its_secret_only() {
    let keys = Keys::new(&[token("one", &[]), token("second", &[])], &[]);
    assert_eq!(keys.find(b"second").map(|k| (k.index, &*k.name)), Some((1, "name-of-6")));
    for wrong in [&b""[..], b"on", b"onee", b"One", b"one\0", b"secon", &[0xff; 10_000]] {
        assert!(keys.find(wrong).is_none());
    }
    assert_eq!(keys.all().len(), 2);
    assert!(!keys.is_empty() && Keys::new(&[], &[]).is_empty());
}

#[test]
fn carries_budget_and_limits() {
    let mut t = token("one", &[]);
    (t.budget, t.max_concurrency, t.rate_limit_rpm) = (Some("team".into()), Some(2), Some(60));
    let keys = Keys::new(&[t], &[]);
    let key = keys.find(b"one").unwrap();
    assert_eq!((key.budget.as_deref(), key.max_concurrency, key.rate_limit_rpm), (Some("team"), Some(2), Some(60)));
}

#[test]
fn debug_shows_neither_secret_nor_digest() {
    let keys = Keys::new(&[token("hunter2", &[])], &[]);
    let digest = blake3::hash(b"hunter2").to_hex().to_string();
    for shown in [format!("{keys:?}"), format!("{:#?}", keys.all()), format!("{:?}", token("hunter2", &[]))] {
        assert!(!shown.contains("hunter2") && !shown.contains(&digest[..8]), "{shown}");
    }
}

#[test]
fn a_key_is_known_by_its_digest_wherever_it_stands() {
    let (before, after) =
        (Keys::new(&[token("one", &[]), token("second", &[])], &[]), Keys::new(&[token("second", &[])], &[]));
    let second = before.find(b"second").unwrap();
    assert_eq!(after.get(&second.digest).map(|key| key.index), Some(0));
    assert!(after.get(&before.find(b"one").unwrap().digest).is_none());
    assert_eq!(Digest::of(b"second"), second.digest);
}

#[test]
fn scopes() {
    let is_provider = |name: &str| matches!(name, "openai" | "local");
    for (pattern, model, provider, allowed) in [
        ("gpt-4o", "gpt-4o", "openai", true),
        ("gpt-4o", "gpt-4o", "anyone", true),
        ("gpt-4o", "gpt-4o-mini", "openai", false),
        ("gpt-4*", "gpt-4o-mini", "openai", true),
        ("*", "anything", "anyone", true),
        ("openai/gpt-4o", "gpt-4o", "openai", true),
        ("openai/gpt-4o", "gpt-4o", "local", false),
        ("local/*", "x/y", "local", true),
        ("local/*", "x", "openai", false),
        ("local/x*", "xy", "local", true),
        ("local/x*", "y", "local", false),
        // The first segment is no provider: a model with a slash, at any provider.
        ("meta/llama*", "meta/llama-3", "openai", true),
        ("meta/llama*", "llama-3", "meta", false),
        // It is a provider: never a reseller's model of the same name.
        ("openai/*", "openai/gpt-4o", "reseller", false),
    ] {
        let matches = Pattern::new(pattern, is_provider).matches(model, provider);
        assert_eq!(matches, allowed, "{pattern} on {model} at {provider}");
    }
}

#[test]
fn a_key_without_models_may_use_all_and_one_with_models_only_those() {
    let keys = Keys::new(&[token("a", &[]), token("bb", &["openai/*", "m"])], &providers(&["openai", "other"]));
    let (free, bound) = (keys.find(b"a").unwrap(), keys.find(b"bb").unwrap());
    assert!(free.allows("x", "other"));
    assert!(bound.allows("x", "openai") && bound.allows("m", "other"));
    assert!(!bound.allows("x", "other"));
}

#[test]
fn bearer_credentials() {
    for (value, credential) in [
        ("Bearer abc", Some("abc")),
        ("bearer abc", Some("abc")),
        ("BEARER   abc  ", Some("abc")),
        ("Bearer\tabc", Some("abc")),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearerabc", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
    ] {
        assert_eq!(bearer(value.as_bytes()), credential.map(str::as_bytes), "{value:?}");
    }
}

proptest! {
    #[test]
    fn finds_exactly_what_was_given(secrets in prop::collection::btree_set("[a-c]{1,4}", 0..20), asked in "[a-c]{0,5}") {
        let tokens: Vec<Token> = secrets.iter().map(|s| token(s, &[])).collect();
        let keys = Keys::new(&tokens, &[]);
        let place = secrets.iter().position(|s| *s == asked);
        prop_assert_eq!(keys.find(asked.as_bytes()).map(|k| k.index as usize), place);
    }

    #[test]
    fn bearer_never_panics(value in prop::collection::vec(any::<u8>(), 0..20)) {
        let _ = bearer(&value);
    }
}
