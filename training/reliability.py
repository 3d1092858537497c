"""How far scores can be believed: calibration error, ranking, and the temperature that calibrates best."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bools1d: TypeAlias = npt.NDArray[np.bool_]
Doubles1d: TypeAlias = npt.NDArray[np.float64]

BINS = 15
"""Of equal width, as Guo et al. 2017 and most after them report."""

_LEAST = 1e-4  # a score is rounded to 4 decimals: 1 that is wrong must not cost infinitely much
_RANGE = (0.2, 5.0)  # of temperatures; outside, the fit has gone wrong, not the model
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of answers, and whether each answer was right; of equal length."""

    scores: Doubles1d
    right: Bools1d

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, bool]]) -> "Judged":
        """Return them from pairs of score and rightness."""
        listed = list(pairs)
        return cls(np.array([score for score, _ in listed], np.float64), np.array([right for _, right in listed], bool))


def calibration_error(judged: Judged, bins: int = BINS) -> float:
    """Return the expected calibration error: how far score and share of right answers are apart, by bins, on average.

    Bins of equal width, weighted by their answers (Naeini et al. 2015; Guo et al. 2017, section 2). NaN without any.
    """
    if not len(judged.scores):
        return math.nan
    places = np.minimum((judged.scores * bins).astype(np.int64), bins - 1)
    said = np.bincount(places, judged.scores, bins)
    came_true = np.bincount(places, judged.right, bins)
    return float(np.abs(said - came_true).sum() / len(places))


def log_loss(judged: Judged) -> float:
    """Return the mean negative log-likelihood of the scores as probabilities of being right; NaN without any."""
    if not len(judged.scores):
        return math.nan
    scores = np.clip(judged.scores, _LEAST, 1 - _LEAST)
    return float(-np.log(np.where(judged.right, scores, 1 - scores)).mean())


def ranking(judged: Judged) -> float:
    """Return the area under the ROC curve: how often a right one has a higher score than a wrong one; ties are half.

    NaN where all are right, or none.
    """
    if judged.right.all() or not judged.right.any():
        return math.nan
    order = np.sort(judged.scores[~judged.right])
    above = np.searchsorted(order, judged.scores[judged.right], side="left")
    equal = np.searchsorted(order, judged.scores[judged.right], side="right") - above
    return float((above + equal / 2).mean() / len(order))


def fit_temperature(judge_at: Callable[[float], Judged], tolerance: float = 0.002) -> float:
    """Return the temperature at which the scores' log loss is least, by golden-section search over its logarithm.

    1 where there are no scores: a model that has hardly been trained finds no entity.
    """
    low, high = (math.log(bound) for bound in _RANGE)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    left_loss, right_loss = (log_loss(judge_at(math.exp(each))) for each in (left, right))
    if math.isnan(left_loss):
        return 1.0
    while high - low > tolerance:
        if left_loss < right_loss:
            high, right, right_loss = right, left, left_loss
            left = high - _GOLDEN * (high - low)
            left_loss = log_loss(judge_at(math.exp(left)))
        else:
            low, left, left_loss = left, right, right_loss
            right = low + _GOLDEN * (high - low)
            right_loss = log_loss(judge_at(math.exp(right)))
    return round(math.exp((low + high) / 2), 3)
