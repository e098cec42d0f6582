//! Calls that wait for a slot, in the order of their priority.

use std::collections::VecDeque;

use hoosh_core::engine::Priority;

use super::job::Job;

/// A queue for each priority.
#[derive(Default)]
pub(crate) struct Line {
    tiers: [VecDeque<Job>; Priority::ALL.len()],
}

impl Line {
    /// At the end of its tier.
    pub(crate) fn push(&mut self, call: Job) {
        self.tiers[call.standing().priority as usize].push_back(call);
    }

    /// Whoever is next, if `fits` says that it can start. If it cannot, nobody goes before it: a large call would wait
    /// for ever behind small ones.
    pub(crate) fn pop_if(&mut self, fits: impl FnOnce(&Job) -> bool) -> Option<Job> {
        let tier = self.tiers.iter_mut().rev().find(|tier| !tier.is_empty())?;
        match tier.front().is_some_and(fits) {
            true => tier.pop_front(),
            false => None,
        }
    }

    /// Lets those go whose readers are gone.
    pub(crate) fn drop_left(&mut self) {
        for tier in &mut self.tiers {
            tier.retain(|call| !call.outlet().is_left());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tiers.iter().map(VecDeque::len).sum()
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Job> + '_ {
        self.tiers.iter_mut().flat_map(|tier| tier.drain(..))
    }
}
