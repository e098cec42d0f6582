//! Ids of calls where a caller names none: made of the place and the name, so that the same conversation has the same
//! ids each time that it is sent.

use std::borrow::Cow;

use super::read_part::Place;

/// The calls of a conversation that wait for their results.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Id and name, in the order of the calls.
    open: Vec<(String, String)>,
}

impl Ids {
    /// The model speaks again: what was not answered will not be.
    pub fn turn(&mut self) {
        self.open.clear();
    }

    /// The id of a call.
    pub fn call(&mut self, place: Place, id: Option<Cow<'_, str>>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).map_or_else(|| made(place, name), Cow::into_owned);
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that a result is of: the one it names, else the first open one of its name, else the first.
    pub fn result(&mut self, place: Place, id: Option<Cow<'_, str>>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty());
        let open = match &id {
            Some(id) => self.open.iter().position(|(open, _)| open == id),
            None => {
                let named = self.open.iter().position(|(_, open)| open == name);
                named.or(if self.open.is_empty() { None } else { Some(0) })
            }
        };
        let open = open.map(|open| self.open.remove(open).0);
        id.map(Cow::into_owned).or(open).unwrap_or_else(|| made(place, name))
    }
}

/// Ids are at most 40 letters, digits, `_` and `-`: what all protocols take.
pub(super) fn made(place: Place, name: &str) -> String {
    let (content, part) = place.numbers();
    format!("call_{content}_{part}_{}", plain(name, 16))
}

/// The id of a call in an answer that names none: of the answer's own id, which no other answer has.
pub(super) fn of_answer(answer: &str, choice: u32, index: u32, name: &str) -> String {
    format!("call_{}_{choice}_{index}_{}", plain(answer, 20), plain(name, 6))
}

/// The last letters that an id may hold.
fn plain(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    letters[letters.len().saturating_sub(most)..].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(content: usize, part: usize) -> Place {
        Place::Content { content, part }
    }

    #[test]
    fn results_find_their_calls_by_id_by_name_and_by_place() {
        let mut ids = Ids::default();
        let first = ids.call(at(1, 0), None, "f");
        let second = ids.call(at(1, 1), None, "g");
        let third = ids.call(at(1, 2), Some("x".into()), "f");
        assert_eq!((&*first, &*second, &*third), ("call_1_0_f", "call_1_1_g", "x"));
        assert_eq!(ids.result(at(2, 0), None, "g"), second);
        assert_eq!(ids.result(at(2, 1), Some("x".into()), "f"), "x");
        assert_eq!(ids.result(at(2, 2), None, "unknown"), first);
        assert_eq!(ids.result(at(2, 3), None, "h"), "call_2_3_h");
    }

    #[test]
    fn ids_are_short_and_plain() {
        let id = of_answer(&"ä-Z9_".repeat(50), 0, 1, &"näme.of:tool".repeat(20));
        assert!(id.len() <= 40 && id.is_ascii(), "{id}");
        assert!(made(at(999, 999), &"long".repeat(50)).len() <= 40);
    }
}
