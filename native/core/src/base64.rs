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

/// Reads what [`write`] writes, and nothing else: `None` where a letter, the filling or its number is another.
pub(crate) fn read(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let filling = group.iter().rev().take_while(|letter| **letter == b'=').count().min(2);
        let mut bits = 0u32;
        for letter in &group[..group.len() - filling] {
            bits = (bits << 6) | LETTERS.iter().position(|known| known == letter)? as u32;
        }
        let [_, bytes @ ..] = (bits << (6 * filling)).to_be_bytes();
        out.extend(&bytes[..3 - filling]);
    }
    let mut again = Vec::with_capacity(text.len());
    write(&mut again, out.iter().copied());
    (again == text.as_bytes()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

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
            let bytes: Vec<u8> = plain.bytes().collect();
            assert_eq!(read(written), Some(bytes), "{written:?}");
        }
        let mut out = Vec::new();
        write(&mut out, [0xfb, 0xff, 0xbf]);
        assert_eq!(out, b"+/+/");
    }

    #[test]
    fn what_was_written_otherwise_is_not_read() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm9v\n", "Zm-_", "=Zg=", "Zm9vYg=\u{e9}"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
