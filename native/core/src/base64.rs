//! Base64 (RFC 4648, section 4), as `encoding_format` asks for vectors.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes `bytes` behind `out`.
pub(crate) fn write(out: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>) {
    let mut bytes = bytes.into_iter();
    while let Some(first) = bytes.next() {
        let (second, third) = (bytes.next(), bytes.next());
        let [second_byte, third_byte] = [second, third].map(|byte| byte.unwrap_or(0));
        let group = u32::from_be_bytes([0, first, second_byte, third_byte]);
        let letter = |at: u32| LETTERS[(group >> (18 - 6 * at)) as usize & 63];
        out.extend([
            letter(0),
            letter(1),
            if second.is_some() { letter(2) } else { b'=' },
            if third.is_some() { letter(3) } else { b'=' },
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn the_examples_of_the_specification() {
        for (plain, written) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{0}\u{10}\u{83}\u{fb}", "ABDCg8O7"),
        ] {
            let mut out = Vec::new();
            write(&mut out, plain.bytes());
            assert_eq!(out, written.as_bytes(), "{plain:?}");
        }
        let mut out = Vec::new();
        write(&mut out, [0xfb, 0xff, 0xbf]);
        assert_eq!(out, b"+/+/");
    }
}
