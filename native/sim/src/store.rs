//! A scripted store: does what it is asked, or not, and answers once, twice, late or never.

use std::collections::BTreeMap;
use std::sync::Arc;

use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::ledger::Row;
use hoosh_core::store::{Op, Outcome};

use crate::dice::Dice;
use crate::plan::StoreMood;

/// What the store holds. It keeps the contract of [`hoosh_core::store::Store`]; only its answers go astray.
#[derive(Debug, Default)]
pub struct ScriptedStore {
    /// Tokens lent to the gateway, by budget.
    pub leased: BTreeMap<Arc<str>, u64>,
    /// Every row of the ledger.
    pub rows: Vec<Row>,
    /// Every request record.
    pub requests: Vec<Row>,
    last_group: u64,
}

impl ScriptedStore {
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
        match op {
            Op::Lease { budget, capacity, tokens } => {
                let leased = self.leased.entry(budget).or_default();
                let granted = tokens.min(capacity.saturating_sub(*leased));
                *leased += granted;
                Outcome::Leased { tokens: granted }
            }
            Op::Return { budget, tokens } => {
                let leased = self.leased.entry(budget).or_default();
                *leased = leased.saturating_sub(tokens);
                Outcome::Stored
            }
            Op::Append { group, rows } => {
                if group > self.last_group {
                    self.last_group = group;
                    for row in rows {
                        if row.asked { &mut self.rows } else { &mut self.requests }.push(row);
                    }
                }
                Outcome::Stored
            }
        }
    }
}
