"""Plants one fault after another in a copy of the core, and expects the simulator to name the invariant it breaks.

Usage: mutate.py [WORD...]      (`make mutations` calls it; WORDs select invariants)

Shows that the simulator can fail. Each fault is one small replacement, the kind of slip that a review could miss.
Exits 1 if a fault was not found, or if its place in the source is gone.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_BROKEN = re.compile(r"invariant (.+?) is broken: (.*)")


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in `file` (below native/core/src); `breaks` is the invariant as the simulator names it."""

    breaks: str
    what: str
    file: str
    old: str
    new: str


FAULTS = [
    Fault(
        "9 ledger",
        "a run ends while rows wait to be stored",
        "gateway/keeper.rs",
        "|| self.rows_waiting() > 0",
        "",
    ),
    Fault(
        "9 ledger",
        "what earlier runs used is forgotten",
        "budget/book/runs.rs",
        "(self.earlier, self.earlier_known) = (earlier, true);",
        "self.earlier_known = true;",
    ),
    Fault(
        "1 reservations",
        "what is reserved may be granted again",
        "budget/book.rs",
        "self.leased.min(self.ceiling()).saturating_sub(self.committed())",
        "self.leased.min(self.ceiling()).saturating_sub(self.used)",
    ),
    Fault(
        "2 one outcome",
        "a failed attempt is retried after content",
        "exchange/fall.rs",
        "if self.out.is_committed() {",
        "if false {",
    ),
    Fault(
        "3 scope",
        "a credential that was read again is not sent",
        "gateway/renewal.rs",
        "self.authorization.store(Arc::new(authorization));",
        "",
    ),
    Fault(
        "3 scope",
        "a revoked key goes on until its exchange ends",
        # Where it is marked; that it may ask nobody is looked at in three places behind that.
        "gateway/build.rs",
        "holder.live.revoked.store(true, Ordering::Relaxed);",
        "",
    ),
    Fault(
        "3 scope",
        "whoever waited for a provider that failed meanwhile is told that the key is to blame",
        "exchange/choose.rs",
        "return opened.then_some(Move::Again);",
        'return opened.then_some(Move::Again).or_else(|| Some(self.refuse(Failure::new(Code::ModelForbidden, ""))));',
    ),
    Fault(
        "4 retries",
        "one attempt too many",
        "exchange/again.rs",
        "self.choice.attempts < settings.max_attempts",
        "self.choice.attempts <= settings.max_attempts",
    ),
    Fault(
        "4 retries",
        "a provider's rate is looked at and never taken",
        "exchange/turn.rs",
        "None => Line::default().take(&asks, owner, self.now.mono_us),",
        "None => Ok(None),",
    ),
    Fault(
        "4 retries",
        "a provider's tokens of a minute are looked at and never taken",
        "exchange/choose.rs",
        "        self.account.provider_tokens = tokens;",
        "        drop(tokens);",
    ),
    Fault(
        "4 retries",
        "a refused credential is asked with at once again",
        "health/credentials.rs",
        "                self.accepted.failure(now_us, blame);",
        "",
    ),
    Fault(
        "5 cache",
        "idempotency keys are not read",
        "exchange/gates.rs",
        "if self.call().once.is_some() { Gate::Once } else { Gate::Rate }",
        "Gate::Rate",
    ),
    Fault(
        "5 cache",
        "a twin in progress does not count",
        "idempotency.rs",
        "Some(_) => return Standing::Running,",
        "Some(_) => {}",
    ),
    Fault(
        "5 cache",
        "all tenants share one cache",
        "gateway/snapshot.rs",
        "tenant: tenant_of(key, models),",
        "tenant: Arc::default(),",
    ),
    Fault(
        "6 upstreams",
        "a caller that left does not stop its upstream",
        "exchange/leave.rs",
        "        self.leave_attempt();\n",
        "",
    ),
    Fault(
        "7 buffers",
        "a slow caller does not stop the reading of its upstream",
        "exchange/follow.rs",
        "if behind < MAX_BEHIND && attempt",
        "if behind < u64::MAX && attempt",
    ),
    Fault(
        "8 trace",
        "the seed is not the only source of chance",
        "gateway/mod.rs",
        "        let metrics = Metrics::new(LANES);\n",
        "        let metrics = Metrics::new(LANES);\n"
        "        let chance = std::collections::hash_map::RandomState::new();\n"
        "        let seed = seed ^ std::hash::BuildHasher::hash_one(&chance, seed);\n",
    ),
    Fault(
        "1 reservations",
        "a second report of a reservation is taken for a late one",
        "gateway/reservations.rs",
        "State::Settled => Claim::Settled,",
        "State::Settled => Claim::Late(entry.pool.clone()),",
    ),
    Fault(
        "9 ledger",
        "what a caller reported leaves no row",
        "exchange/settle.rs",
        "upstream.is_some() || reported.is_some();",
        "upstream.is_some();",
    ),
    Fault(
        "9 ledger",
        "a group that is asked for again gets a new number",
        "gateway/chores.rs",
        "group: group.number, rows: group.rows.clone()",
        "group: group.number.max(self.last_id + 1), rows: group.rows.clone()",
    ),
    Fault(
        "10 progress",
        "a silent stream shows no life",
        "exchange/alive.rs",
        "(self.out.spoke_us, server.keep_alive_secs)",
        "(self.out.spoke_us, server.keep_alive_secs * 10)",
    ),
    Fault(
        "10 progress",
        "followers are not woken when their leader lands",
        "flight.rs",
        "for_each(|waker| waker.wake());",
        "for_each(|_| ());",
    ),
    Fault(
        "10 progress",
        "an upstream's Retry-After is waited for, however long",
        "exchange/again.rs",
        "        at_us <= self.now.mono_us",
        "        true || at_us <= self.now.mono_us",
    ),
]


def found(fault: Fault, tree: Path, target: Path) -> tuple[bool, str]:
    """Plants `fault`, runs the simulator, takes it out again; whether it was found, and what was said."""
    path = tree / "native/core/src" / fault.file
    source = path.read_text()
    if source.count(fault.old) != 1:
        return False, f"its place is in {fault.file} {source.count(fault.old)} times"
    path.write_text(source.replace(fault.old, fault.new))
    command = ["cargo", "run", "--quiet", "-p", "hoosh-sim", "--", "run", "--exchanges", "400000"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": "-Awarnings"}
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    path.write_text(source)
    named = _BROKEN.findall(run.stdout)
    if not named:
        return False, (run.stderr or run.stdout)[-400:]
    words = next((words for invariant, words in named if invariant == fault.breaks), None)
    if words is None:
        return False, f"found, but as {named[0][0]}: {named[0][1]}"
    return True, words[:100]


def main(words: list[str]) -> int:
    """Runs the chosen faults; 0 if each was found."""
    chosen = [fault for fault in FAULTS if not words or any(word in fault.breaks for word in words)]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        # Every member of the workspace, or cargo takes none.
        for name in ["Cargo.toml", "Cargo.lock", "native", "cffi", "benchmarks"]:
            here = _ROOT / name
            (shutil.copytree if here.is_dir() else shutil.copy)(here, tree / name)
        target = Path(os.environ.get("CARGO_TARGET_DIR", _ROOT / "target")) / "mutations"
        for fault in chosen:
            ok, said = found(fault, tree, target)
            missed += not ok
            print(f"{'found ' if ok else 'MISSED'} {fault.breaks}: {fault.what} ({said})", flush=True)
    print(f"{len(chosen) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
