"""Windows of any task and topic to padded batches, under a budget of padded tokens; pure functions.

Padding is paid in full, so windows are sorted by length and cut where the sum of the runs' costs is least
(dynamic programming over a cost `run + n * (token * m + square * m**2)` for n windows of at most m tokens).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worker.arrays import Ints2d
from worker.tokenizer import Window

MAX_BATCH_WINDOWS = 32
"""Longer runs gain nothing, and bound the work of the cut search."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Time of one run in microseconds: a fixed part, a part a token, and the attention's part a token squared.

    Only the ratios matter. Fitted on an AVX512-VNNI core (`python -m benchmarks.cost` prints a machine's own).
    """

    run: float = 950.0
    token: float = 40.0
    square: float = 0.05

    def of(self, windows: int, longest: int) -> float:
        """Return the cost of a run of `windows` windows padded to `longest` tokens."""
        return self.run + windows * (self.token * longest + self.square * longest * longest)


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one encoder run, int64 of shape (windows, tokens), padded with zeros on the right."""

    input_ids: Ints2d
    attention_mask: Ints2d
    token_type_ids: Ints2d
    tokens: int
    """Real tokens, without padding."""

    @property
    def padded_tokens(self) -> int:
        """Tokens that are computed, with padding."""
        return self.input_ids.size


def cut(lengths: Sequence[int], max_tokens: int, cost: Cost) -> list[list[int]]:
    """Return the positions of `lengths` grouped into runs, each position exactly once, cheapest in sum.

    A run has at most `max_tokens` padded tokens, unless a single length is above it. Shorter runs come first.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    best = [0.0] + [float("inf")] * len(order)
    begin = [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        widest = max(1, min(MAX_BATCH_WINDOWS, max_tokens // longest))
        for start in range(max(0, end - widest), end):
            total = best[start] + cost.of(end - start, longest)
            if total < best[end]:
                best[end], begin[end] = total, start
    runs = []
    end = len(order)
    while end:
        runs.append(order[begin[end] : end])
        end = begin[end]
    return runs[::-1]


def pad(windows: Sequence[Window]) -> Batch:
    """Return the windows as one batch, padded to the longest."""
    longest = max(len(window) for window in windows)
    input_ids = np.zeros((len(windows), longest), np.int64)
    attention_mask = np.zeros_like(input_ids)
    token_type_ids = np.zeros_like(input_ids)
    for row, window in enumerate(windows):
        tokens = len(window)
        input_ids[row, :tokens] = window.input_ids
        attention_mask[row, :tokens] = 1
        token_type_ids[row, :tokens] = window.token_type_ids
    return Batch(input_ids, attention_mask, token_type_ids, sum(len(window) for window in windows))
