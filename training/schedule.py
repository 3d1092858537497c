"""Which task a step trains, on which examples, and how fast: all of it a function of seed and step.

So a run that is resumed at a step sees what it would have seen, to the bit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

Sampling = Literal["round_robin", "proportional", "square_root", "annealed"]

_POOL_BATCHES = 50  # sorted by length together: more saves padding, but makes the order of lengths less random
_LAST_EXPONENT = 0.2


class Batches:
    """The examples of one task in batches of like sizes, pass after pass without end."""

    def __init__(self, sizes: Sequence[int], batch_rows: int, seed: Sequence[int]) -> None:
        self._sizes = sizes
        self._batch_rows = batch_rows
        self._seed = seed
        self._pass = -1
        self._plan: list[list[int]] = []

    def __len__(self) -> int:
        """Return the batches of one pass."""
        pool = self._batch_rows * _POOL_BATCHES
        whole, rest = divmod(len(self._sizes), pool)
        return whole * _POOL_BATCHES + -(-rest // self._batch_rows)

    def __getitem__(self, number: int) -> list[int]:
        """Return the examples of a batch; every pass sees each example once, in another order."""
        turn, place = divmod(number, len(self))
        if turn != self._pass:
            self._pass, self._plan = turn, self._order(np.random.default_rng([*self._seed, turn]))
        return self._plan[place]

    def _order(self, generator: np.random.Generator) -> list[list[int]]:
        order = generator.permutation(len(self._sizes)).tolist()
        pool = self._batch_rows * _POOL_BATCHES
        batches = []
        for start in range(0, len(order), pool):
            chosen = sorted(order[start : start + pool], key=self._sizes.__getitem__)
            batches += [chosen[first : first + self._batch_rows] for first in range(0, len(chosen), self._batch_rows)]
        return [batches[turn] for turn in generator.permutation(len(batches))]


def plan_tasks(passes: Mapping[str, int], steps: int, sampling: Sampling, seed: int) -> Iterator[tuple[str, int]]:
    """Yield the task of each step, and which batch of that task it is; `passes` are the batches of one pass each.

    A task's share is its size to the power α. α is 1 (`proportional`), ½ (`square_root`), or falls from 1 to 0.2
    over the run (`annealed`: Stickland and Murray 2019); `round_robin` takes turns. Turns are spread evenly, so that no
    head is forgotten while another learns.
    """
    names = list(passes)
    sizes = np.array([passes[name] for name in names], float)
    taken = np.zeros(len(names), int)
    owed = np.random.default_rng(seed).random(len(names)) * 1e-3  # who begins
    for step in range(steps):
        shares = sizes ** _exponent(sampling, step / steps)
        owed += shares / shares.sum()
        number = int(owed.argmax())
        owed[number] -= 1
        yield names[number], int(taken[number])
        taken[number] += 1


def _exponent(sampling: Sampling, progress: float) -> float:
    if sampling == "annealed":
        return 1 - (1 - _LAST_EXPONENT) * progress
    return {"round_robin": 0.0, "proportional": 1.0, "square_root": 0.5}[sampling]


def rate_at(step: int, steps: int, warmup: float, decay: float) -> float:
    """Return the learning rate as a fraction of its highest: up in a line, level, and down in a line to 0.

    `warmup` and `decay` are the fractions of the steps in which it rises and falls.
    """
    progress = step / steps
    if progress < warmup:
        return progress / warmup
    return min(1.0, (1 - progress) / decay) if decay else 1.0
