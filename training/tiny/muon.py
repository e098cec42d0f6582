"""Muon (Keller Jordan, 2024): momentum whose matrices are made orthogonal, which needs fewer tokens than Adam."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

# The quintic of the original, whose iterations bring all singular values near 1.
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonal(g: Tensor) -> Tensor:
    """The nearest orthogonal matrices to a stack of them, roughly."""
    wide = g.shape[-2] > g.shape[-1]
    x = g.mT if wide else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        s = x @ x.mT
        x = A * x + (B * s + C * s @ s) @ x
    return x.mT if wide else x


class Muon(torch.optim.Optimizer):
    """For matrices only. Those of one form are worked on together."""

    def __init__(self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.05) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step."""
        for group in self.param_groups:
            forms: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    forms[weight.shape].append(weight)
            for form, weights in forms.items():
                moved = []
                for weight in weights:
                    kept = self.state[weight].setdefault("moved", torch.zeros_like(weight))
                    kept.lerp_(weight.grad, 1 - group["momentum"])
                    moved.append(weight.grad.lerp(kept, group["momentum"]))
                scale = group["lr"] * max(1.0, form[0] / form[1]) ** 0.5
                for weight, step in zip(weights, orthogonal(torch.stack(moved)), strict=True):
                    weight.mul_(1 - group["lr"] * group["decay"]).add_(step, alpha=-scale)
