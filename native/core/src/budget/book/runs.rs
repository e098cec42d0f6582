//! What runs before this one took of the capacity: asked for once, and added to when this one ends.

use super::Book;
use crate::store::Earlier;
use crate::wake::Wakes;

impl Book {
    /// What earlier runs left of the capacity.
    pub(super) fn ceiling(&self) -> u64 {
        self.capacity.saturating_sub(self.earlier.used).saturating_sub(self.earlier.lost)
    }

    pub(super) fn earlier_needed(&self) -> bool {
        !self.earlier_known && !self.earlier_asked
    }

    /// Whether the store must be asked what earlier runs took; from now on it is.
    pub(in crate::budget) fn ask_earlier(&mut self) -> bool {
        let needed = self.earlier_needed() && !self.retired;
        self.earlier_asked |= needed;
        needed
    }

    pub(in crate::budget) fn restore(&mut self, earlier: Earlier) {
        if !self.earlier_known {
            (self.earlier, self.earlier_known) = (earlier, true);
            self.store_down = false;
        }
    }

    pub(in crate::budget) fn fail_restore(&mut self, wakes: &mut Wakes) {
        if !self.earlier_known {
            self.earlier_asked = false;
            self.down(wakes);
        }
    }

    /// The run is over and the store knows it: what was used is of an earlier one, and the next begins with nothing.
    /// What is still reserved stays so, and its tokens are lost to the store.
    pub(in crate::budget) fn end_run(&mut self) {
        self.earlier.used = self.earlier.used.saturating_add(self.used);
        (self.leased, self.used) = (0, 0);
        (self.earlier_known, self.earlier_asked) = (false, false);
        (self.store_empty, self.asked) = (false, None);
    }
}
