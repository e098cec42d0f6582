//! The catalogue: hoosh's own, and what an operator adds to it, in the file or beside it.

use hoosh_core::config::{catalogue, parse, Config, Environment};

use super::url::url;
use super::{bad, environment, good, SECRET};

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
