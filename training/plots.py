"""The pictures of a run: plain arrays to matplotlib figures, without pyplot and its one global figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.reliability import BINS, Judged, calibration_error

LENGTH_EDGES = (1, 2, 3, 4, 6, 9, 13)
"""First word count of each bar: short answers are most of SQuAD, so long ones share a bar."""

_WIDTH, _HEIGHT = 6.4, 4.8  # inches
_BAR = "#4878a8"
_OTHER = "#d08050"
_DARK = 0.5  # of the highest share: above it the cell is too dark for black figures


def confusion(labels: Sequence[str], predictions: Sequence[str], names: Sequence[str], title: str) -> Figure:
    """Draw how many texts of each label (rows) got each prediction (columns); `names` gives the order of both."""
    position = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    for label, prediction in zip(labels, predictions, strict=True):
        counts[position[label], position[prediction]] += 1
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = _empty(title)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        color = "white" if shares[row, column] > _DARK else "black"
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def entity_f1_by_type(scores: Mapping[str, float], title: str) -> Figure:
    """Draw a bar for each entity type's F1, a fraction."""
    figure, axes = _empty(title)
    bars = axes.bar(list(scores), list(scores.values()), color=_BAR)
    axes.bar_label(bars, [f"{100 * value:.1f}" for value in scores.values()])
    _percent(axes, "F1")
    return figure


def reliability(judged: Judged, title: str) -> Figure:
    """Draw how often answers of a score were right, in bins of equal width; on the dotted line it is calibrated.

    Above each bar stands how many answers it has, and after the title the expected calibration error in points.
    """
    places = np.minimum((judged.scores * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    used = counts > 0
    said = np.bincount(places, judged.scores, BINS)[used] / counts[used]
    right = np.bincount(places, judged.right, BINS)[used] / counts[used]
    figure, axes = _empty(f"{title}: ECE {100 * calibration_error(judged):.1f}")
    left = np.flatnonzero(used) / BINS
    bars = axes.bar(left, right, 1 / BINS, align="edge", color=_BAR, edgecolor="white", label="right")
    axes.bar_label(bars, [f"{count}" for count in counts[used]], fontsize="x-small", padding=6)
    axes.plot(said, right, color=_OTHER, marker="o", linestyle="none", label="at the mean score")
    axes.plot([0, 1], [0, 1], color="black", linestyle=":", label="calibrated")
    axes.set_xlim(0, 1)
    axes.set_xlabel("score")
    axes.legend(loc="upper left")
    _percent(axes, "right")
    return figure


def qa_f1_by_answer_length(lengths: Sequence[int], f1s: Sequence[float], title: str) -> Figure:
    """Draw the mean F1 of questions by the number of words in their gold answer; above each bar how many there are."""
    # An answer of an article alone has no words left: it stands with those of one.
    places = np.maximum(np.searchsorted(LENGTH_EDGES, np.asarray(lengths), side="right") - 1, 0)
    names, means, counts = [], [], []
    for place, first in enumerate(LENGTH_EDGES):
        scores = np.asarray(f1s, np.float64)[places == place]
        if len(scores):
            names.append(_length_name(place, first))
            means.append(float(scores.mean()))
            counts.append(len(scores))
    figure, axes = _empty(title)
    bars = axes.bar(names, means, color=_BAR)
    axes.bar_label(bars, [f"{count}" for count in counts], fontsize="x-small")
    axes.set_xlabel("words of the answer")
    _percent(axes, "F1")
    return figure


def _length_name(place: int, first: int) -> str:
    if place + 1 == len(LENGTH_EDGES):
        return f"{first}+"
    last = LENGTH_EDGES[place + 1] - 1
    return f"{first}" if first == last else f"{first}–{last}"


def _empty(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _percent(axes: Axes, label: str) -> None:
    axes.set_ylim(0, 1.05)  # room for the figure above a full bar
    axes.set_ylabel(label)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
