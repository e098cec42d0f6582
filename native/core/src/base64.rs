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

/// The value of each letter, [`NO_LETTER`] of what is none.
const VALUES: [u8; 256] = {
    let mut values = [NO_LETTER; 256];
    let mut value = 0;
    while value < LETTERS.len() {
        values[LETTERS[value] as usize] = value as u8;
        value += 1;
    }
    values
};
/// Has the one bit that no value has.
const NO_LETTER: u8 = 0x80;

/// Reads what [`write`] writes, and nothing else: `None` where a letter, the filling or its number is another.
pub(crate) fn read(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if text.len() % 4 != 0 {
        return None;
    }
    let filling = text.iter().rev().take(2).take_while(|letter| **letter == b'=').count();
    let letters = &text[..text.len() - filling];
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut wrong, mut left_over) = (0, 0);
    let mut group = |letters: [u8; 4]| {
        let bits = letters.iter().fold(0u32, |bits, letter| {
            let value = VALUES[usize::from(*letter)];
            wrong |= value;
            (bits << 6) | u32::from(value)
        });
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes
    };
    let mut groups = letters.chunks_exact(4);
    for letters in &mut groups {
        out.extend_from_slice(&group([letters[0], letters[1], letters[2], letters[3]]));
    }
    // The last group has fewer letters, and no bits beyond its bytes.
    match *groups.remainder() {
        [first, second] => {
            let [byte, rest @ ..] = group([first, second, b'A', b'A']);
            left_over = rest[0] | rest[1];
            out.push(byte);
        }
        [first, second, third] => {
            let [bytes @ .., rest] = group([first, second, third, b'A']);
            left_over = rest;
            out.extend_from_slice(&bytes);
        }
        _ => {}
    }
    (wrong & NO_LETTER == 0 && left_over == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{read, write, LETTERS};
    use proptest::prelude::*;

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

    /// As it was read before there was a table: letter by letter, and held against what is written.
    fn read_slowly(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for group in text.as_bytes().chunks(4) {
            let filling = group.iter().rev().take_while(|letter| **letter == b'=').count().min(2);
            let mut bits = 0u32;
            for letter in &group[..group.len() - filling] {
                bits = (bits << 6) | LETTERS.iter().position(|known| known == letter)? as u32;
            }
            let [_, bytes @ ..] = (bits << (6 * filling)).to_be_bytes();
            out.extend(&bytes[..3 - filling]);
        }
        let mut again = Vec::new();
        write(&mut again, out.iter().copied());
        (again == text.as_bytes()).then_some(out)
    }

    proptest! {
        #[test]
        fn the_table_reads_what_was_read_before(text in "[A-Za-z0-9+/]{0,12}[AQgw=\\-_\n]{0,4}", any in "\\PC{0,9}") {
            prop_assert_eq!(read(&text), read_slowly(&text));
            prop_assert_eq!(read(&any), read_slowly(&any));
        }

        #[test]
        fn what_is_written_is_read(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            let mut text = Vec::new();
            write(&mut text, bytes.iter().copied());
            prop_assert_eq!(read(std::str::from_utf8(&text).unwrap()), Some(bytes));
        }
    }
}
