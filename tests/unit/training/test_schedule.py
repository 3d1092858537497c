"""An epoch sees every row once, the tasks in turn."""

from collections import Counter

import numpy as np

from training.rows import Row
from training.schedule import plan_epoch
from worker.tokenizer import Window


def _rows(count: int, longest: int) -> list[Row]:
    lengths = np.random.default_rng(count).integers(3, longest, count)
    return [
        Row(Window(np.zeros(length, np.int64), np.zeros(length, np.int64), 1, 0, length - 2), np.array([number]))
        for number, length in enumerate(lengths)
    ]


def test_every_row_is_seen_once() -> None:
    rows = {"sentiment": _rows(101, 20), "ner": _rows(30, 40), "qa": _rows(64, 300)}

    plan = plan_epoch(rows, 8, np.random.default_rng(0))

    seen = Counter((task, int(row.target[0])) for task, batch in plan for row in batch)
    assert seen == Counter((task, number) for task, its_rows in rows.items() for number in range(len(its_rows)))
    assert all(len(batch) <= 8 for _, batch in plan)


def test_tasks_take_turns_in_proportion_to_their_size() -> None:
    plan = plan_epoch({"sentiment": _rows(80, 20), "ner": _rows(20, 20)}, 2, np.random.default_rng(0))

    turns = [task for task, _ in plan]
    assert [turns[first : first + 5].count("ner") for first in range(0, 50, 5)] == [1] * 10


def test_rows_of_like_length_share_a_batch() -> None:
    rows = {"qa": _rows(256, 300)}

    plan = plan_epoch(rows, 8, np.random.default_rng(0))

    padded = sum(len(batch) * max(len(row.window) for row in batch) for _, batch in plan)
    real = sum(len(row.window) for row in rows["qa"])
    assert padded < 1.1 * real


def test_same_seed_gives_the_same_epoch() -> None:
    rows = {"qa": _rows(40, 100)}

    first, second = (plan_epoch(rows, 8, np.random.default_rng(5)) for _ in range(2))

    assert [[int(row.target[0]) for row in batch] for _, batch in first] == [
        [int(row.target[0]) for row in batch] for _, batch in second
    ]
