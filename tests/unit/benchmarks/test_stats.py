"""Percentiles and ratios."""

import pytest

from benchmarks.stats import median_ratio, percentile


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_the_nearest_rank(percent: float, expected: int) -> None:
    values = [float(value) for value in range(100, 0, -1)]

    assert percentile(values, percent) == expected


def test_the_99th_percentile_of_few_values_is_the_worst() -> None:
    assert percentile([3.0, 9.0, 1.0], 99) == 9.0


def test_a_round_that_was_disturbed_as_a_whole_does_not_move_the_ratio() -> None:
    quiet_then_disturbed = [2.0, 20.0, 2.0], [4.0, 40.0, 4.0]

    assert median_ratio(*quiet_then_disturbed) == 0.5


def test_one_disturbed_measurement_does_not_move_the_ratio() -> None:
    assert median_ratio([2.0, 2.0, 2.0], [4.0, 80.0, 4.0]) == 0.5


def test_ratios_need_as_many_values_on_both_sides() -> None:
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1.0, 2.0], [1.0])
