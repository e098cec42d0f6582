//! `[providers.tls]`: its files are read, and its terms judged, when the configuration is made. What is wrong with them is a
//! mistake of the file; never does something else stand in for them.

use std::sync::Arc;

use super::reader::{Checked, Table};
use super::{schema, BaseUrl, Secret};
use crate::egress::{Identity, Pin, TextFile, TlsTerms};

/// Most pins of one provider.
const MAX_PINS: usize = 64;

/// A provider's address, with the terms of its table.
pub fn with_terms(provider: &Table<'_>, url: BaseUrl) -> Checked<BaseUrl> {
    let Some(t) = provider.table("tls", &schema::PROVIDERS_TLS)? else { return Ok(url) };
    if !url.origin.tls {
        return provider.fail("tls", "has no meaning for a `base_url` without TLS; write `https://`, or remove it");
    }
    let terms = TlsTerms { ca: file(&t, "ca_file")?, identity: identity(&t)?, pins: pins(&t)? };
    if terms == TlsTerms::default() {
        return provider.fail("tls", "says nothing; write `ca_file`, `client_cert_file` or `pins`, or remove it");
    }
    if let Err(why) = provider.source.keeps(&terms) {
        return provider.fail("tls", format_args!("cannot be kept: {why}"));
    }
    let origin = crate::http::Origin { terms: Some(Arc::new(terms)), ..(*url.origin).clone() };
    Ok(BaseUrl { origin: Arc::new(origin), ..url })
}

fn file(t: &Table<'_>, key: &str) -> Checked<Option<TextFile>> {
    let Some(path) = t.expanded(key)? else { return Ok(None) };
    if path.is_empty() || path.contains('\0') {
        return t.fail(key, "must be the path of a file");
    }
    match t.source.pem(&path) {
        Ok(text) => Ok(Some(TextFile { path, text: Secret::new(text) })),
        Err(why) => t.fail(key, format_args!("cannot be had: {why}")),
    }
}

fn identity(t: &Table<'_>) -> Checked<Option<Identity>> {
    match (file(t, "client_cert_file")?, file(t, "client_key_file")?) {
        (None, None) => Ok(None),
        (Some(certificate), key) => {
            let key = key.unwrap_or_else(|| certificate.clone());
            Ok(Some(Identity { certificate, key }))
        }
        (None, Some(_)) => t.fail("client_key_file", "needs `client_cert_file`, the certificate that it is the key of"),
    }
}

fn pins(t: &Table<'_>) -> Checked<Vec<Pin>> {
    let mut pins = Vec::new();
    for (text, at) in t.strings("pins")? {
        let Some(pin) = Pin::read(text) else {
            let message = "a pin is the SHA-256 of a public key in base64, 44 characters (docs/upstreams.md)";
            return t.source.error(&at, message);
        };
        pins.push(pin);
    }
    if pins.len() > MAX_PINS {
        return t.fail("pins", format_args!("holds {} pins; {MAX_PINS} are the most", pins.len()));
    }
    Ok(pins)
}
