"""The fit of the batching cost."""

import pytest

from benchmarks.cost import LENGTHS, ROWS, fit
from worker.batching import Cost

SHAPES = [(rows, tokens) for rows in ROWS for tokens in LENGTHS]


@pytest.mark.parametrize("cost", [Cost(950, 40, 0.05), Cost(0, 12.5, 0), Cost(300, 30, 0)])
def test_the_fit_finds_the_cost_that_times_were_made_of(cost: Cost) -> None:
    times = {shape: cost.of(*shape) for shape in SHAPES}

    found = fit(times)

    assert (found.run, found.token, found.square) == pytest.approx((cost.run, cost.token, cost.square), abs=1e-6)


def test_no_part_of_a_fit_is_below_zero() -> None:
    times = {(rows, tokens): 10.0 * rows * tokens**0.7 for rows, tokens in SHAPES}

    found = fit(times)

    assert min(found.run, found.token, found.square) >= 0
