//! Engines of this process: who makes one, and with what.

use hoosh_core::config::{parse, Environment, Maker, ProviderKind};

use super::{bad, environment, good};

#[test]
fn an_engine_says_who_makes_it_and_with_what() {
    let config = good(
        "[[providers]]\ntype = \"engine\"\n\
         [[providers]]\ntype = \"python:my_models.echo:Echo.loud\"\n\
         options = { a = 1_000, b = 0xff, c = -1.5e3, d = true, e = [\"x\\\"\", 1979-05-27T07:32:00Z], f = { \"g h\" = [] } }\n\
         [[providers]]\nname = \"plain\"\ntype = \"python:m:f\"",
    );
    let of = |at: usize| {
        let provider = &config.providers[at];
        assert_eq!(provider.kind, ProviderKind::Engine);
        (provider.name.as_str(), provider.engine.kind(), provider.engine.target(), provider.engine.options())
    };
    assert_eq!(of(0), ("engine", "engine", String::new(), "{}"));
    let options = r#"{"a":1000,"b":255,"c":-1500.0,"d":true,"e":["x\"","1979-05-27T07:32:00Z"],"f":{"g h":[]}}"#;
    assert_eq!(of(1), ("Echo.loud", "python", "my_models.echo:Echo.loud".into(), options));
    assert_eq!(of(2), ("plain", "python", "m:f".into(), "{}"));
    let described = config.describe();
    assert!(described.contains("type = \"python:my_models.echo:Echo.loud\""), "{described}");
    let again = good(&described);
    assert_eq!(again.providers[1].engine.option_names, ["a", "b", "c", "d", "e", "f"]);
    assert!(again.providers[1].engine.options().contains(r#""a":"***""#), "its values may be secrets");
}

#[test]
fn candle_serves_the_models_of_its_files() {
    let config = good(
        "[[providers]]\ntype = \"Candle\"\nname = \"local\"\nfiles = { \"a/b\" = \"/m/a \\\" b.gguf\", c = \"$URL\" }\n\
         max_sequences = 2\ndevice = \"CUDA\"\nidle_unload_secs = 600\n[[providers]]\ntype = \"candle\"",
    );
    let [named, plain] = &config.providers[..] else { panic!("two") };
    let url = environment("URL").expect("a variable");
    let options = format!(
        "{{\"files\":{{\"a/b\":\"/m/a \\\" b.gguf\",\"c\":\"{url}\"}},\"device\":\"cuda\",\"max_sequences\":2,\"idle_unload_secs\":600}}"
    );
    assert_eq!((named.engine.options(), &named.models[..]), (&*options, &["a/b".to_owned(), "c".to_owned()][..]));
    assert_eq!((plain.engine.options(), &plain.models[..]), ("{\"files\":{}}", &["hoosh-tiny".to_owned()][..]));
    assert_eq!(good(&config.describe()).providers, config.providers);
}

#[test]
fn what_is_wrong_with_files_is_said() {
    let table = |kind: &str, keys: &str| format!("[[providers]]\ntype = \"{kind}\"\nname = \"mine\"\n{keys}");
    for (kind, keys, words) in [
        ("candle", "files = 3", "must be a table"),
        ("candle", "files = { m = 3 }", "named by its path"),
        ("candle", "files = { \"\" = \"x\" }", "must not be empty"),
        ("candle", "files = { m = \"$NOT_SET\" }", "`NOT_SET`"),
        ("candle", "max_sequences = 0", "from 1 to 64"),
        ("candle", "base_url = \"http://x\"", "no meaning for an engine"),
        ("candle", "options = {}", "no meaning for `candle`"),
        ("ollama", "files = { m = \"x\" }", "no meaning for `ollama`; it is for `candle`"),
        ("engine", "memory_bytes = 9_999_999", "no meaning for `engine`; it is for `candle`"),
    ] {
        let error = bad(&table(kind, keys));
        assert!(error.message.contains(words) && error.line == Some(4), "{keys}: {error}");
    }
}

#[test]
fn what_is_wrong_with_an_engine_is_said() {
    let table = |keys: &str| format!("[[providers]]\nname = \"mine\"\n{keys}");
    for (keys, words) in [
        ("type = \"python:\"", "`python:module:Name`"),
        ("type = \"python:m\"", "such as `python:my_models.echo:Echo`"),
        ("type = \"python:m:\"", "must name a module"),
        ("type = \"python:m:a:b\"", "must name a module"),
        ("type = \"python:../m:a\"", "must name a module"),
        ("type = \"python:m.:a\"", "must name a module"),
        ("type = \"python:1m:a\"", "must name a module"),
        ("type = \"pyton:m:a\"", "(known are ollama, "),
        ("type = \"python:m:a\"\nbase_url = \"http://x\"", "`base_url` in [[providers]] has no meaning for an engine"),
        ("type = \"python:m:a\"\noptions = []", "`options` in [[providers]] must be a table, not an array"),
        ("type = \"python:m:a\"\noptions = { x = inf }", "must be a finite number"),
        ("type = \"python:m:a\"\noptions = { x = 9223372036854775808 }", "no integer of 64 bits"),
        ("type = \"python:m:a\"\noption = {}", "did you mean `options`?"),
        ("type = \"engine\"\noptions = {}", "has no meaning for `engine`"),
        ("type = \"vllm\"\noptions = {}", "has no meaning for a provider over HTTP"),
    ] {
        let error = bad(&table(keys));
        assert!(error.message.contains(words), "{keys}: {error}");
    }
    let long = format!("[[providers]]\ntype = \"python:m:{}\"", "x".repeat(65));
    assert!(bad(&long).message.contains("`name`"), "{}", bad(&long));
}

/// Packages offer two types.
struct Packages;

impl Environment for Packages {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn engine_types(&self) -> Vec<String> {
        vec!["deep-thought".into(), "ollama".into()]
    }
}

#[test]
fn a_package_offers_types_that_the_catalogue_has_not() {
    let text = |type_name: &str| format!("[[providers]]\ntype = \"{type_name}\"");
    for spelled in ["deep-thought", "Deep_Thought"] {
        let config = parse(&text(spelled), &Packages).unwrap();
        let provider = &config.providers[0];
        assert_eq!((provider.name.as_str(), provider.kind), ("deep-thought", ProviderKind::Engine));
        assert_eq!(provider.engine.maker, Maker::Package("deep-thought".into()));
        assert_eq!((provider.engine.kind(), provider.engine.target()), ("engine", "entry:deep-thought".into()));
    }
    let ours = parse(&text("ollama"), &Packages).unwrap();
    assert_eq!(ours.providers[0].kind, ProviderKind::Http, "what hoosh knows means what it means everywhere");
    let error = parse(&text("deep-thougt"), &Packages).unwrap_err();
    assert!(error.message.contains("did you mean `deep-thought`?"), "{error}");
    assert!(error.message.ends_with("engine, deep-thought, ollama, python:module:Name)"), "{error}");
    assert!(bad(&text("deep-thought")).message.contains("not known"));
}
