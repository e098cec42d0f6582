//! What a translation could not carry as it was.

use std::borrow::Cow;

use crate::error::Failure;
use crate::json::Value;

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Carried under another name, with the same meaning.
    Renamed,
    /// Its effect is had by other means (a schema by a forced tool call).
    Emulated,
    /// Moved to the nearest value that the other side takes.
    Clamped,
    /// Carried as something that means nearly the same.
    Approximated,
    /// Not carried.
    Dropped,
}

impl Change {
    /// Each, from the mildest to the worst.
    pub const ALL: [Change; 5] =
        [Change::Renamed, Change::Emulated, Change::Clamped, Change::Approximated, Change::Dropped];

    /// The word in headers, records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Change::Renamed => "renamed",
            Change::Emulated => "emulated",
            Change::Clamped => "clamped",
            Change::Approximated => "approximated",
            Change::Dropped => "dropped",
        }
    }

    /// Whether the answer may differ from what was asked for: what strict mode refuses.
    pub const fn loses(self) -> bool {
        !matches!(self, Change::Renamed)
    }
}

/// One field that was not carried as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its place: in the caller's body, of what `read_request` could not carry; in the neutral request, of what `write_request` could not,
    /// until [`Loss::join_spelled`]. `top_k`, `messages[].content[].citations`: without indices, and of bounded length.
    pub field: Cow<'static, str>,
    /// What became of it.
    pub change: Change,
    /// Why, or as what it was carried; a few words.
    pub note: &'static str,
}

/// How the callers of a dialect write what the neutral request has: its place there, and in their bodies. A place stands for all that is
/// below it unless that has a row of its own. Of several (`a|b`) it is the first that a body has; of none that it has, the first.
pub type Places = &'static [(&'static str, &'static str)];

/// The loss report of one translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    lost: Vec<Lost>,
    /// More than are kept.
    beyond: u32,
    /// Why only an upstream of the caller's own dialect can be asked.
    bar: Option<Box<Failure>>,
}

/// Fields that a report names.
const MOST: usize = 64;
/// Bytes of a field's name.
const LONGEST: usize = 96;

impl Loss {
    /// Adds a field, once for each change.
    pub fn add(&mut self, change: Change, field: impl Into<Cow<'static, str>>, note: &'static str) {
        let field = bounded(field.into());
        if self.lost.iter().any(|lost| lost.field == field && lost.change == change) {
            return;
        }
        if self.lost.len() == MOST {
            self.beyond += 1;
            return;
        }
        self.lost.push(Lost { field, change, note });
    }

    /// Adds each member of `object`, which stands at `place`, that is not `known`.
    pub fn add_others(&mut self, object: Value<'_>, place: &str, known: &[&str], note: &'static str) {
        for (key, _) in object.fields().filter(|(_, value)| !value.is_null()) {
            if !known.iter().any(|known| key.str_eq(known)) {
                self.add(Change::Dropped, format!("{place}.{}", key.as_str().unwrap_or_default()), note);
            }
        }
    }

    /// Adds what `other` says.
    pub fn join(&mut self, other: &Loss) {
        for lost in &other.lost {
            self.add(lost.change, lost.field.clone(), lost.note);
        }
        self.beyond += other.beyond;
    }

    /// Adds what `written` says of the neutral request, by the places that it was made of in `body`.
    pub fn join_spelled(&mut self, written: &Loss, places: Places, body: &[u8]) {
        for lost in &written.lost {
            let field = spelled(&lost.field, places, body).unwrap_or_else(|| lost.field.clone());
            self.add(lost.change, field, lost.note);
        }
        self.beyond += written.beyond;
    }

    /// For `read_request`: no other dialect has any of it, and only an upstream of the caller's own may be asked. `why` is what
    /// the caller is told where there is none. The first one stands.
    pub fn bar(&mut self, why: Failure) {
        self.bar.get_or_insert_with(|| Box::new(why));
    }

    /// Takes out what bars it from other dialects.
    pub fn take_bar(&mut self) -> Option<Box<Failure>> {
        self.bar.take()
    }

