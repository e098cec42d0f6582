//! Places in a text that is said piece by piece: Gemini counts its bytes, OpenAI its characters.

/// More characters of several bytes than this are not noted; places behind them are off by what is not known.
const MOST: usize = 1 << 16;

/// What is known of the text so far, without the text.
#[derive(Debug, Default)]
pub(super) struct Positions {
    bytes: u32,
    /// For each character of several bytes: where it ends, and how many bytes more than characters there are up to it.
    wide: Vec<(u32, u32)>,
}

impl Positions {
    /// More text.
    pub fn say(&mut self, text: &str) {
        if !text.is_ascii() {
            for (at, character) in text.char_indices().filter(|(_, character)| !character.is_ascii()) {
                if self.wide.len() == MOST {
                    break;
                }
                let (extra, len) = (self.wide.last().map_or(0, |(_, extra)| *extra), character.len_utf8() as u32);
                let end = self.bytes.saturating_add(at as u32).saturating_add(len);
                self.wide.push((end, extra.saturating_add(len - 1)));
            }
        }
        self.bytes = self.bytes.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
    }

    /// Which character begins at a byte.
    pub fn character(&self, byte: u32) -> u32 {
        let before = self.wide.partition_point(|(end, _)| *end <= byte);
        byte - self.extra(before).min(byte)
    }

    /// At which byte a character begins.
    pub fn byte(&self, character: u32) -> u32 {
        let before = self.wide.partition_point(|(end, extra)| end.saturating_sub(*extra) <= character);
        character.saturating_add(self.extra(before))
    }

    /// Bytes more than characters in the first of `wide`.
    fn extra(&self, before: usize) -> u32 {
        before.checked_sub(1).and_then(|last| self.wide.get(last)).map_or(0, |(_, extra)| *extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_and_characters_are_the_same_places(pieces in prop::collection::vec("[a-zäß€😀]{0,6}", 0..5)) {
            let mut positions = Positions::default();
            pieces.iter().for_each(|piece| positions.say(piece));
            let whole = pieces.concat();
            for (nth, (byte, _)) in whole.char_indices().enumerate() {
                prop_assert_eq!(positions.character(byte as u32), nth as u32);
                prop_assert_eq!(positions.byte(nth as u32), byte as u32);
            }
            prop_assert_eq!(positions.character(whole.len() as u32), whole.chars().count() as u32);
        }
    }
}
