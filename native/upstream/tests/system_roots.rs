//! The system's authorities, which the environment may name. A test crate of its own, because it sets a variable.

mod support;

use std::rc::Rc;
use std::sync::Arc;

use hoosh_core::exchange::Stage;
use hoosh_core::http::Origin;
use hoosh_upstream::Upstreams;
use rcgen::{generate_simple_self_signed, CertifiedKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::ServerConfig;
use support::Told::Failed;
use support::{accept, get, listen, next, run};
use tokio_rustls::TlsAcceptor;

#[test]
fn the_environment_names_the_systems_authorities() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("one");
    let folder = std::env::temp_dir().join(format!("hoosh-roots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("roots.pem");
    std::fs::write(&file, cert.pem()).expect("a file");

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let server = builder.expect("versions").with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(server.expect("a server")));
    run(async {
        let (listener, clear) = listen().await;
        let origin = Arc::new(Origin { tls: true, host: "localhost".into(), ..(*clear).clone() });
        let upstream = tokio::spawn(async move {
            loop {
                drop(acceptor.accept(accept(&listener).await).await);
            }
        });
        for (named, connects) in [(&file, true), (&folder.join("absent.pem"), false)] {
            std::env::set_var("SSL_CERT_FILE", named);
            let upstreams = Rc::<Upstreams>::default();
            let told = next(&mut hoosh_upstream::Attempt::new(&upstreams, get(&origin, "/"))).await;
            assert_eq!(told != Failed(Stage::Tls, false), connects, "{told:?}");
        }
        upstream.abort();
    });
    std::fs::remove_dir_all(&folder).expect("to be removed");
}
