"""What a step trains on is a function of seed and step alone, and every example has its turn."""

from collections import Counter

import numpy as np
import pytest

from training.schedule import Batches, Sampling, plan_tasks, rate_at

_PASSES = {"sentiment": 400, "ner": 100, "qa": 900}


def _sizes(count: int, longest: int = 300) -> list[int]:
    sizes: list[int] = np.random.default_rng(count).integers(3, longest, count).tolist()
    return sizes


def test_every_pass_sees_each_example_once_in_another_order() -> None:
    batches = Batches(_sizes(101), 8, [0])

    passes = [[batches[turn * len(batches) + place] for place in range(len(batches))] for turn in range(2)]

    for each in passes:
        assert Counter(number for batch in each for number in batch) == Counter(range(101))
        assert all(len(batch) <= 8 for batch in each)
    assert passes[0] != passes[1]


@pytest.mark.parametrize("count", [1, 7, 8, 399, 400, 401, 1000])
def test_length_is_the_number_of_batches_of_a_pass(count: int) -> None:
    batches = Batches(_sizes(count), 8, [0])

    assert sum(len(batches[number]) for number in range(len(batches))) == count


def test_examples_of_like_size_share_a_batch() -> None:
    sizes = _sizes(256)
    batches = Batches(sizes, 8, [0])

    padded = sum(8 * max(sizes[number] for number in batches[place]) for place in range(len(batches)))

    assert padded < 1.1 * sum(sizes)


def test_a_batch_is_the_same_whichever_were_asked_for_before() -> None:
    in_order, out_of_order = (Batches(_sizes(64), 8, [3]) for _ in range(2))
    expected = [in_order[number] for number in range(24)]

    found = {number: out_of_order[number] for number in (23, 0, 9, 8, 22, 1)}

    assert all(expected[number] == batch for number, batch in found.items())


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [
        ("round_robin", (1 / 3, 1 / 3, 1 / 3)),
        ("proportional", (400 / 1400, 100 / 1400, 900 / 1400)),
        ("square_root", (20 / 60, 10 / 60, 30 / 60)),
    ],
)
def test_tasks_have_their_share_all_along(sampling: Sampling, shares: tuple[float, ...]) -> None:
    turns = [task for task, _ in plan_tasks(_PASSES, 1200, sampling, seed=0)]

    for first in (0, 600):
        counts = Counter(turns[first : first + 600])
        assert [counts[task] / 600 for task in _PASSES] == pytest.approx(shares, abs=0.01)


def test_annealed_begins_by_size_and_ends_nearly_even() -> None:
    turns = [task for task, _ in plan_tasks(_PASSES, 3000, "annealed", seed=0)]

    first, last = Counter(turns[:300]), Counter(turns[-300:])
    assert first["ner"] / 300 == pytest.approx(100 / 1400, abs=0.02)
    assert last["ner"] / 300 > 0.22


def test_batches_of_a_task_come_one_after_the_other() -> None:
    numbers = [number for task, number in plan_tasks(_PASSES, 500, "annealed", seed=2) if task == "qa"]

    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(("step", "rate"), [(0, 0.0), (5, 0.5), (10, 1.0), (60, 1.0), (80, 0.5), (100, 0.0)])
def test_rate_rises_stays_and_falls_in_lines(step: int, rate: float) -> None:
    assert rate_at(step, 100, warmup=0.1, decay=0.4) == pytest.approx(rate)


def test_rate_without_decay_stays() -> None:
    assert rate_at(99, 100, warmup=0.1, decay=0.0) == 1.0
