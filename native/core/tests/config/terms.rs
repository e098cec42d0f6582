//! `[providers.tls]`

use hoosh_core::config::{parse, Config, ConfigError, Environment};
use hoosh_core::egress::{Pin, TlsTerms};

use super::{bad, environment, SECRET};

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
