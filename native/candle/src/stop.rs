//! From the bytes of tokens to the text that a reader gets: whole characters, and never a stop string.
//!
//! Bytes that may yet become a stop string or a character are held back, and not one more. Where a text ends does not
//! depend on how it was cut into tokens: it ends with the first byte that completes a stop string, and is given up to
//! where that one begins (the longest one, where several end there).

/// Turns bytes into text.
#[derive(Debug, Default)]
pub struct Writer {
    stops: Vec<Vec<u8>>,
    /// Bytes that were not given yet.
    held: Vec<u8>,
    /// Bytes that were given.
    given: u64,
}

/// What may be given.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Whole characters.
    pub text: String,
    /// A stop string came; nothing follows.
    pub stopped: bool,
}

impl Writer {
    /// That ends at any of `stops`; empty ones are none.
    pub fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).map(|stop| stop.clone().into_bytes()).collect();
        Writer { stops, held: Vec::new(), given: 0 }
    }

    /// Bytes of tokens whose text was given so far.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Takes the bytes of a token.
    pub fn push(&mut self, bytes: &[u8]) -> Written {
        for byte in bytes {
            self.held.push(*byte);
            let longest = self.stops.iter().filter(|stop| self.held.ends_with(stop)).map(Vec::len).max();
            if let Some(length) = longest {
                let text = self.give(self.held.len() - length);
                self.held.clear();
                return Written { text, stopped: true };
            }
        }
        let open = self.open_stop().max(open_character(&self.held));
        Written { text: self.give(self.held.len() - open), stopped: false }
    }

    /// Gives what was held back, because nothing follows. A character that was cut becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        self.give(self.held.len())
    }

    fn give(&mut self, count: usize) -> String {
        self.given += count as u64;
        let bytes: Vec<u8> = self.held.drain(..count).collect();
        match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// How many bytes at the end may be the beginning of a stop string.
    fn open_stop(&self) -> usize {
        let most = self.stops.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1).min(self.held.len());
        let is_open = |count: &usize| {
            let end = &self.held[self.held.len() - count..];
            self.stops.iter().any(|stop| stop.len() > end.len() && stop.starts_with(end))
        };
        (1..=most).rev().find(is_open).unwrap_or(0)
    }
}

/// How many bytes at the end are a character that is not whole yet.
fn open_character(bytes: &[u8]) -> usize {
    // A character has four bytes at most: if none of the last three begins one, none is open.
    let begins = (1..=bytes.len().min(3)).find(|count| bytes[bytes.len() - count] & 0xc0 != 0x80);
    let Some(count) = begins else { return 0 };
    match std::str::from_utf8(&bytes[bytes.len() - count..]) {
        Err(error) if error.error_len().is_none() => count,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(stops: &[&str], chunks: &[&[u8]]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut writer = Writer::new(&stops);
        let mut text = String::new();
        for chunk in chunks {
            let written = writer.push(chunk);
            text += &written.text;
            if written.stopped {
                return (text, true);
            }
        }
        text += &writer.finish();
        (text, false)
    }

    #[test]
    fn a_stop_string_is_found_inside_a_token_and_over_several() {
        assert_eq!(all(&["END"], &[b"one END two"]), ("one ".into(), true));
        assert_eq!(all(&["END"], &[b"one E", b"N", b"D two"]), ("one ".into(), true));
        assert_eq!(all(&["END"], &[b"one E", b"N", b"d"]), ("one ENd".into(), false));
    }

    #[test]
    fn of_two_that_end_together_the_longer_counts() {
        assert_eq!(all(&["b", "ab"], &[b"xab"]), ("x".into(), true));
    }

    #[test]
    fn the_one_that_ends_first_counts_however_it_is_cut() {
        assert_eq!(all(&["bcd", "c"], &[b"abcd"]), ("ab".into(), true));
        assert_eq!(all(&["bcd", "c"], &[b"ab", b"c", b"d"]), ("ab".into(), true));
    }

    #[test]
    fn nothing_is_held_that_cannot_become_a_stop() {
        let mut writer = Writer::new(&["aab".to_owned()]);
        assert_eq!(writer.push(b"a").text, "");
        assert_eq!(writer.push(b"a").text, "");
        assert_eq!(writer.push(b"a").text, "a");
        assert_eq!(writer.push(b"c").text, "aac");
    }

    #[test]
    fn a_character_waits_until_it_is_whole() {
        let mut writer = Writer::new(&[]);
        assert_eq!(writer.push(&[0xf0, 0x9f]).text, "");
        assert_eq!(writer.push(&[0x99]).text, "");
        assert_eq!(writer.push(&[0x82]).text, "\u{1f642}");
        assert_eq!(writer.push(&[0xc3]).text, "");
        assert_eq!(writer.finish(), "\u{fffd}");
    }

    #[test]
    fn broken_bytes_do_not_wait() {
        let mut writer = Writer::new(&[]);
        assert_eq!(writer.push(&[0x80, 0x80, 0x80, 0x80]).text, "\u{fffd}".repeat(4));
        assert_eq!(writer.push(&[0xff, b'a']).text, "\u{fffd}a");
    }
}
