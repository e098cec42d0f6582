//! Which provider owns which slot of the counters.

/// Providers counted by name; further ones are `other`.
pub const MAX_PROVIDERS: usize = 256;

/// A provider's place in the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u16);

impl Slot {
    /// Whoever has no slot of their own.
    pub const OTHER: Slot = Slot(0);
}

/// Slot 0 is `other`; slot i + 1 is `owners[i]`'s.
#[derive(Debug, Default)]
pub(super) struct Names {
    owners: Vec<Owner>,
    reloads: u64,
}

#[derive(Debug)]
struct Owner {
    name: String,
    /// The last reload in which it was present.
    seen: u64,
}

impl Names {
    /// Slots in use, `other` included.
    pub(super) fn len(&self) -> usize {
        self.owners.len() + 1
    }

    /// The label value of a slot.
    pub(super) fn name(&self, slot: usize) -> &str {
        match slot {
            0 => "other",
            slot => &self.owners[slot - 1].name,
        }
    }

    /// Slots for `present`, and those among them that another name owned before.
    pub(super) fn reload(&mut self, present: &[&str]) -> (Vec<Slot>, Vec<Slot>) {
        self.reloads += 1;
        let reload = self.reloads;
        // All that stay come first, so that no newcomer takes the slot of one further down the list.
        for owner in &mut self.owners {
            if present.contains(&owner.name.as_str()) {
                owner.seen = reload;
            }
        }
        let mut taken_over = Vec::new();
        let slots = present.iter().map(|name| self.slot(name, &mut taken_over)).collect();
        (slots, taken_over)
    }

    fn slot(&mut self, name: &str, taken_over: &mut Vec<Slot>) -> Slot {
        let slot = |at: usize| Slot(at as u16 + 1);
        // A provider named `other` shares that series: two series of one name and label would be invalid.
        if name == "other" {
            return Slot::OTHER;
        }
        if let Some(at) = self.owners.iter().position(|owner| owner.name == name) {
            return slot(at);
        }
        let owner = Owner { name: name.to_owned(), seen: self.reloads };
        if self.owners.len() < MAX_PROVIDERS {
            self.owners.push(owner);
            return slot(self.owners.len() - 1);
        }
        let gone = self.owners.iter().enumerate().filter(|(_, owner)| owner.seen < self.reloads);
        let Some((at, _)) = gone.min_by_key(|(_, owner)| owner.seen) else { return Slot::OTHER };
        self.owners[at] = owner;
        taken_over.push(slot(at));
        slot(at)
    }
}
