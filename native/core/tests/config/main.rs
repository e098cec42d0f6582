//! Configuration: what is accepted, what every mistake is answered with, and that the documents tell the truth.

mod catalogue;
mod credentials;
mod documents;
mod engines;
mod mistakes;
mod mounts;
mod names;
mod prices;
mod properties;
mod proxies;
mod terms;
mod url;

use hoosh_core::config::{parse, CacheMode, CapField, Config, ConfigError, ProviderKind, Strategy as Choice};

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

#[test]
fn an_empty_file_is_the_defaults() {
    let config = good("");
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert_eq!(Config { warnings: vec![], ..config }, Config::default());
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
