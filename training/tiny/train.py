"""Trains hoosh-tiny: a time-boxed run that goes on from a checkpoint of the same folder.

Usage: train.py FOLDER --minutes 30 [--decay 0.4] [--seed 1] [--threads 2]

FOLDER gets tokenizer.json (if it is not there) and checkpoint.pt. The learning rate stays, and falls by a cosine over the
last share of the minutes (--decay; 0: never, for a run that is to be gone on with). SIGTERM ends a run early.
The next one goes on from the checkpoint with its own minutes.
"""

import argparse
import math
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as nnf
from torch import Tensor

from build_text import Talk
from chat import Form, loaded, trained
from model import Shape, Tiny
from muon import Muon
from phrases import Text

TOKENS = 2_800
"""Of a batch, padding included."""
DRAWN = 600
"""Conversations that are sorted by length together, so that little is padding."""
CUT = 7
"""Tokens that a cut answer has: where it is decided which answer it is."""
WHOLE_FROM, WHOLE_CUT = 0.65, 0.6
"""From this share of the time on, when the rate falls, so many answers are cut: their ends are learned once more."""
BLURRED = 0.12
"""Share of conversations whose questions are spelled by chance."""
MUON_RATE, ADAM_RATE = 0.02, 0.004
KNOWN_STEPS = 250
"""Steps after which answers are known by heart, so that most may be cut."""
WARM_STEPS = 40
"""Steps in which the rate rises, from the first one of a model."""


class Lessons:
    """Batches without end."""

    def __init__(self, text: Text, form: Form, seed: int, context: int) -> None:
        self._talk = Talk(text, seed).conversations()
        self._draw = random.Random(seed + 1)
        self._form, self._context = form, context
        self.cut_share = 0.0

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Tokens, positions, and which tokens are learned."""
        while True:
            drawn = sorted((self._lesson() for _ in range(DRAWN)), key=lambda one: len(one[0]))
            cuts, batch = [], []
            for one in drawn:
                if batch and (len(batch) + 1) * len(one[0]) > TOKENS:
                    cuts.append(batch)
                    batch = []
                batch.append(one)
            cuts.append(batch)
            self._draw.shuffle(cuts)
            for batch in cuts:
                yield self._padded(batch)

    def _lesson(self) -> tuple[list[int], list[bool]]:
        blurred = self._draw.random() < BLURRED
        cut = CUT if self._draw.random() < self.cut_share else None
        tokens, learned = self._form.lesson(next(self._talk), blurred=blurred, cut=cut)
        return tokens[:500], learned[:500]

    def _padded(self, batch: list[tuple[list[int], list[bool]]]) -> tuple[Tensor, Tensor, Tensor]:
        longest = max(len(tokens) for tokens, _ in batch)
        tokens = torch.zeros(len(batch), longest, dtype=torch.long)
        learned = torch.zeros(len(batch), longest, dtype=torch.bool)
        places = torch.arange(longest).repeat(len(batch), 1)
        for row, (ids, marks) in enumerate(batch):
            tokens[row, : len(ids)] = torch.tensor(ids)
            learned[row, : len(ids)] = torch.tensor(marks)
            # A gap of positions stands for a long prompt between what was said first and the question.
            if self._draw.random() < 0.1:
                at = self._draw.randint(1, longest)
                places[row, at:] += self._draw.randint(1, self._context - longest)
        return tokens, places, learned


def rate(steps: int, progress: float, decay: float) -> float:
    """Share of the peak rate after so many steps, at this share of the time."""
    if steps < WARM_STEPS:
        return (steps + 1) / WARM_STEPS
    if progress <= 1 - decay:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - 1 + decay) / decay))


def loss_of(model: Tiny, tokens: Tensor, places: Tensor, learned: Tensor) -> Tensor:
    """Cross entropy of the tokens that are learned, each foretold from what stands before it."""
    states = model.states(tokens[:, :-1], places[:, :-1])
    wanted = learned[:, 1:]
    return nnf.cross_entropy(model.logits(states[wanted]), tokens[:, 1:][wanted])


def main() -> None:
    """Train."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("folder", type=Path)
    wanted.add_argument("--minutes", type=float, required=True)
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--peak", type=float, default=1.0, help="share of the usual rate, to go on with a lower one")
    wanted.add_argument("--decay", type=float, default=0.4, help="share of the minutes in which the rate falls")
    wanted.add_argument("--cut", type=float, default=0.92, help="share of answers that are cut short, once they are known")
    wanted.add_argument("--threads", type=int, default=2)
    wanted.add_argument("--save-minutes", type=float, default=5)
    given = wanted.parse_args()
    begun = time.monotonic()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    given.folder.mkdir(parents=True, exist_ok=True)
    text = Text()
    file, kept = given.folder / "tokenizer.json", given.folder / "checkpoint.pt"
    if not file.exists():
        trained(text, given.seed).save(str(file))
    form = Form(loaded(file), loaded(file, dropout=0.12))
    before = torch.load(kept, weights_only=True) if kept.exists() else None
    shape = Shape(**before["shape"]) if before else Shape()
    model = Tiny(shape)
    if before:
        model.load_state_dict(before["weights"])
    steps, seen, spent = (before["steps"], before["seen"], before["spent"]) if before else (0, 0, 0.0)
    matrices = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "token_embd" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.dim() == 1 or "token_embd" in name]
    muon = Muon(matrices, MUON_RATE)
    adam = torch.optim.AdamW(others, ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    if before:
        muon.load_state_dict(before["muon"])
        adam.load_state_dict(before["adam"])
    lessons = Lessons(text, form, given.seed + steps, shape.context)
    print(f"{sum(weight.numel() for weight in model.parameters()):,} parameters, {len(text.intents)} intents", flush=True)

    def save() -> None:
        state = {"shape": asdict(shape), "weights": model.state_dict(), "steps": steps, "seen": seen}
        state |= {"muon": muon.state_dict(), "adam": adam.state_dict()}
        torch.save({**state, "spent": spent + time.monotonic() - begun}, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)

    box, saved, told, mean = given.minutes * 60, begun, 0, None
    model.train()
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    for tokens, places, learned in lessons.batches():
        progress = (time.monotonic() - begun) / box
        if progress >= 1 or ended:
            break
        if steps > KNOWN_STEPS:
            lessons.cut_share = min(given.cut, WHOLE_CUT) if given.decay and progress > WHOLE_FROM else given.cut
        for group, peak in ((muon.param_groups[0], MUON_RATE), (adam.param_groups[0], ADAM_RATE)):
            group["lr"] = peak * given.peak * rate(steps, progress, given.decay)
        loss = loss_of(model, tokens, places, learned)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in (muon, adam):
            optimizer.step()
            optimizer.zero_grad()
        steps, seen, told = steps + 1, seen + tokens.numel(), told + tokens.numel()
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if steps % 20 == 0:
            took = time.monotonic() - begun
            print(f"{took:6.0f} s  step {steps}  loss {mean:.4f}  {told / took:,.0f} tokens/s", flush=True)
        if time.monotonic() - saved > given.save_minutes * 60:
            save()
            saved = time.monotonic()
    save()


if __name__ == "__main__":
    main()
