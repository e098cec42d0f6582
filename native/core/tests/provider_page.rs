//! docs/providers.md is what the catalogue says: `UPDATE_PROVIDERS=1 cargo test -p hoosh-core --test main provider_page::`, which
//! `make providers` calls, writes it anew.

use std::fmt::Write;
use std::path::Path;

use hoosh_core::config::catalogue::{self, AuthScheme, Catalogue, ProviderType};
use hoosh_core::config::ProviderKind;
use hoosh_core::dialects::openai::quirks::QUIRKS;
use hoosh_core::dialects::Dialect;
use hoosh_core::price::decimal;

const HEAD: &str = "\
# Providers

What hoosh knows of services and servers, and of their models. This page is written from the catalogue
(`native/core/src/config/catalogue`) by `make providers`. A provider of a type that is here needs no more than its
`type`, and its key in the environment:

```toml
[[providers]]
type = \"groq\"
```

What is missing or wrong you say yourself, in [`[[catalogue.providers]]`](config.md#catalogueproviders). How to add a provider for
everybody: [CONTRIBUTING.md](../CONTRIBUTING.md#a-provider-five-lines-and-a-fixture). Those that speak OpenAI's dialect are asked for chat, completions and
embeddings; what else they offer stands beside them.
";

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn codes<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().map(|text| code(text.as_ref())).collect::<Vec<_>>().join(", ")
}

fn address(kind: &ProviderType) -> String {
    match (&kind.origin, kind.prefix.as_str()) {
        (Some(origin), prefix) => code(&format!("{origin}{prefix}")),
        (None, "/v1") => "`base_url`".to_owned(),
        (None, prefix) => format!("`base_url`, and `{prefix}` where it has no path"),
    }
}

fn key(kind: &ProviderType) -> String {
    let variable = kind.key_variable.as_deref().map(code).unwrap_or_default();
    match kind.auth {
        Some(AuthScheme::ApiKey) => format!("{variable}, in `api-key`"),
        _ => variable,
    }
}

fn name(kind: &ProviderType) -> String {
    let known = match &kind.source {
        Some(source) => format!("[`{}`]({source})", kind.name),
        None => code(&kind.name),
    };
    let aliases = codes(&kind.aliases);
    if aliases.is_empty() {
        known
    } else {
        format!("{known} ({aliases})")
    }
}

fn types(out: &mut String, title: &str, words: &str, wanted: impl Fn(&ProviderType) -> bool) {
    let _ = writeln!(out, "\n## {title}\n\n{words}\n");
    let _ =
        writeln!(out, "| `type` | Address | Key variable | Also offers | Quirks |\n| --- | --- | --- | --- | --- |");
    for kind in catalogue::types().iter().filter(|kind| kind.kind == ProviderKind::Http && wanted(kind)) {
        let services = codes(kind.services.all().map(|service| service.as_str()));
        let dialect = match kind.dialect {
            Dialect::NEUTRAL => String::new(),
            other => format!("speaks `{}`{}", other.as_str(), if kind.quirks.is_empty() { "" } else { "; else " }),
        };
        let quirks = dialect + &codes(&kind.quirks);
        let _ = writeln!(out, "| {} | {} | {} | {services} | {quirks} |", name(kind), address(kind), key(kind));
    }
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    types(&mut out, "Services", "The name of each leads to its own documentation.", |kind| !kind.local);
    let words =
        "They run on your machine, and need no key. Those on ports of their own are looked for where there is no \
                 configuration\n([Without a file](config.md#without-a-file)).";
    types(&mut out, "Servers", words, |kind| kind.local);
    let _ = writeln!(
        out,
        "\n## Quirks\n\nWhat a provider of OpenAI's dialect does otherwise than most is a quirk: a transformation with a name and \
         a test,\nwhich applies where a request was written in another dialect, or is changed by policy. A request in OpenAI's own dialect is sent as it \
         came.\n\n| Quirk | Means |\n| --- | --- |"
    );
    for quirk in QUIRKS {
        let _ = writeln!(out, "| `{}` | {} |", quirk.name, quirk.about);
    }
    models(&mut out);
    out
}

/// A number of tokens in short: `128k`, `1M`.
fn tokens(number: Option<u64>) -> String {
    match number {
        None => String::new(),
        Some(number) if number % 1_000_000 == 0 => format!("{}M", number / 1_000_000),
        Some(number) if number % 1_000 == 0 => format!("{}k", number / 1_000),
        Some(number) => number.to_string(),
    }
}

fn models(out: &mut String) {
    let all = Catalogue::built_in_models();
    let day = all.iter().filter_map(|model| model.as_of.as_deref()).max().unwrap_or_default();
    let _ = writeln!(
        out,
        "\n## Models\n\nWhat services said of their models until {day}: input tokens that they hold, output tokens that they may be asked \
         for, what they take beside text,\nwhat they do beside chat, and US dollars for a million tokens of input, of cached input and of \
         output. Prices count\n([config.md](config.md#catalogue)) unless `[[prices]]` says otherwise. Each has its source, and the prices of cache writes\nand of long prompts, in \
         `hoosh models --catalogue --json`."
    );
    for kind in catalogue::types() {
        let mut models = all.iter().filter(|model| model.provider == kind.name).peekable();
        if models.peek().is_none() {
            continue;
        }
        let _ = writeln!(out, "\n### `{}`\n", kind.name);
        let _ = writeln!(out, "| Model | Input | Output | Takes | Does | $ in | $ cached | $ out |\n| --- | --- | --- | --- | --- | --- | --- | --- |");
        for model in models {
            let takes = model.modalities.iter().filter(|word| **word != "text").copied().collect::<Vec<_>>().join(", ");
            let does =
                model.capabilities.iter().filter(|word| **word != "chat").copied().collect::<Vec<_>>().join(", ");
            let usd = |micro: Option<u64>| micro.map(decimal).unwrap_or_default();
            let rates = model.price.map(|price| price.rates);
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {takes} | {does} | {} | {} | {} |",
                model.name,
                tokens(model.context_tokens),
                tokens(model.max_output_tokens),
                usd(rates.map(|rates| rates.input)),
                usd(rates.and_then(|rates| rates.cached_input)),
                usd(rates.map(|rates| rates.output)),
            );
        }
    }
}

#[test]
fn the_committed_page_is_the_one_that_is_made() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    if std::env::var_os("UPDATE_PROVIDERS").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page(), "docs/providers.md is old: `make providers` writes it anew");
}
