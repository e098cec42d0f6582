//! hoosh.example.toml and docs/config.md say what the core reads.

use hoosh_core::config::{parse, schema, Config, Environment};
use hoosh_core::egress::TlsTerms;

use super::{environment, good};

const EXAMPLE: &str = include_str!("../../../../hoosh.example.toml");
const DOCUMENT: &str = include_str!("../../../../docs/config.md");

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
