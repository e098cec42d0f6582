//! Whatever a file says: nothing panics, no secret is told, and what is described parses again.

use hoosh_core::config::{parse, schema};
use proptest::prelude::*;

use super::{environment, good, SECRET};

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
