//! Choosing among candidates. Stateless: the caller keeps the turn and what was tried.

use smallvec::SmallVec;

use super::Candidate;
use crate::config::Strategy;

/// Indices of the candidates that were picked already. Attempts are few, so that this stays on the stack.
pub type Tried = SmallVec<[u32; 8]>;

/// Candidates whose latency is compared for one choice. Beyond it a sample is as good: the best of 32 lies in the
/// fastest tenth with a probability of 97 %, and the cost stays flat.
const SAMPLE: usize = 32;

/// Chooses the next candidate that is `usable` and not among `tried`, adds it there and returns its index; `None` when
/// there is no more.
///
/// * `Priority`, `Direct`: the first.
/// * `RoundRobin`: the first from `turn % n` on, in a circle.
/// * `LowestLatency`: an unmeasured one before all others, then the smallest; equals from a place on that `turn`
///   decides, so that not everybody explores the same one. Among more than 32, a sample of 32 that `turn` decides;
///   when nothing in it is left, the rest in a circle.
///
/// So among the candidates of one step; those of the next follow when none is left.
///
/// `usable` (a breaker, a key's scope) is asked without a promise that the candidate is picked, so that it must have no
/// effects. `latency` gives a provider's recent time to the first byte in any one unit.
pub fn pick(
    strategy: Strategy,
    candidates: &[Candidate],
    turn: u64,
    tried: &mut Tried,
    usable: impl Fn(&Candidate) -> bool,
    latency: impl Fn(u32) -> Option<u64>,
) -> Option<usize> {
    if candidates.last().is_none_or(|last| last.step == 0) {
        return pick_among(strategy, candidates, 0, turn, tried, &usable, &latency);
    }
    // The models that an alias stands for, one after the other.
    let mut first = 0;
    candidates.chunk_by(|a, b| a.step == b.step).find_map(|step| {
        let picked = pick_among(strategy, step, first, turn, tried, &usable, &latency);
        first += step.len();
        picked
    })
}

/// The same among candidates of one step, which stand from number `first` on. Returns the number in the whole list.
fn pick_among(
    strategy: Strategy,
    candidates: &[Candidate],
    first: usize,
    turn: u64,
    tried: &mut Tried,
    usable: &impl Fn(&Candidate) -> bool,
    latency: &impl Fn(u32) -> Option<u64>,
) -> Option<usize> {
    let n = candidates.len();
    if n == 0 {
        return None;
    }
    let open = |i: &usize| !tried.contains(&((first + *i) as u32)) && usable(&candidates[*i]);
    let circle = |start: usize| (start..n).chain(0..start);
    let picked = match strategy {
        Strategy::Priority | Strategy::Direct => (0..n).find(open),
        Strategy::RoundRobin => circle((turn % n as u64) as usize).find(open),
        Strategy::LowestLatency => {
            let start = (scatter(turn) % n as u64) as usize;
            // Evenly spread, so that no index occurs twice; a stride of 1 takes all.
            let (size, stride) = if n <= SAMPLE { (n, 1) } else { (SAMPLE, n / SAMPLE) };
            let sample = (0..size).map(|k| (start + k * stride) % n).filter(open);
            // The first of equals wins. `None` is smaller than every `Some`.
            sample.min_by_key(|i| latency(candidates[*i].provider)).or_else(|| circle(start).find(open))
        }
    };
    let picked = picked.map(|i| first + i);
    tried.extend(picked.map(|i| i as u32));
    picked
}

/// Turns that follow each other lead to places that do not (the finaliser of SplitMix64).
fn scatter(turn: u64) -> u64 {
    let mut z = turn.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
