//! docs/providers.md is what the catalogue says: `UPDATE_PROVIDERS=1 cargo test -p hoosh-core --test main provider_page::`, which
//! `make providers` calls, writes it anew.

use std::fmt::Write;
use std::path::Path;

use hoosh_core::config::catalogue::{self, AuthScheme, ProviderType};
use hoosh_core::config::ProviderKind;
use hoosh_core::dialects::openai::quirks::QUIRKS;
use hoosh_core::dialects::Dialect;

const HEAD: &str = "\
# Providers

What hoosh knows of services and servers, and of their models. This page is written from the catalogue
(`native/core/src/config/catalogue/catalogue.toml`) by `make providers`. A provider of a type that is here needs no more than its
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
            Dialect::OpenAiChat => String::new(),
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
    out
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
