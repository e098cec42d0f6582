//! TLS to upstreams: whom a connection may be to, and what is shown of us. Whatever of it cannot be had fails; nothing else
//! stands in for it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hoosh_core::egress::{Identity, TextFile, TlsTerms};
use hoosh_core::exchange::Stage;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{ring, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::pins::Pinned;
use crate::transport::Transport;

/// What is known of TLS, for all threads: the system's authorities, read when they are first needed, and for each provider's
/// terms what was made of them, with the sessions that may be resumed. It is asked for each new connection, not for each request.
#[derive(Default)]
pub struct Trust {
    system: OnceLock<Result<Arc<RootCertStore>, String>>,
    made: Mutex<Vec<Made>>,
}

/// Terms, if there are any, and what connections on them are made with.
type Made = (Option<Arc<TlsTerms>>, Arc<ClientConfig>);

impl Trust {
    fn known(&self, terms: Option<&Arc<TlsTerms>>) -> Option<Arc<ClientConfig>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|(known, _)| known.as_ref() == terms).map(|(_, config)| config.clone())
    }

    /// Reads the system's files where nobody did before.
    fn make(&self, terms: Option<&Arc<TlsTerms>>) -> Result<Arc<ClientConfig>, String> {
        let roots = match terms.and_then(|terms| terms.ca.as_ref()) {
            Some(ca) => Arc::new(authorities(ca)?),
            None => self.system.get_or_init(system).clone()?,
        };
        let config = Arc::new(config(roots, terms.map(|terms| &**terms))?);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = made.iter().find(|(known, _)| known.as_ref() == terms) {
            return Ok(known.clone());
        }
        // What no configuration holds any more is not asked for again.
        made.retain(|(known, _)| known.as_ref().is_none_or(|terms| Arc::strong_count(terms) > 1));
        made.push((terms.cloned(), config.clone()));
        Ok(config)
    }
}

/// Why a provider's terms cannot be kept: what is wrong with its files. They are judged alone, so that it is heard at the start.
pub fn check(terms: &TlsTerms) -> Result<(), String> {
    let roots = match &terms.ca {
        Some(ca) => authorities(ca)?,
        // Never connected with.
        None => RootCertStore::empty(),
    };
    identity(terms.identity.as_ref(), builder()?.with_root_certificates(roots)).map(drop)
}

/// TLS over `transport`, with a peer that must be `host`.
pub async fn secure(
    transport: Transport,
    host: &str,
    terms: Option<&Arc<TlsTerms>>,
    trust: &Arc<Trust>,
) -> Result<Transport, Stage> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Stage::Tls)?;
    let config = match trust.known(terms) {
        Some(config) => config,
        None => {
            let (trust, terms) = (trust.clone(), terms.cloned());
            let making = tokio::task::spawn_blocking(move || trust.make(terms.as_ref()));
            making.await.map_err(|_| Stage::Tls)?.map_err(|_| Stage::Tls)?
        }
    };
    let stream = TlsConnector::from(config).connect(name, transport).await.map_err(|_| Stage::Tls)?;
    Ok(Transport::Tls(Box::new(stream)))
}

/// The system's authorities, or those of `$SSL_CERT_FILE` and `$SSL_CERT_DIR`.
fn system() -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // A few that cannot be read are usual: old forms, in folders that hold many.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("the system has no certificate authorities".into());
    }
    Ok(Arc::new(roots))
}

fn authorities(ca: &TextFile) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|error| format!("{}: no certificate of an authority: {error}", ca.path))?;
    }
    Ok(roots)
}

fn certificates(file: &TextFile) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.text.expose().as_bytes()).collect();
    let all = read.map_err(|_| format!("{}: not in PEM", file.path))?;
    if all.is_empty() {
        return Err(format!("{}: holds no certificate in PEM", file.path));
    }
    Ok(all)
}

type Builder<State> = rustls::ConfigBuilder<ClientConfig, State>;

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider())).clone()
}

fn builder() -> Result<Builder<rustls::WantsVerifier>, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    builder.map_err(|error| error.to_string())
}

fn config(roots: Arc<RootCertStore>, terms: Option<&TlsTerms>) -> Result<ClientConfig, String> {
    let builder = builder()?;
    let builder = match terms.filter(|terms| !terms.pins.is_empty()) {
        None => builder.with_root_certificates(roots),
        Some(terms) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
            let verifier = verifier.map_err(|error| error.to_string())?;
            let pinned = Pinned::new(verifier, terms.pins.clone());
            builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned))
        }
    };
    let mut config = identity(terms.and_then(|terms| terms.identity.as_ref()), builder)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn identity(
    identity: Option<&Identity>,
    builder: Builder<rustls::client::WantsClientCert>,
) -> Result<ClientConfig, String> {
    let Some(Identity { certificate, key }) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(key.text.expose().as_bytes())
        .map_err(|_| format!("{}: holds no private key in PEM without a passphrase", key.path))?;
    let built = builder.with_client_auth_cert(chain, private);
    built.map_err(|error| format!("{}: does not go with {}: {error}", key.path, certificate.path))
}
