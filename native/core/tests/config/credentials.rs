//! Secrets: out of the environment, of files and of commands, and whom they are sent to.

use hoosh_core::config::{parse, CredentialSource, Environment, Renewal};

use super::{bad, environment, good, nothing, SECRET};

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

/// An environment with files and commands.
struct Outside;

impl Environment for Outside {
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