    /// The fields, in the order in which they were met.
    pub fn fields(&self) -> &[Lost] {
        &self.lost
    }

    /// Fields that were met after the report was full.
    pub fn beyond(&self) -> u32 {
        self.beyond
    }

    /// In a header: `dropped=top_k,seed;clamped=temperature`, of at most `most` bytes. What was only renamed is left out.
    pub fn short(&self, most: usize) -> String {
        let mut out = String::new();
        for change in Change::ALL.into_iter().filter(|change| change.loses()) {
            let named = self.lost.iter().filter(|lost| lost.change == change);
            for (at, lost) in named.enumerate() {
                let (before, word) = match at {
                    0 if out.is_empty() => ("", change.as_str()),
                    0 => (";", change.as_str()),
                    _ => (",", ""),
                };
                let equals = if at == 0 { "=" } else { "" };
                if out.len() + before.len() + word.len() + equals.len() + lost.field.len() > most {
                    return out;
                }
                out.extend([before, word, equals, &lost.field]);
            }
        }
        out
    }

    /// All of it in words: `dropped top_k (no such field); clamped temperature (0 to 1)`. `None` if nothing was lost.
    pub fn full(&self) -> Option<String> {
        let mut all: Vec<String> = self
            .lost
            .iter()
            .map(|Lost { field, change, note }| match *note {
                "" => format!("{} {field}", change.as_str()),
                note => format!("{} {field} ({note})", change.as_str()),
            })
            .collect();
        if self.beyond > 0 {
            all.push(format!("{} more", self.beyond));
        }
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Whether one of its fields became that.
    pub fn has(&self, change: Change) -> bool {
        self.lost.iter().any(|lost| lost.change == change)
    }

    /// Whether something cannot be had as it was asked for.
    pub fn loses(&self) -> bool {
        self.beyond > 0 || self.lost.iter().any(|lost| lost.change.loses())
    }

    /// Whether all was carried as it was.
    pub fn is_empty(&self) -> bool {
        self.lost.is_empty()
    }
}

/// A place of the neutral request as the caller who wrote `body` has it, where that is otherwise.
fn spelled(field: &str, places: Places, body: &[u8]) -> Option<Cow<'static, str>> {
    let below =
        |place: &str| field.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[', ':']));
    let rows = places.iter().filter_map(|(place, own)| Some((place.len(), *own, below(place)?)));
    let (_, own, rest) = rows.max_by_key(|(length, ..)| *length)?;
    let has = |place: &&str| {
        let last = place.rsplit('.').next().unwrap_or_default();
        memchr::memmem::find(body, format!("\"{}\"", last.trim_end_matches("[]")).as_bytes()).is_some()
    };
    let (first, others) = own.split_once('|').unwrap_or((own, ""));
    let own = if others.is_empty() { first } else { own.split('|').find(has).unwrap_or(first) };
    Some(if rest.is_empty() { Cow::Borrowed(own) } else { Cow::Owned(format!("{own}{rest}")) })
}

/// A name of bounded length that a header can hold.
fn bounded(field: Cow<'static, str>) -> Cow<'static, str> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';' | '=' | '"');
    if field.len() <= LONGEST && field.chars().all(fits) {
        return field;
    }
    Cow::Owned(field.chars().map(|c| if fits(c) { c } else { '_' }).take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_once_and_its_name_is_fit_for_a_header() {
        let mut loss = Loss::default();
        loss.add(Change::Dropped, "a\r\nb: c, d", "unknown");
        loss.add(Change::Dropped, "a\r\nb: c, d", "unknown");
        loss.add(Change::Dropped, "ü".repeat(500), "unknown");
        assert_eq!(loss.fields().len(), 2);
        assert_eq!(loss.fields()[0].field, "a__b:_c__d");
        assert!(loss.fields()[1].field.len() <= LONGEST);
        for at in 0..100 {
            loss.add(Change::Dropped, at.to_string(), "unknown");
        }
        assert_eq!((loss.fields().len(), loss.beyond()), (MOST, 38));
    }
}
