//! How long an attempt may take: what its model's route says, else its provider, else `[deadlines]`.

use super::Exchange;
use crate::config::Deadlines;
use crate::gateway::Upstream;

impl Exchange {
    pub(super) fn deadlines_at(&self, model: &str, upstream: &Upstream) -> Deadlines {
        match self.snap.route(model) {
            Some(route) => upstream.deadlines.but(&route.patience),
            None => upstream.deadlines.clone(),
        }
    }

    /// Before anybody is asked only the model is known.
    pub(super) fn bound_by_model(&mut self) {
        let first = self.choice.candidates.as_ref().and_then(|all| all.first());
        let route = first.and_then(|candidate| self.snap.route(&candidate.model));
        let own = route.and_then(|route| route.patience.total_secs);
        self.total_secs = own.map_or(self.snap.config.deadlines.total_secs, u64::from);
    }
}
