//! A scripted store: does what it is asked, or not, and answers once, twice, late or never.

use std::collections::BTreeMap;
use std::sync::Arc;

use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::ledger::Row;
use hoosh_core::store::{Earlier, Op, Outcome, Shelf};

use crate::dice::Dice;
use crate::plan::StoreMood;

/// What the store holds. It keeps the contract of [`hoosh_core::store::Store`]; only its answers go astray.
#[derive(Debug)]
pub struct ScriptedStore {
    /// Every row of the ledger.
    pub rows: Vec<Row>,
    /// Every request record.
    pub requests: Vec<Row>,
    /// The last one is in progress, or ended and nobody asked since.
    runs: Vec<Run>,
    last_group: u64,
    /// Responses.
    shelf: Shelf,
}

#[derive(Debug, Default)]
struct Run {
    /// Leased and not returned, by budget.
    leased: BTreeMap<Arc<str>, u64>,
    used: BTreeMap<Arc<str>, u64>,
    /// What somebody held of each when it ended in order.
    held: Option<Vec<(Arc<str>, u64)>>,
    /// Where its rows begin.
    rows_at: usize,
}

impl Run {
    fn used(&self, budget: &str) -> u64 {
        self.used.get(budget).copied().unwrap_or(0)
    }

    fn leased(&self, budget: &str) -> u64 {
        self.leased.get(budget).copied().unwrap_or(0)
    }

    fn unspent(&self, budget: &str) -> u64 {
        let unspent = self.leased(budget).saturating_sub(self.used(budget));
        match &self.held {
            Some(held) => held.iter().filter(|(name, _)| &**name == budget).map(|(_, t)| t).sum::<u64>().min(unspent),
            None => unspent,
        }
    }
}

impl ScriptedStore {
    /// Nothing is in it, and a run in progress.
    pub fn new() -> ScriptedStore {
        ScriptedStore {
            rows: Vec::new(),
            requests: Vec::new(),
            runs: vec![Run::default()],
            last_group: 0,
            shelf: Shelf::default(),
        }
    }

    /// Another process comes, whatever became of the one before.
    pub fn begin_run(&mut self) {
        self.runs.push(Run { rows_at: self.rows.len(), ..Run::default() });
        self.last_group = 0;
    }

    /// Tokens lent to the gateway in this run.
    pub fn lent(&self, budget: &str) -> u64 {
        self.runs.last().map_or(0, |run| run.leased(budget))
    }

    /// What nobody will spend, of all runs.
    pub fn lost(&self, budget: &str) -> u64 {
        self.runs.iter().map(|run| run.unspent(budget)).sum()
    }

    /// Tokens of a budget that somebody held when the last run ended.
    pub fn held(&self, budget: &str) -> u64 {
        let held = self.runs.last().and_then(|run| run.held.as_ref()).into_iter().flatten();
        held.filter(|(name, _)| &**name == budget).map(|(_, tokens)| tokens).sum()
    }

    /// Whether the last run ended in order.
    pub fn has_ended(&self) -> bool {
        self.runs.last().is_some_and(|run| run.held.is_some())
    }

    /// Tokens that the rows of this run used.
    pub fn used_in_run(&self, budget: &str) -> u64 {
        self.runs.last().map_or(0, |run| run.used(budget))
    }

    /// The rows of this run.
    pub fn rows_of_run(&self) -> &[Row] {
        self.runs.last().map_or(&[], |run| &self.rows[run.rows_at..])
    }

    /// Performs `op` as drawn; the answers, each after a delay in microseconds.
    pub fn perform(&mut self, dice: &mut Dice, mood: &StoreMood, op: Op) -> Vec<(u64, Outcome)> {
        let soon = dice.span(1, 20 * MILLISECOND);
        if dice.chance(mood.fails) {
            return vec![(soon, Outcome::Failed("scripted".into()))];
        }
        if dice.chance(mood.silent) {
            if dice.chance(50) {
                self.apply(op);
            }
            return Vec::new();
        }
        let outcome = self.apply(op);
        if dice.chance(mood.late) {
            return vec![(dice.range(5 * SECOND, 9 * SECOND), outcome)];
        }
        if dice.chance(mood.twice) {
            return vec![(soon, outcome.clone()), (dice.range(soon, soon + SECOND), outcome)];
        }
        vec![(soon, outcome)]
    }

    fn apply(&mut self, op: Op) -> Outcome {
        if let Op::Recall { key, now_us } = op {
            // It changes nothing, and belongs to no run.
            return Outcome::Recalled(self.shelf.recall(&key, now_us));
        }
        if self.has_ended() {
            // An end whose answer was lost is asked for again.
            if let Op::End { .. } = op {
                return Outcome::Stored;
            }
            self.begin_run();
        }
        let before = self.runs.len() - 1;
        let committed =
            |runs: &[Run], budget: &str| runs.iter().map(|r| r.used(budget) + r.unspent(budget)).sum::<u64>();
        match op {
            Op::Restore { budgets } => {
                let dead = &self.runs[..before];
                let earlier = |budget: &Arc<str>| Earlier {
                    used: dead.iter().map(|run| run.used(budget)).sum(),
                    lost: dead.iter().map(|run| run.unspent(budget)).sum(),
                    lost_by_last: dead.last().map_or(0, |run| run.unspent(budget)),
                };
                Outcome::Restored(budgets.iter().map(earlier).collect())
            }
            Op::Lease { budget, capacity, tokens } => {
                let granted = tokens.min(capacity.saturating_sub(committed(&self.runs, &budget)));
                *self.runs[before].leased.entry(budget).or_default() += granted;
                Outcome::Leased { tokens: granted }
            }
            Op::Return { budget, tokens } => {
                let leased = self.runs[before].leased.entry(budget).or_default();
                *leased = leased.saturating_sub(tokens);
                Outcome::Stored
            }
            Op::Append { group, rows } => {
                if group > self.last_group {
                    self.last_group = group;
                    for row in rows {
                        if !row.asked {
                            self.requests.push(row);
                            continue;
                        }
                        if let Some(budget) = &row.budget {
                            *self.runs[before].used.entry(budget.clone()).or_default() += row.usage.total();
                        }
                        self.rows.push(row);
                    }
                }
                Outcome::Stored
            }
            Op::Remember { changes, bounds } => {
                self.shelf.remember(changes, bounds);
                Outcome::Stored
            }
            Op::Recall { key, now_us } => Outcome::Recalled(self.shelf.recall(&key, now_us)),
            Op::End { held } => {
                self.runs[before].held = Some(held);
                Outcome::Stored
            }
        }
    }
}
