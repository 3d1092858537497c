"""In which order an epoch sees the rows of the tasks."""

from collections.abc import Mapping, Sequence

import numpy as np

from training.rows import Row

_POOL_BATCHES = 50  # sorted by length together: more saves padding, but makes the order of lengths less random


def plan_epoch(
    rows: Mapping[str, Sequence[Row]], batch_rows: int, generator: np.random.Generator
) -> list[tuple[str, list[Row]]]:
    """Return the batches of one epoch with their task: every row once, the tasks taking turns in proportion to size.

    Batches of one task are spread evenly over the epoch, so that no head is forgotten while another learns.
    """
    turns = []
    for order, (task, its_rows) in enumerate(rows.items()):
        batches = _batches(its_rows, batch_rows, generator)
        turns += [((number + 0.5) / len(batches), order, task, batch) for number, batch in enumerate(batches)]
    turns.sort(key=lambda turn: turn[:2])
    return [(task, batch) for _, _, task, batch in turns]


def _batches(rows: Sequence[Row], batch_rows: int, generator: np.random.Generator) -> list[list[Row]]:
    """Return the rows in random batches of like lengths, in random order."""
    order = generator.permutation(len(rows)).tolist()
    pool = batch_rows * _POOL_BATCHES
    batches = []
    for start in range(0, len(order), pool):
        chosen = sorted(order[start : start + pool], key=lambda number: len(rows[number].window))
        batches += [chosen[first : first + batch_rows] for first in range(0, len(chosen), batch_rows)]
    return [[rows[number] for number in batches[turn]] for turn in generator.permutation(len(batches))]
