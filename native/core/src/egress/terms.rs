//! What an operator asks of TLS to one provider. The core reads no file: a driver's environment does.

use crate::base64;
use crate::config::Secret;

/// SHA-256 of a certificate's public key, as its `SubjectPublicKeyInfo` is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// Reads a pin in base64, with or without the `sha256/` or `sha256//` that some tools write before it.
    pub fn read(text: &str) -> Option<Pin> {
        let pin = |text: &str| base64::read(text)?.try_into().ok().map(Pin);
        let Some(rest) = text.strip_prefix("sha256/") else { return pin(text) };
        // A slash is a letter of base64 too: it is the second one of the prefix only where the rest is no pin with it.
        pin(rest).or_else(|| pin(rest.strip_prefix('/')?))
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::new();
        base64::write(&mut text, self.0);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// A file, and what it said when the configuration was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextFile {
    /// Its path.
    pub path: String,
    /// Its text. It may be a private key.
    pub text: Secret,
}

/// What is shown to a provider that asks for a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those between it and its authority, in PEM.
    pub certificate: TextFile,
    /// Its private key, in PEM.
    pub key: TextFile,
}

/// `[providers.tls]`: what holds beside, or instead of, the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsTerms {
    /// The only authorities that are trusted, in PEM. `None`: the system's.
    pub ca: Option<TextFile>,
    /// `None`: no certificate is shown.
    pub identity: Option<Identity>,
    /// The provider's own certificate must have one of these keys. Empty: any that an authority vouches for.
    pub pins: Vec<Pin>,
}

#[cfg(test)]
mod tests {
    use super::Pin;

    #[test]
    fn a_pin_is_32_bytes_in_base64_and_shown_as_it_is_read() {
        let text = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let pin = Pin::read(text).expect("a pin");
        assert_eq!((pin.0[0], pin.0[31], pin.to_string().as_str()), (0xe3, 0x55, text));
        assert_eq!(Pin::read(&format!("sha256/{text}")), Some(pin));
        assert_eq!(Pin::read(&format!("sha256//{text}")), Some(pin));
        let slashes = Pin([0xff; 32]);
        for prefix in ["", "sha256/", "sha256//"] {
            assert_eq!(Pin::read(&format!("{prefix}{slashes}")).map(|pin| pin.0), Some(slashes.0), "{prefix}");
        }
        assert_eq!(Pin::read(&format!("/{text}")).map(|pin| pin.0), None);
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for text in ["", "sha256/", "47DEQpj8HBSa", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", hex, "*"] {
            assert_eq!(Pin::read(text), None, "{text:?}");
        }
    }
}
