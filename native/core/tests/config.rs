//! Configuration: what is accepted, what every mistake is answered with, and that the documents tell the truth.

use hoosh_core::config::{
    catalogue, parse, schema, CacheMode, CapField, Config, ConfigError, CredentialSource, Environment, Maker,
    ProviderKind, Renewal, Strategy as Choice,
};
use hoosh_core::egress::{Pin, TlsTerms};
use proptest::prelude::*;

/// Values no error may show.
const SECRET: &str = "s3cr3t-value";

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "KEY" => SECRET,
        "PADDED" => " padded\n",
        "EMPTY" => "",
        "SPACED" => "two words",
        "URL" => "http://host.example:9/x",
        "URL_WITH_KEY" => "https://user:s3cr3t-value@host.example",
        "OPENAI_API_KEY" => "sk-from-environment",
        _ => return None,
    };
    Some(value.to_owned())
}

fn nothing(_: &str) -> Option<String> {
    None
}

fn good(text: &str) -> Config {
    parse(text, &environment).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn bad(text: &str) -> ConfigError {
    let error = parse(text, &environment).expect_err(text);
    assert!(!error.to_string().contains(SECRET), "{error}");
    assert!(error.line.is_some_and(|line| (1..=text.lines().count().max(1)).contains(&line)), "{error:?}");
    error
}

/// The base URL that a provider table ends up with.
fn url(table: &str) -> String {
    good(&format!("[[providers]]\n{table}")).providers[0].base_url.as_ref().unwrap().to_string()
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = good("");
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert_eq!(Config { warnings: vec![], ..config }, Config::default());
}

#[test]
fn every_mistake_has_its_line_and_a_way_out() {
    let long = "x".repeat(65);
    for (text, line, words) in [
        ("[server]\nprot = 1", 2, "unknown key `prot` in [server]; did you mean `port`?"),
        ("[sever]\nport = 1", 1, "unknown table `sever`; did you mean `server`?"),
        ("port = 1", 1, "unknown key `port`; it belongs in [server]"),
        ("[server]\ncolour = 1", 2, "known are bind, port"),
        ("[[providers]]\ntype = \"openai\"\nbaseurl = \"x\"", 3, "did you mean `base_url`?"),
        ("[auth]\ntokens = [\n  \"a\",\n  { token = \"b\", nam = \"x\" },\n]", 4, "did you mean `name`?"),
        ("[server]\nport = \"80\"", 2, "`port` in [server] must be an integer, not a string"),
        ("[server]\nport = 65536", 2, "must be from 0 to 65535, not 65536"),
        ("[log]\naccess = \"jsn\"", 2, "did you mean `json`? (known are off, text, json)"),
        ("[log]\nfile = \"\"", 2, "must be the path of a file"),
        ("[[prices]]\nmodel = \"a*b\"", 2, "one `*`, at its end"),
        ("[[prices]]\ninput_usd_per_mtok = 1", 1, "`model` in [[prices]] is missing"),
        ("[[prices]]\nmodel = \"m\"\ninput_usd_per_mtok = 1", 1, "`output_usd_per_mtok` in [[prices]] is missing"),
        ("[[prices]]\nmodel = \"m\"\nprovider = \"one\"", 3, "not known: `one`"),
        ("[server]\nport = -1", 2, "must be from 0 to 65535, not -1"),
        ("[server]\nport = 99999999999999999999", 2, "must be from 0 to 65535"),
        ("[server]\nbind = \"a:80\"", 2, "without a port"),
        ("[server]\nbind = \"0.0.0.0\"", 2, "there are no [auth] tokens"),
        ("[server]\nbind = \"::\"", 2, "there are no [auth] tokens"),
        (
            "[server]\nstrategy = \"priorty\"",
            2,
            "did you mean `priority`? (known are priority, round_robin, lowest_latency, direct)",
        ),
        ("[server]\nmax_body_bytes = 0", 2, "must be at least 1"),
        ("[server]\nmax_body_bytes = 9\nmax_buffered_bytes = 8", 3, "leaves no room"),
        ("[server]\nallowed_hosts = [\n\"ok\",\n\"http://x\"]", 4, "without scheme and port"),
        ("[server]\nallowed_hosts = [\"x:80\"]", 2, "without scheme and port"),
        ("[server]\ncors_origins = [\"https://x/\"]", 2, "without a path"),
        ("[server]\ncors_origins = [\"app.example\"]", 2, "scheme, host and port"),
        ("[server]\ncors_origins = [\"*\", \"https://x\"]", 2, "leave out the others"),
        ("[[routes]]\nidle_secs = 3", 1, "`model` in [[routes]] is missing"),
        ("[[routes]]\nmodel = \"a*b\"", 2, "one `*`, at its end"),
        ("[[routes]]\nmodel = \"a\"\n[[routes]]\nmodel = \"a\"", 4, "two routes are for `a`"),
        ("[[routes]]\nmodel = \"a\"\nidle_secs = 0", 3, "must be from 1 to"),
        ("[[providers]]\ntype = \"vllm\"\ntotal_secs = 0", 3, "must be from 1 to"),
        (
            "[server]\npass_request_headers = [\n\"ok\",\n\"Cookie\"]",
            4,
            "`cookie` is never passed on, because it holds a secret",
        ),
        ("[server]\npass_request_headers = [\"host\"]", 2, "speaks of another connection"),
        ("[server]\npass_request_headers = [\"x-forwarded-for\"]", 2, "speaks of another connection"),
        ("[server]\npass_response_headers = [\"X-RateLimit-Limit\"]", 2, "is written by hoosh itself"),
        ("[server]\npass_response_headers = [\"x-ratelimit-*\"]", 2, "there are no patterns"),
        ("[server]\npass_response_headers = [\"set-cookie\"]", 2, "holds a secret"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { authorization = \"$KEY\" }", 3, "is written from `api_key`"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { x-a = \"a\\nb\" }", 3, "one line of visible ASCII"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { x-a = 1 }", 3, "must be a string"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { content-length = \"1\" }", 3, "speaks of another connection"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = [\"x\"]", 3, "must be a table, not an array"),
        ("server = 3", 1, "is a table; write it as [server]"),
        ("[[server]]\nport = 1", 1, "is one table; write it as [server]"),
        ("[providers]\ntype = \"openai\"", 1, "write each as [[providers]]"),
        ("providers = [1]", 1, "write each as [[providers]]"),
        ("[[providers]]\nname = \"x\"", 1, "`type` in [[providers]] is missing; it is one of ollama"),
        ("[[providers]]\ntype = \"opnai\"", 2, "did you mean `openai`? (known are ollama,"),
        ("[[providers]]\ntype = \"openai\"\nname = \"a/b\"", 3, "1 to 64 of the letters"),
        (&format!("[[providers]]\ntype = \"openai\"\nname = \"{long}\""), 3, "1 to 64 of the letters"),
        (
            "[[providers]]\ntype = \"vllm\"\n\n[[providers]]\ntype = \"vllm\"",
            4,
            "the provider on line 1 is called `vllm` too",
        ),
        ("[[providers]]\ntype = \"vllm\"\npriority = 1.5", 3, "must be an integer, not a float"),
        ("[[providers]]\ntype = \"vllm\"\npriority = 1000001", 3, "must be from -1000000 to 1000000"),
        ("[[providers]]\ntype = \"vllm\"\nmax_concurrency = 0", 3, "must be from 1 to"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = \"x\"", 3, "must be an array, not a string"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\n\"ok\",\n3]", 5, "must be an array of strings, not an integer"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\"a*********b\"]", 3, "a model pattern may have 8 `*`"),
        ("[[aliases]]\nmodels = [\"m\"]", 1, "`name` in [[aliases]] is missing"),
        ("[[aliases]]\nname = \"a*b\"\nmodels = [\"m\"]", 2, "may have one `*`, at its end"),
        ("[[aliases]]\nname = \"a\"\nmodels = [\"m*\"]", 3, "is a name, without `*`"),
        ("[[aliases]]\nname = \"a\"\nmodels = []", 3, "is empty or missing"),
        ("[[aliases]]\nname = \"a\"\nmodels = [\"m\"]\n[[aliases]]\nname = \"a\"\nmodels = [\"n\"]", 5, "is taken"),
        (
            "[[aliases]]\nname = \"a\"\nmodels = [\"b\"]\n[[aliases]]\nname = \"b\"\nmodels = [\"x\", \"c\"]\n\
             [[aliases]]\nname = \"c\"\nmodels = [\"a\"]",
            3,
            "leads in a circle: a → b → c → a",
        ),
        (
            "[[aliases]]\nname = \"to\"\nmodels = [\"b\"]\n[[aliases]]\nname = \"a\"\nmodels = [\"b\"]\n\
             [[aliases]]\nname = \"b\"\nmodels = [\"x\", \"b\", \"a\"]",
            6,
            "leads in a circle: a → b → a",
        ),
        ("[[models]]\ntools = false", 1, "`name` in [[models]] is missing"),
        ("[[models]]\nname = \"m\"\nprovider = \"vlm\"\n[[providers]]\ntype = \"vllm\"", 3, "did you mean `vllm`?"),
        ("[[models]]\nname = \"m\"\ntools = 0", 3, "must be a boolean"),
        ("[[models]]\nname = \"m\"\ncontext_tokens = 0", 3, "must be at least 1"),
        ("[[models]]\nname = \"m\"\n[[models]]\nname = \"m\"", 4, "two tables describe `m`"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\"\"]", 3, "must not be empty"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\"a b\"]", 3, "must not contain spaces"),
        ("[[providers]]\ntype = \"openai_compatible\"", 1, "`base_url` in [[providers]] is missing"),
        ("[[providers]]\ntype = \"engine\"\nbase_url = \"http://x\"", 3, "remove it"),
        ("[[providers]]\ntype = \"engine\"\napi_key = \"$KEY\"", 3, "remove it"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$NONE\"", 3, "environment variable `NONE` is not set or empty"),
        (
            "[[providers]]\ntype = \"openai\"\napi_key = \"${EMPTY}\"",
            3,
            "environment variable `EMPTY` is not set or empty",
        ),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$s3cr3t-value\"", 3, "begin with `$$` for a dollar sign"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$\"", 3, "begin with `$$` for a dollar sign"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$SPACED\"", 3, "visible ASCII"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"\"", 3, "visible ASCII"),
        ("[auth]\ntokens = \"a\"", 2, "must be an array, not a string"),
        ("[auth]\ntokens = [1]", 2, "array of strings or tables, not an integer"),
        ("[auth]\ntokens = [\"\"]", 2, "visible ASCII"),
        ("[auth]\ntokens = [{ name = \"x\" }]", 2, "`token` in [[auth.tokens]] is missing"),
        ("[auth]\ntokens = [\"$NONE\"]", 2, "environment variable `NONE`"),
        ("[auth]\ntokens = [\n\"s3cr3t-value\",\n\"$KEY\"]", 4, "tokens `key-1` and `key-2` are the same"),
        ("[auth]\ntokens = [{ token = \"a\", name = \"key-2\" },\n\"b\"]", 3, "two tokens are called `key-2`"),
        (
            "[[auth.tokens]]\ntoken = \"a\"\nbudget = \"tem\"\n[[budgets]]\nname = \"team\"\ncapacity = 5",
            3,
            "did you mean `team`?",
        ),
        ("[[auth.tokens]]\ntoken = \"a\"\nbudget = \"team\"", 3, "`team` (there is none); add it under [[budgets]]"),
        ("[[budgets]]\ncapacity = 5", 1, "give the budget a name"),
        ("[[budgets]]\nname = \"a\"", 1, "`capacity` in [[budgets]] is missing"),
        ("[[budgets]]\nname = \"a\"\ncapacity = 0", 3, "must be at least 1"),
        ("[[budgets]]\nname = \"a\"\ncapacity = 5\nslice = 6", 4, "must be from 1 to 5, not 6"),
        (
            "[[budgets]]\nname = \"a\"\ncapacity = 5\n[[budgets]]\nname = \"a\"\ncapacity = 5",
            5,
            "two budgets are called `a`",
        ),
        ("[cache]\nenabled = 1", 2, "must be a boolean, not an integer"),
        ("[cache]\nmode = \"often\"", 2, "(known are deterministic, always)"),
        ("[cache]\nttl_secs = 0", 2, "must be from 1 to 31536000"),
        ("[retry]\nmax_attempts = 0", 2, "must be from 1 to 100"),
        ("[retry]\nbudget_percent = 101", 2, "must be from 0 to 100"),
        ("[retry]\nbase_delay_ms = 9000", 2, "must not be larger than `max_delay_ms`"),
        ("[limits]\nreserve_output = 0", 2, "must be at least 1"),
        ("[deadlines]\nidle_secs = 0", 2, "must be from 1 to"),
        ("[server]\nport = 1\nport = 2", 3, "not valid TOML"),
        ("[server]\nbind = \"s3cr3t-value", 2, "not valid TOML"),
        ("[server]\nport = s3cr3t-value", 2, "not valid TOML"),
        ("# ok\n[server", 2, "not valid TOML"),
    ] {
        let error = bad(text);
        assert_eq!(
            (error.line, error.message.contains(words)),
            (Some(line), true),
            "{error}\n--- wanted: {words}\n{text}"
        );
    }
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
fn an_alias_may_be_reached_on_two_ways() {
    let alias = |name: &str, models: &str| format!("[[aliases]]\nname = \"{name}\"\nmodels = [{models}]\n");
    let config = good(
        &[alias("a", r#""b", "c""#), alias("b", r#""d""#), alias("c", r#""d", "b""#), alias("d", r#""m""#)].concat(),
    );
    assert_eq!(config.aliases.len(), 4);
}

#[test]
fn of_very_many_known_names_an_error_tells_some() {
    let budget = |n: usize| format!("[[budgets]]\nname = \"b{n}\"\ncapacity = 1\n");
    let text: String = (0..60).map(budget).collect();
    let error = bad(&format!("{text}[auth]\ntokens = [{{ token = \"t\", budget = \"other\" }}]"));
    assert!(error.message.contains("(known are b0, b1, "), "{error}");
    assert!(error.message.contains(", b49 and 10 more)"), "{error}");
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

#[test]
fn values_come_from_the_environment() {
    let text = "[server]\nbind = \"[::1]\"\n[auth]\ntokens = [\"$KEY\", \"${PADDED}\", \"$$KEY\", \"plain\"]";
    let config = good(text);
    let tokens: Vec<_> = config.auth.tokens.iter().map(|t| (t.token.expose(), t.name.as_str())).collect();
    assert_eq!(tokens, [(SECRET, "key-1"), ("padded", "key-2"), ("$KEY", "key-3"), ("plain", "key-4")]);
    assert_eq!(config.server.bind, "::1");
}

#[test]
fn the_types_key_goes_to_the_types_own_address_only() {
    let own = good("[[providers]]\ntype = \"openai\"");
    assert_eq!(own.providers[0].credentials.first().map(|c| c.secret.expose()), Some("sk-from-environment"));
    assert!(own.warnings.is_empty(), "{:?}", own.warnings);

    let elsewhere = good("[[providers]]\ntype = \"openai\"\nbase_url = \"http://localhost:9999\"");
    assert_eq!(elsewhere.providers[0].credentials, []);
    assert!(elsewhere.warnings[0].contains("write api_key = \"$OPENAI_API_KEY\""), "{:?}", elsewhere.warnings);

    let without = parse("[[providers]]\ntype = \"groq\"", &nothing).unwrap();
    assert!(without.warnings[0].contains("GROQ_API_KEY"), "{:?}", without.warnings);

    let clear = good("[[providers]]\ntype = \"vllm\"\nbase_url = \"http://10.0.0.1\"\napi_key = \"$KEY\"");
    assert!(clear.warnings[0].contains("unencrypted"), "{:?}", clear.warnings);
    assert!(good("[[providers]]\ntype = \"vllm\"\napi_key = \"$KEY\"").warnings.is_empty());
}

#[test]
fn several_credentials_are_checked_one_by_one() {
    let with = |keys: &str| format!("[[providers]]\ntype = \"openai\"\n{keys}");
    let config = good(&with("api_keys = [\"$KEY\", \"$$b\"]"));
    let secrets: Vec<_> = config.providers[0].credentials.iter().map(|c| c.secret.expose()).collect();
    assert_eq!(secrets, [SECRET, "$b"]);
    let text = config.describe();
    assert!(text.contains("api_keys = [\"***\", \"***\"]") && !text.contains(SECRET), "{text}");
    for (keys, words) in [
        ("api_key = \"a\"\napi_keys = [\"b\"]", "stands beside `api_key`"),
        ("api_keys = []", "is empty"),
        ("api_keys = [\"a\", \"b\", \"a\"]", "number 1 of `api_keys` already"),
        ("api_keys = [\"a b\"]", "one line of visible ASCII"),
        ("api_keys = [\"$NOT_SET\"]", "`NOT_SET` is not set"),
        ("api_keys = [7]", "must be a string, or a table"),
    ] {
        let error = parse(&with(keys), &environment).unwrap_err();
        assert!(error.message.contains(words) && error.line >= Some(3), "{keys}: {error}");
    }
    let many: Vec<String> = (0..65).map(|at| format!("\"k{at}\"")).collect();
    let error = parse(&with(&format!("api_keys = [{}]", many.join(","))), &environment).unwrap_err();
    assert!(error.message.contains("64 are the most"), "{error}");
}

#[test]
fn a_full_file() {
    let config = good(
        "[server]\nbind = \"0.0.0.0\"\nport = 0\nstrategy = \"Lowest-Latency\"\n\
         [[providers]]\ntype = \"openai\"\nname = \"main\"\npriority = -3\nmodels = [\"gpt-*\", \"m\"]\nrate_limit_rpm = 5\n\
         [[providers]]\ntype = \"engine\"\nname = \"mine\"\n\
         [auth]\ntokens = [{ token = \"t\", name = \"n\", models = [\"mine/*\"], budget = \"b\", max_concurrency = 2 }]\n\
         [[budgets]]\nname = \"b\"\ncapacity = 1_000_000\n[[budgets]]\nname = \"small\"\ncapacity = 100\n\
         [cache]\nenabled = true\nmode = \"always\"\n[deadlines]\nidle_secs = 7",
    );
    assert_eq!((config.server.port, config.server.strategy), (0, Choice::LowestLatency));
    let main = &config.providers[0];
    assert_eq!((main.name.as_str(), main.priority, main.rate_limit_rpm), ("main", -3, Some(5)));
    assert_eq!((main.manners.cap_field, main.found), (CapField::MaxCompletionTokens, false));
    assert_eq!((config.providers[1].kind, &config.providers[1].base_url), (ProviderKind::Engine, &None));
    assert_eq!(config.providers[1].priority, 10);
    let token = &config.auth.tokens[0];
    assert_eq!((token.budget.as_deref(), token.max_concurrency, token.rate_limit_rpm), (Some("b"), Some(2), None));
    assert_eq!((config.budgets[0].slice, config.budgets[1].slice), (62_500, 25));
    assert_eq!((config.cache.enabled, config.cache.mode), (true, CacheMode::Always));
    assert_eq!((config.deadlines.idle_secs, config.deadlines.connect_secs), (7, 5));
}

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

#[test]
fn prices_are_read_exactly() {
    let price = |text: &str| format!("[[prices]]\nmodel = \"m\"\noutput_usd_per_mtok = 0\ninput_usd_per_mtok = {text}");
    for (text, micro) in [
        ("0", 0),
        ("3", 3_000_000),
        ("0.15", 150_000),
        ("0.1", 100_000),
        ("\"0.000001\"", 1),
        ("12.500000", 12_500_000),
        ("\"2.50000000\"", 2_500_000),
        ("1_000", 1_000_000_000),
        ("1000000", 1_000_000_000_000),
    ] {
        assert_eq!(good(&price(text)).prices[0].rates.input, micro, "{text}");
    }
    for text in [
        "0.0000001",
        "-1",
        "1e3",
        "inf",
        "\"1.\"",
        "\".5\"",
        "\"\"",
        "\"1,5\"",
        "\"+1\"",
        "1000001",
        "\"99999999999999999999\"",
    ] {
        let error = bad(&price(text));
        assert_eq!(error.line, Some(4), "{text}");
        assert!(error.message.contains("must be a decimal number of USD from 0 to 1000000"), "{error}");
    }
    assert!(bad(&price("true")).message.contains("must be a decimal number, not a boolean"));
    let twice = format!("{}\n{}", price("1"), price("2"));
    assert!(bad(&twice).message.contains("has two prices"));
    let config = good(&price("\"0.000001\""));
    assert_eq!(good(&config.describe()).prices, config.prices);
}

#[test]
fn without_a_file_local_servers_come_before_services() {
    let config = Config::found(&environment);
    let names: Vec<_> = config.providers.iter().map(|p| (p.name.as_str(), p.priority)).collect();
    let servers = [("ollama", 10), ("llamacpp", 10), ("lmstudio", 10), ("vllm", 10), ("sglang", 10)];
    assert_eq!(names, [&servers[..], &[("openai", 20), ("local", 0)]].concat());
    assert!(config.providers.iter().all(|p| p.found && p.base_url.is_some() == (p.kind == ProviderKind::Http)));
    assert!(config.providers[5].credentials.len() == 1);
    assert_eq!(Config::found(&nothing).providers.len(), 6);
    let demonstration = &config.providers[6];
    assert_eq!((&*demonstration.type_name, &*demonstration.models), ("candle", &["hoosh-tiny".to_owned()][..]));
    assert_eq!(
        (demonstration.engine.target(), demonstration.engine.options()),
        ("native:candle".into(), "{\"files\":{}}")
    );
}

#[test]
fn the_catalogue_is_consistent() {
    let read = catalogue::Catalogue::read_built_in().unwrap();
    for model in &read.models {
        let (of, name) = (&model.provider, &model.name);
        let price = model.price.unwrap_or_else(|| panic!("{name} of {of} has no price"));
        let rates = price.rates;
        assert!(rates.input > 0 && rates.cached_input.is_none_or(|cached| cached <= rates.input), "{name} of {of}");
        if let Some(long) = price.long_prompts {
            assert!(long.rates.input > rates.input && long.rates.output >= rates.output, "{name} of {of}");
            assert_eq!(long.rates.cache_write.is_some(), rates.cache_write.is_some(), "{name} of {of}");
        }
        assert!(model.as_of.is_some() && model.source.as_ref().is_some_and(|page| page.starts_with("https://")));
        assert!(model.capabilities.contains(&"chat") != model.capabilities.contains(&"embeddings"), "{name} of {of}");
        assert!(model.context_tokens.is_none_or(|tokens| tokens >= 256), "{name} of {of}");
    }
    for kind in read.types.iter().filter(|kind| !kind.local && kind.name != "openai_compatible") {
        assert!(kind.source.is_some() && kind.key_variable.is_some(), "{}", kind.name);
    }
    for kind in catalogue::types() {
        assert_eq!(catalogue::find(&kind.name.to_uppercase()), Some(kind));
        for alias in &kind.aliases {
            assert_eq!(catalogue::find(alias), Some(kind), "{alias}");
        }
        if let Some(origin) = &kind.origin {
            assert_eq!(url(&format!("type = \"{}\"", kind.name)), format!("{origin}{}", kind.prefix));
            assert_eq!(kind.local, kind.key_variable.is_none(), "{}", kind.name);
        }
    }
}

#[test]
fn aliases_and_what_models_cannot_do() {
    let config = good(
        "[[providers]]\ntype = \"vllm\"\nmodels = [\"m\", \"*-mini\", \"a*b*c\"]\n\
         [[aliases]]\nname = \"m\"\nmodels = [\"m\", \"vllm/x-mini\"]\n\
         [[aliases]]\nname = \"fast*\"\nmodels = [\"m\", \"lost\"]\n\
         [[models]]\nname = \"*-mini\"\nprovider = \"vllm\"\ntools = false\nimages = true\ncontext_tokens = 8_192",
    );
    assert_eq!(config.warnings, ["alias `fast*`: no provider serves `lost`; check its name"]);
    let mini = &config.models[0];
    assert_eq!((mini.tools, mini.images, mini.audio), (Some(false), Some(true), None));
    assert_eq!((mini.context_tokens, mini.max_output_tokens), (Some(8_192), None));
    let described = good(&config.describe());
    assert_eq!((&described.aliases, &described.models), (&config.aliases, &config.models));
}

#[test]
fn a_description_hides_secrets_and_parses_again() {
    let text = format!(
        "[server]\nstrategy = \"direct\"\n[[providers]]\ntype = \"openai\"\napi_key = \"$KEY\"\nmodels = [\"q\\\"uo*\"]\n\
         [[providers]]\ntype = \"engine\"\n[auth]\ntokens = [{{ token = \"{SECRET}\", budget = \"b\", rate_limit_rpm = 3 }}]\n\
         [[budgets]]\nname = \"b\"\ncapacity = 77\n[limits]\nmax_concurrency = 4"
    );
    let config = good(&text);
    let described = config.describe();
    assert!(!described.contains(SECRET) && described.contains("api_key = \"***\""), "{described}");
    assert_eq!(good(&described).describe(), described);
    for shown in [format!("{config:?}"), Config::found(&environment).describe()] {
        assert!(!shown.contains(SECRET) && !shown.contains("sk-from-environment"), "{shown}");
    }
    let warned = good("").describe();
    assert!(warned.starts_with("# warning: no [[providers]]"), "{warned}");
}

const EXAMPLE: &str = include_str!("../../../hoosh.example.toml");
const DOCUMENT: &str = include_str!("../../../docs/config.md");

/// The example with its commented keys switched on. A comment that is a key has ` = ` after its first word.
fn uncommented() -> String {
    let is_key =
        |rest: &str| rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    EXAMPLE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line).to_owned() + "\n")
        .collect()
}

#[test]
fn the_example_is_the_defaults_and_has_every_key() {
    let config = good(EXAMPLE);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let parts = |c: Config| (c.server, c.auth, c.cache, c.idempotency, c.retry, c.limits, c.deadlines, c.log);
    assert_eq!(parts(config.clone()), parts(Config::default()));
    assert_eq!(config.budgets[0].slice, good("[[budgets]]\nname = \"x\"\ncapacity = 10000000").budgets[0].slice);
    assert_eq!(config.providers[0], good("[[providers]]\ntype = \"ollama\"").providers[0]);

    let example = uncommented();
    for section in schema::SECTIONS {
        let body =
            example.split_once(&format!("\n{}\n", section.header)).unwrap_or_else(|| panic!("{}", section.header)).1;
        let within = format!("[{}.", section.header.trim_matches(['[', ']']));
        let belongs = |l: &&str| !l.starts_with('[') || *l == section.header || l.starts_with(&within);
        let body: Vec<&str> = body.lines().take_while(belongs).collect();
        for key in section.keys.iter().filter(|key| key.kind != schema::Kind::Section) {
            assert!(
                body.iter().any(|l| l.starts_with(&format!("{} = ", key.name))),
                "{} of {} is missing",
                key.name,
                section.header
            );
        }
    }
}

/// An environment with a catalogue's file.
struct Filed(&'static str);

impl Environment for Filed {
    fn get(&self, name: &str) -> Option<String> {
        environment(name)
    }

    fn catalogue(&self, path: &str) -> Result<String, String> {
        let text = Some(self.0.to_owned()).filter(|_| path == "more.toml");
        text.ok_or_else(|| format!("the file {path} cannot be read"))
    }
}

#[test]
fn a_catalogue_in_a_file_is_as_if_it_stood_in_the_configuration() {
    const FILE: &str = "[[catalogue.providers]]\nname = \"acme\"\norigin = \"https://a.example\"\n\
        [[catalogue.models]]\nprovider = \"own\"\nname = \"m\"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n";
    let text = "[catalogue]\nprices = false\nfile = \"more.toml\"\n[[catalogue.providers]]\nname = \"own\"\norigin = \"https://o.example\"\n\
        [[catalogue.models]]\nprovider = \"acme\"\nname = \"n\"\n[[providers]]\ntype = \"acme\"\n";
    let config = parse(text, &Filed(FILE)).unwrap();
    let names = |config: &Config| config.catalogue.types.iter().map(|kind| kind.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&config), ["own", "acme"]);
    assert_eq!(config.providers[0].base_url.as_ref().unwrap().origin.host, "a.example");
    let models: Vec<_> = config.catalogue.models.iter().map(|model| (&*model.provider, &*model.name)).collect();
    assert_eq!(models, [("acme", "n"), ("own", "m")], "models of either place are at types of the other");
    let described = config.describe();
    assert!(described.contains("# file: \"more.toml\"; what it says stands below\n"), "{described}");
    assert_eq!(parse(&described, &environment).unwrap().catalogue.models, config.catalogue.models);
}

#[test]
fn mistakes_in_a_catalogues_file_are_told_with_its_line() {
    let text = "[catalogue]\nfile = \"more.toml\"\n[[catalogue.providers]]\nname = \"own\"\n";
    for (file, words) in [
        (
            "[[catalogue.providers]]\nname = \"a\"\norign = 1",
            "more.toml, line 3: unknown key `orign` in [[catalogue.providers]]; did you mean `origin`?",
        ),
        ("[[catalogue.providers]]\n\nname = \"own\"", "more.toml, line 3: `name` in [[catalogue.providers]] is taken"),
        (
            "[[catalogue.models]]\nprovider = \"opnai\"\nname = \"m\"",
            "more.toml, line 2: `provider` in [[catalogue.models]] is not known: `opnai`; did you mean `openai`?",
        ),
        ("[[catalogue.models", "more.toml, line 1: not valid TOML"),
        (
            "[[providers]]\nname = \"a\"",
            "more.toml, line 1: `providers` is written as in hoosh.toml: `[[catalogue.providers]]`",
        ),
        ("[server]\nport = 1", "more.toml, line 1: unknown key `server` in a catalogue's file"),
        ("[catalogue]\nprices = true", "more.toml, line 2: unknown key `prices`"),
        ("", "more.toml, line 1: says nothing"),
    ] {
        let error = parse(text, &Filed(file)).unwrap_err();
        assert!(error.message.starts_with(words), "{error}");
        assert_eq!(error.line, Some(2), "{error}");
    }
    let error = parse(&text.replace("more", "less"), &Filed("")).unwrap_err();
    assert_eq!(error.to_string(), "line 2: `file` in [catalogue] cannot be had: the file less.toml cannot be read");
    assert!(bad(text).message.contains("`file` in [catalogue] cannot be had: files are not read here"));
    assert!(parse(&text.replace("more.toml", ""), &Filed(""))
        .unwrap_err()
        .message
        .contains("must be the path of a file"));
}

/// Where hoosh is installed with the keys that the example takes.
struct Installed;

impl Environment for Installed {
    fn get(&self, name: &str) -> Option<String> {
        let given = name.ends_with("_TOKEN") || name.ends_with("_2");
        environment(name).or_else(|| given.then(|| "t".into()))
    }

    fn pem(&self, path: &str) -> Result<String, String> {
        Ok(format!("text of {path}"))
    }

    fn catalogue(&self, _: &str) -> Result<String, String> {
        Ok("[catalogue]".into())
    }

    fn keeps(&self, _: &TlsTerms) -> Result<(), String> {
        Ok(())
    }

    /// What hoosh's own package offers (pyproject.toml, `hoosh.providers`).
    fn engine_types(&self) -> Vec<String> {
        vec!["llama-cpp-python".into()]
    }
}

#[test]
fn the_examples_commented_keys_are_valid() {
    // `tokens` and credentials are shown in both of their forms, of which a file has one.
    let text =
        uncommented().replace("tokens = [\"$HOOSH_TOKEN\"]\n", "").replace("api_key = \"$OPENAI_API_KEY\"\n", "");
    let config = parse(&text, &Installed).unwrap();
    assert_eq!(config.auth.tokens[0].budget.as_deref(), Some("default"));
    assert_eq!(config.limits.max_concurrency, Some(1_000));
    assert_eq!(config.providers[1].credentials.len(), 2);
    let short = EXAMPLE.replace("# tokens = ", "tokens = ");
    assert_eq!(parse(&short, &Installed).unwrap().auth.tokens.len(), 1);
}

#[test]
fn the_document_has_every_key_and_type() {
    for section in schema::SECTIONS {
        let body = DOCUMENT
            .split_once(&format!("\n## `{}`\n", section.header))
            .unwrap_or_else(|| panic!("{}", section.header))
            .1;
        let body = body.split("\n## ").next().unwrap();
        for key in section.keys {
            assert!(body.contains(&format!("\n| `{}` |", key.name)), "{} of {}", key.name, section.header);
        }
    }
}

const ACME: &str = r#"
[[catalogue.providers]]
name = "acme"
aliases = ["acme-ai"]
origin = "https://api.acme.example"
prefix = "/x/v1"
key_variable = "KEY"
auth = "api-key"
services = ["rerank"]
quirks = ["no_top_k", "four_stops"]
"#;

#[test]
fn an_operator_adds_types_and_describes_known_ones_anew() {
    let config = good(&format!("{ACME}[[providers]]\ntype = \"Acme_AI\""));
    let provider = &config.providers[0];
    assert_eq!(provider.base_url.as_ref().unwrap().to_string(), "https://api.acme.example/x/v1");
    assert_eq!((provider.name.as_str(), provider.type_name.as_str()), ("acme", "acme"));
    assert_eq!(provider.credentials[0].secret.expose(), SECRET, "its key, for its own address");
    assert_eq!((provider.manners.sampling, provider.manners.stops), (false, Some(4)));
    assert_eq!(good(&config.describe()).catalogue, config.catalogue);
    let known = ACME.replace("acme", "groq").replace("groq-ai", "g");
    let config = good(&format!("{known}[[providers]]\ntype = \"groq\""));
    assert_eq!(config.providers[0].base_url.as_ref().unwrap().origin.host, "api.groq.example");
    assert_eq!(config.catalogue.all().filter(|kind| kind.name == "groq").count(), 1);
}

#[test]
fn mistakes_in_a_catalogue_are_told_with_a_hint() {
    for (from, to, line, words) in [
        ("name = \"acme\"\n", "", 2, "`name` in [[catalogue.providers]] is missing"),
        ("\"acme\"", "\"candle\"", 3, "is taken: `candle` is computed in this process"),
        ("origin =", "orign =", 5, "unknown key `orign` in [[catalogue.providers]]; did you mean `origin`?"),
        ("api.acme.example\"", "api.acme.example/v1\"", 5, "the path goes into `prefix`"),
        ("https://api", "api", 5, "must begin with `http://` or `https://`"),
        ("/x/v1", "x/v1", 6, "must begin with `/` and not end with it"),
        ("/x/v1", "/x v1", 6, "percent-encoded"),
        ("\"KEY\"", "\"$KEY\"", 7, "without `$`, never the key"),
        ("\"api-key\"", "\"basic\"", 8, "known are bearer, api_key"),
        ("\"rerank\"", "\"rerunk\"", 9, "the service is not known: `rerunk`; did you mean `rerank`?"),
        ("\"four_stops\"", "\"five_stops\"", 10, "the quirk is not known: `five_stops`; did you mean `four_stops`?"),
        ("quirks =", "found = true\nquirks =", 10, "is for what is `local` and has an `origin`"),
    ] {
        let error = bad(&ACME.replacen(from, to, 1));
        assert!(error.message.contains(words), "{error}");
        assert_eq!(error.line, Some(line), "{error}");
    }
    let error = bad(&format!("{ACME}{}", ACME.replace("\"acme\"", "\"Acme_AI\"").replace("acme-ai", "other")));
    assert!(error.message.contains("is taken: two types are called `Acme_AI`"), "{error}");
    let models = "[[catalogue.models]]\nprovider = \"openai\"\nname = \"m\"\ninput_usd_per_mtok = 1\n\
        output_usd_per_mtok = 2\nmodalities = [\"text\"]\ncapabilities = [\"chat\"]\nas_of = \"2026-11-27\"\n";
    let known = good(models).catalogue;
    assert_eq!(
        known.models[0].price.map(|price| (price.rates.input, price.rates.output)),
        Some((1_000_000, 2_000_000))
    );
    assert_eq!(good(&good(models).describe()).catalogue, known);
    for (from, to, line, words) in [
        ("\"openai\"", "\"opnai\"", 2, "is not known: `opnai`; did you mean `openai`?"),
        ("provider = \"openai\"\n", "", 1, "`provider` in [[catalogue.models]] is missing"),
        ("name = \"m\"\n", "", 1, "`name` in [[catalogue.models]] is missing"),
        ("\"m\"", "\"m*m\"", 3, "one `*`, at its end"),
        ("output_usd", "max_output_tokens = 3 #", 1, "`output_usd_per_mtok` in [[catalogue.models]] is missing beside"),
        (
            "modalities",
            "long_prompts = { above_tokens = 9, output_usd_per_mtok = 1 }\nmodalities",
            6,
            "is missing beside",
        ),
        ("modalities", "long_prompts = { above_token = 9 }\nmodalities", 6, "did you mean `above_tokens`?"),
        (
            "modalities",
            "long_prompts = { input_usd_per_mtok = 1, output_usd_per_mtok = 1 }\nmodalities",
            6,
            "`above_tokens` in [catalogue.models.long_prompts] is missing",
        ),
        ("\"text\"", "\"txt\"", 6, "the modality is not known: `txt`; did you mean `text`?"),
        ("\"chat\"", "\"chatt\"", 7, "the capability is not known: `chatt`; did you mean `chat`?"),
        ("2026-11-27", "27.11.2026", 8, "must be a day, such as `2026-11-27`"),
        ("modalities", "modality", 6, "did you mean `modalities`?"),
    ] {
        let error = bad(&models.replacen(from, to, 1));
        assert!(error.message.contains(words), "{error}");
        assert_eq!(error.line, Some(line), "{error}");
    }
    assert!(bad(&models.repeat(2)).message.contains("two tables describe `m`"));
    let error = bad("[[providers]]\ntype = \"sglangg\"");
    assert!(error.message.contains("did you mean `sglang`?"), "{error}");
}

/// TOML-like text out of the words that mean something.
fn soup() -> impl Strategy<Value = String> {
    let words: Vec<String> = schema::SECTIONS
        .iter()
        .flat_map(|s| s.keys.iter().map(|k| format!("{} = ", k.name)).chain([format!("\n{}\n", s.header)]))
        .chain(
            [
                "\n",
                "\"",
                "[",
                "]",
                "{",
                "}",
                ",",
                "$KEY",
                "\"$KEY\"",
                "\"x\"",
                "1",
                "-1",
                "true",
                "\"openai\"",
                "#",
                "é",
                ".",
            ]
            .map(String::from),
        )
        .collect();
    prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn never_panics_and_never_tells_a_secret(text in soup()) {
        match parse(&text, &environment) {
            Ok(config) => prop_assert!(!config.describe().contains(SECRET)),
            Err(error) => prop_assert!(error.line.is_some() && !error.to_string().contains(SECRET), "{}", error),
        }
    }

    #[test]
    fn what_is_described_parses_again(port in 0u16.., priority in -1_000_000i64..=1_000_000, capacity in 1u64..=i64::MAX as u64, models in prop::collection::vec("[^*\\s\\p{C}]{1,5}", 0..3)) {
        let mut config = good("[[providers]]\ntype = \"ollama\"\n[[budgets]]\nname = \"b\"\ncapacity = 1");
        config.server.port = port;
        config.providers[0].priority = priority;
        config.providers[0].models = models;
        config.budgets[0].capacity = capacity;
        prop_assert_eq!(good(&config.describe()), config);
    }
}

/// An environment with files and commands.
struct Outside;

impl hoosh_core::config::Environment for Outside {
    fn get(&self, name: &str) -> Option<String> {
        environment(name)
    }

    fn read(&self, source: &CredentialSource) -> Result<String, String> {
        match source {
            CredentialSource::File(path) if path == "/run/key" => Ok(format!("{SECRET}\n")),
            CredentialSource::Command(words) if words.concat() == "opread" => Ok(format!(" {SECRET} ")),
            CredentialSource::File(_) => Ok("two words".into()),
            CredentialSource::Command(_) => Err("it did not end".into()),
        }
    }
}

#[test]
fn a_credential_may_be_in_a_file_or_come_of_a_command() {
    let with = |key: &str| parse(&format!("[[providers]]\ntype = \"openai\"\napi_key = {key}"), &Outside);
    for key in ["{ file = \"/run/key\" }", "{ command = [\"op\", \"read\"] }"] {
        let config = with(key).unwrap();
        assert_eq!(config.providers[0].credentials.first().map(|key| key.secret.expose()), Some(SECRET), "{key}");
        assert!(config.describe().contains("api_key = \"***\""));
    }
    for (key, words) in [
        ("{ file = \"/other\" }", "visible ASCII"),
        ("{ command = [\"x\"] }", "`api_key` in [[providers]] cannot be had: it did not end"),
        ("{}", "has one of `file`"),
        ("{ file = \"/run/key\", command = [\"x\"] }", "has one of `file`"),
        ("{ file = \"\" }", "has one of `file`"),
        ("{ command = [\"\"] }", "has one of `file`"),
        ("{ command = \"op read\" }", "must be an array"),
        ("{ fil = \"/run/key\" }", "did you mean `file`?"),
        ("{ refresh_secs = 60 }", "has one of `file`"),
        ("{ file = \"/run/key\", refresh_secs = 0 }", "must be from 1 to 31536000, not 0"),
        ("{ file = \"/run/key\", refresh_secs = \"60\" }", "`refresh_secs` in a credential must be an integer"),
        ("{ file = \"/run/key\", refresh = 60 }", "did you mean `refresh_secs`?"),
        ("3", "must be a string, or a table with `file` or `command`, not an integer"),
    ] {
        let error = with(key).expect_err(key);
        assert!(error.message.contains(words) && error.line == Some(3), "{key}: {error}");
        assert!(!error.message.contains(SECRET) && !error.message.contains("two words"));
    }
    assert!(bad("[[providers]]\ntype = \"openai\"\napi_key = { file = \"/run/key\" }")
        .message
        .contains("not read here"));
}

#[test]
fn a_credential_knows_where_and_when_it_is_read_again() {
    let with = |keys: &str| parse(&format!("[[providers]]\ntype = \"openai\"\n{keys}"), &Outside);
    let config = with("api_keys = [{ file = \"/run/key\", refresh_secs = 60 }, \"plain\"]").unwrap();
    let renewals: Vec<_> =
        config.providers[0].credentials.iter().map(|credential| credential.renewal.clone()).collect();
    let source = CredentialSource::File("/run/key".into());
    assert_eq!(renewals, [Some(Renewal { source, refresh_secs: Some(60) }), None]);
    assert!(config.describe().contains("# key 1: of a file; refresh_secs = 60\n"));
    let config = with("api_key = { command = [\"op\", \"read\"] }").unwrap();
    assert!(config.describe().contains("# key 1: of a command, read again when it is refused\n"));
    assert!(!config.describe().contains("\"read\""), "its words may tell too much");
    // What belongs to a credential belongs nowhere else.
    let error = with("api_key = \"x\"\nrefresh_secs = 60").unwrap_err();
    assert!(error.message.contains("it belongs in a credential"), "{error}");
    // Two texts of one place would be one.
    let twice = with("api_keys = [{ file = \"/run/key\" }, { command = [\"op\", \"read\"] }]").unwrap_err();
    assert!(twice.message.contains("number 1 of `api_keys` already"), "{twice}");
}

#[test]
fn a_minute_that_one_chat_without_a_cap_uses_up_is_warned_of() {
    let provider = "[[providers]]\nname = \"one\"\ntype = \"vllm\"\n";
    for (text, whose) in [
        (format!("[limits]\nrate_limit_tpm = 4_096\n{provider}"), "[limits]"),
        (format!("[[auth.tokens]]\ntoken = \"a\"\nname = \"app\"\nrate_limit_tpm = 1_000\n{provider}"), "key `app`"),
        (format!("{provider}rate_limit_tpm = 1_000\n"), "provider `one`"),
    ] {
        let config = good(&text);
        let [warning] = &config.warnings[..] else { panic!("{text} {:?}", config.warnings) };
        assert!(warning.starts_with(whose), "{warning}");
        assert!(warning.contains("rate_limit_tpm") && warning.contains("lower `[limits] reserve_output`"), "{warning}");
    }
    for lines in ["rate_limit_tpm = 4_097", "rate_limit_tpm = 1_000\nreserve_output = 500"] {
        assert!(good(&format!("[limits]\n{lines}\n{provider}")).warnings.is_empty(), "{lines}");
    }
    let capped = "[[auth.tokens]]\ntoken = \"a\"\nrate_limit_tpm = 1_000\nmax_tokens_limit = 500\n";
    assert!(good(&format!("{capped}{provider}")).warnings.is_empty());
}

const PIN: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// Where files are, and terms of TLS are kept but for those of one pin too many.
struct Terms;

impl Environment for Terms {
    fn get(&self, name: &str) -> Option<String> {
        environment(name)
    }

    fn pem(&self, path: &str) -> Result<String, String> {
        match path {
            "/absent" => Err("the file /absent cannot be read: No such file or directory".into()),
            "http://host.example:9/x" => Ok("of a variable".into()),
            _ => Ok(format!("{SECRET} of {path}")),
        }
    }

    fn keeps(&self, terms: &TlsTerms) -> Result<(), String> {
        if terms.pins.len() > 1 {
            return Err("it is no certificate".into());
        }
        Ok(())
    }
}

fn with_tls(keys: &str) -> Result<Config, ConfigError> {
    parse(&format!("[[providers]]\ntype = \"openai\"\n[providers.tls]\n{keys}"), &Terms)
}

#[test]
fn a_providers_tls_has_terms_of_its_own() {
    let config = with_tls(&format!(
        "ca_file = \"/ca\"\nclient_cert_file = \"/me\"\nclient_key_file = \"/key\"\npins = [\"{PIN}\"]"
    ));
    let config = config.unwrap();
    let origin = &config.providers[0].base_url.as_ref().unwrap().origin;
    let terms = origin.terms.as_ref().unwrap();
    let ca = terms.ca.as_ref().unwrap();
    assert_eq!((ca.path.as_str(), ca.text.expose()), ("/ca", "s3cr3t-value of /ca"));
    let identity = terms.identity.as_ref().unwrap();
    assert_eq!(identity.certificate.text.expose(), "s3cr3t-value of /me");
    assert_eq!(identity.key.text.expose(), "s3cr3t-value of /key");
    assert_eq!(terms.pins, [Pin::read(PIN).unwrap()]);
    // The key of the type's own service is sent there, whatever the terms.
    assert_eq!(config.providers[0].credentials.len(), 1);
    let described = config.describe();
    assert!(!described.contains(SECRET) && !format!("{config:?}").contains(SECRET), "{described}");
    assert_eq!(parse(&described.replace("api_key = \"***\"\n", ""), &Terms).unwrap(), config);

    let config = with_tls("client_cert_file = \"/both\"").unwrap();
    let terms = config.providers[0].base_url.as_ref().unwrap().origin.terms.clone().unwrap();
    let identity = terms.identity.as_ref().unwrap();
    assert_eq!((&identity.certificate, &terms.ca), (&identity.key, &None));
    assert!(with_tls("ca_file = \"$URL\"").is_ok());
}

#[test]
fn terms_that_are_not_whole_are_mistakes() {
    for (keys, line, words) in [
        ("", 3, "`tls` in [[providers]] says nothing"),
        ("ca_file = \"/absent\"", 4, "`ca_file` in [providers.tls] cannot be had: the file /absent cannot be read"),
        ("client_cert_file = \"/absent\"", 4, "`client_cert_file` in [providers.tls] cannot be had"),
        ("client_cert_file = \"/me\"\nclient_key_file = \"/absent\"", 5, "`client_key_file`"),
        ("client_key_file = \"/key\"", 4, "needs `client_cert_file`"),
        ("ca_file = \"\"", 4, "must be the path of a file"),
        ("ca_file = \"$NONE\"", 4, "environment variable `NONE` is not set"),
        ("ca_file = 1", 4, "must be a string"),
        ("pins = \"x\"", 4, "must be an array"),
        ("pins = [\"x\"]", 4, "a pin is the SHA-256 of a public key in base64"),
        (&format!("pins = [{}]", format!("\"{PIN}\", ").repeat(65)), 4, "64 are the most"),
        (&format!("pins = [\"{PIN}\", \"{PIN}\"]"), 3, "`tls` in [[providers]] cannot be kept: it is no certificate"),
        ("ca_fil = \"/ca\"", 4, "did you mean `ca_file`?"),
    ] {
        let error = with_tls(keys).expect_err(keys);
        assert!(error.message.contains(words), "{keys}: {error}");
        assert_eq!(error.line, Some(line), "{keys}: {error}");
    }
    let clear = "[[providers]]\ntype = \"vllm\"\n[providers.tls]\nca_file = \"/ca\"";
    assert!(parse(clear, &Terms).unwrap_err().message.contains("without TLS"));
    let engine = "[[providers]]\ntype = \"engine\"\n[providers.tls]\nca_file = \"/ca\"";
    assert!(parse(engine, &Terms).unwrap_err().message.contains("has no meaning for an engine"));
}

#[test]
fn where_nobody_keeps_terms_they_are_refused() {
    let pinned = format!("[[providers]]\ntype = \"openai\"\n[providers.tls]\npins = [\"{PIN}\"]");
    assert!(bad(&pinned).message.contains("what connects to providers here cannot keep it"));
    let file = "[[providers]]\ntype = \"openai\"\n[providers.tls]\nca_file = \"/ca\"";
    assert!(bad(file).message.contains("files are not read here"));
}

/// Where what connects goes through the proxies of the environment.
struct Proxied(&'static str);

impl Environment for Proxied {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "HTTPS_PROXY" => Some(self.0.into()),
            "OPENAI_API_KEY" => Some("k".into()),
            _ => None,
        }
    }

    fn has_proxies(&self) -> bool {
        true
    }
}

const TWO: &str = "[[providers]]\ntype = \"openai\"\n[[providers]]\ntype = \"ollama\"";

#[test]
fn the_environments_proxy_is_gone_through_where_anybody_can() {
    let proxies = |config: &Config| -> Vec<Option<String>> {
        let origins = config.providers.iter().filter_map(|provider| Some(provider.base_url.as_ref()?.origin.clone()));
        origins.map(|origin| origin.proxy.as_ref().map(|proxy| proxy.host.clone())).collect()
    };
    let config = parse(TWO, &Proxied("http://user:s3cr3t-value@proxy.example:3128")).unwrap();
    assert_eq!(proxies(&config), [Some("proxy.example".to_owned()), None]);
    let described = config.describe();
    assert!(described.contains("# through the proxy proxy.example on port 3128, of the environment"), "{described}");
    assert!(!described.contains(SECRET) && !format!("{config:?}").contains(SECRET));
    // The key of the type's own service is sent there, whatever the way.
    assert_eq!(config.providers[0].credentials.len(), 1);

    let error = parse(TWO, &Proxied("socks5://s3cr3t-value")).unwrap_err();
    assert!(error
        .message
        .contains("`base_url` in [[providers]] cannot be reached: environment variable `HTTPS_PROXY`"));
    assert!(!error.message.contains(SECRET));

    let found = Config::found(&Proxied("http://proxy.example"));
    assert!(proxies(&found).contains(&Some("proxy.example".to_owned())));
    let found = Config::found(&Proxied("socks5://s3cr3t-value"));
    assert!(!found.providers.iter().any(|provider| provider.name == "openai"));
    assert!(found.warnings.iter().any(|words| words.starts_with("openai is left out") && !words.contains(SECRET)));

    let alone = |name: &str| Proxied("socks5://x").get(name);
    assert_eq!(proxies(&parse(TWO, &alone).unwrap()), [None, None], "what knows no proxies is told of none");
}

// --- mounts ------------------------------------------------------------------------------------------------------------

fn mount(path: &str, app: &str) -> String {
    format!("[[server.mounts]]\npath = \"{path}\"\napp = \"{app}\"\n")
}

#[test]
fn applications_are_mounted_below_paths() {
    let config = good(&format!("{}{}public = true\n", mount("/a", "m:x"), mount("/a/b-c.d", "p.q:r.s")));
    let told: Vec<_> = config.server.mounts.iter().map(|m| (&*m.path, m.app.as_str(), m.public)).collect();
    assert_eq!(told, [("/a", "m:x", false), ("/a/b-c.d", "p.q:r.s", true)]);
}

#[test]
fn mounts_that_cannot_be_are_told() {
    for path in ["", "/", "a", "/a/", "/a//b", "/a/../b", "/a b", "/a?b", "/%61", "/ä"] {
        assert!(bad(&mount(path, "m:x")).to_string().contains("must begin with `/`"), "{path}");
    }
    for path in ["/v1", "/v1/tools", "/metrics", "/health/x", "/admin"] {
        assert!(bad(&mount(path, "m:x")).to_string().contains("the gateway's own paths"), "{path}");
    }
    for app in ["", "m", "m:", ":x", "m:x:y", "m.:x", "1m:x", "m:x()", "m: x"] {
        assert!(bad(&mount("/a", app)).to_string().contains("`package.module:attribute`"), "{app}");
    }
    assert!(bad(&mount("/a", "m:x").repeat(2)).to_string().contains("two mounts are at `/a`"));
    assert!(bad("[[server.mounts]]\napp = \"m:x\"\n").to_string().contains("is missing"));
    assert!(bad("[[server.mounts]]\npath = \"/a\"\n").to_string().contains("is missing"));
    assert!(bad(&(mount("/a", "m:x") + "pubic = true\n")).to_string().contains("public"));
}
