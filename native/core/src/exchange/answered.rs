//! `x-hoosh-model`: who answered.

use bytes::Bytes;

use super::Exchange;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// `provider/model` for a header: what is not visible ASCII, and `%` itself, as `%XX`.
pub(super) fn answered_by(provider: &str, model: &str) -> Bytes {
    let mut out = Vec::with_capacity(provider.len() + model.len() + 1);
    out.extend_from_slice(provider.as_bytes());
    if !model.is_empty() {
        out.push(b'/');
    }
    for byte in model.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    Bytes::from(out)
}

impl Exchange {
    /// Notes who answered a part of a request; several are named one after the other.
    pub(super) fn answered_too(&mut self, by: &Bytes) {
        let all = &mut self.account.answered_by;
        *all = match all.take() {
            None => Some(by.clone()),
            Some(before) if before.split(|byte| *byte == b',').any(|one| one.trim_ascii() == &by[..]) => Some(before),
            Some(before) => Some(Bytes::from([&before[..], b", ", by].concat())),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::answered_by;

    #[test]
    fn any_name_is_a_header_value() {
        assert_eq!(&answered_by("one", "openai/gpt-4o")[..], b"one/openai/gpt-4o");
        assert_eq!(&answered_by("one", " m\u{e9}%\r\n")[..], b"one/%20m%C3%A9%25%0D%0A");
    }
}
