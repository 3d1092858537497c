"""What stands in the pictures of a run: their numbers, bars and labels, not only that there is a file."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from training.plots import confusion, entity_f1_by_type, qa_f1_by_answer_length, reliability
from training.reliability import Judged


def _axes(figure: Figure) -> Axes:
    (axes,) = figure.axes
    return axes


def _heights(axes: Axes) -> list[float]:
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def _texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_confusion_counts_labels_by_row_and_predictions_by_column() -> None:
    axes = _axes(confusion(["bad", "bad", "bad", "good"], ["bad", "good", "good", "good"], ("bad", "good"), "set"))

    assert _texts(axes) == ["1", "2", "0", "1"]
    assert np.asarray(axes.images[0].get_array(), float).ravel() == pytest.approx([1 / 3, 2 / 3, 0, 1])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["bad", "good"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("predicted", "true", "set")


def test_confusion_of_a_label_that_never_stands_is_a_row_of_zeros() -> None:
    axes = _axes(confusion(["good"], ["bad"], ("bad", "good"), "set"))

    assert _texts(axes) == ["0", "0", "1", "0"]


def test_entity_types_have_a_bar_each_with_its_figure() -> None:
    axes = _axes(entity_f1_by_type({"PER": 0.951, "MISC": 0.5}, "set"))

    assert _heights(axes) == [0.951, 0.5]
    assert _texts(axes) == ["95.1", "50.0"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["PER", "MISC"]


def test_reliability_bars_are_the_share_of_right_answers_in_each_bin() -> None:
    scores = np.array([0.1, 0.1, 0.95, 0.95, 0.95, 1.0])
    right = np.array([False, True, True, True, True, False])

    axes = _axes(reliability(Judged(scores, right), "set"))

    assert _heights(axes) == pytest.approx([0.5, 0.75])
    assert _texts(axes) == ["2", "4"]
    lefts = [bar.get_x() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert lefts == pytest.approx([1 / 15, 14 / 15])


def test_reliability_says_the_calibration_error_in_its_title() -> None:
    scores, right = np.array([0.9] * 10), np.array([True] * 6 + [False] * 4)

    assert _axes(reliability(Judged(scores, right), "set")).get_title() == "set: ECE 30.0"


def test_reliability_marks_the_mean_score_of_a_bin() -> None:
    scores, right = np.array([0.81, 0.85]), np.array([True, False])

    marks = _axes(reliability(Judged(scores, right), "set")).lines[0]

    assert np.asarray(marks.get_xdata()) == pytest.approx([0.83])
    assert np.asarray(marks.get_ydata()) == pytest.approx([0.5])


def test_answer_lengths_share_bars_where_they_are_rare() -> None:
    axes = _axes(qa_f1_by_answer_length([1, 1, 4, 5, 30, 0], [1.0, 0.5, 0.2, 0.4, 0.9, 0.0], "set"))

    assert _heights(axes) == pytest.approx([0.5, 0.3, 0.9])
    assert _texts(axes) == ["3", "2", "1"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "4–5", "13+"]


def test_figures_hold_no_state_of_pyplot() -> None:
    first = reliability(Judged(np.array([0.5]), np.array([True])), "first")
    second = reliability(Judged(np.array([0.5]), np.array([True])), "second")

    assert (_axes(first).get_title(), _axes(second).get_title()) == ("first: ECE 50.0", "second: ECE 50.0")
