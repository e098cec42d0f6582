//! GPT-2's alphabet: a printable character for every byte, so that vocabularies of bytes can be written as text.

/// The character that stands for `byte`. Printable ones of Latin-1 stand for themselves, the others are numbered from
/// U+0100 on (`bytes_to_unicode` of GPT-2's encoder.py).
pub(super) fn to_char(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => byte.into(),
        0..=0x20 => 0x100 + u32::from(byte),
        0x7f..=0xa0 => 0x100 + 0x21 + u32::from(byte) - 0x7f,
        0xad => 0x143,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that `letter` stands for, if it is of the alphabet.
pub(super) fn from_char(letter: char) -> Option<u8> {
    let code = u32::from(letter);
    let byte = match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// The bytes that `text` stands for. A character outside the alphabet, which a sound vocabulary has none of, stands for
/// itself.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match from_char(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// `text` in the alphabet.
pub(super) fn encode(text: &str) -> String {
    text.bytes().map(to_char).collect()
}

/// The byte of a token such as `<0x0A>`, as vocabularies of SentencePiece write it.
pub(super) fn from_hex(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_letter_of_its_own() {
        let letters: std::collections::HashSet<char> = (0..=255).map(to_char).collect();
        assert_eq!(letters.len(), 256);
        for byte in 0..=255 {
            assert_eq!(from_char(to_char(byte)), Some(byte));
        }
        assert_eq!(encode(" \n\u{ad}é"), "ĠĊÂŃÃ©");
        assert_eq!(decode("Ġå½"), [0x20, 0xe5, 0xbd]);
        assert_eq!(decode("a→"), "a→".as_bytes());
    }

    #[test]
    fn bytes_in_hexadecimal() {
        assert_eq!(from_hex("<0x0A>"), Some(10));
        assert_eq!(from_hex("<0xff>"), Some(255));
        for other in ["<0x>", "<0x0>", "<0x0A", "0x0A", "<0x+1>", "<0x0AA>", ""] {
            assert_eq!(from_hex(other), None, "{other}");
        }
    }
}
