"""The few statistics that are reported."""

from collections.abc import Sequence
from math import ceil
from statistics import median


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of 100 values do not exceed (nearest rank)."""
    rank = max(1, ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios of values that were measured side by side.

    What disturbed a whole round cancels out in its ratio; in a ratio of medians it would not.
    """
    return median(above / below for above, below in zip(numerators, denominators, strict=True))
