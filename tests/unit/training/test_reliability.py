"""Calibration error, ranking and temperature against values worked out by hand."""

import math

import numpy as np
import pytest

from training.reliability import Judged, calibration_error, fit_temperature, log_loss, ranking


def test_scores_that_come_true_as_often_as_they_say_have_no_error() -> None:
    judged = Judged.of([(0.8, True)] * 4 + [(0.8, False)])

    assert calibration_error(judged) == pytest.approx(0)


def test_error_is_the_gap_of_each_bin_weighted_by_its_answers() -> None:
    sure = [(0.95, True)] * 6 + [(0.95, False)] * 2  # right 0.75, said 0.95
    unsure = [(0.55, True)] * 2  # right 1, said 0.55

    assert calibration_error(Judged.of(sure + unsure), bins=10) == pytest.approx(0.8 * 0.2 + 0.2 * 0.45)


def test_gaps_within_a_bin_cancel_out_and_across_bins_do_not() -> None:
    within = Judged.of([(0.91, True), (0.99, False), (0.90, True), (0.90, True)])
    across = Judged.of([(0.05, True), (0.95, False)])

    assert calibration_error(within, bins=10) == pytest.approx(abs((0.91 + 0.99 + 1.8) / 4 - 0.75))
    assert calibration_error(across, bins=10) == pytest.approx(0.95)


def test_certain_scores_fall_into_the_last_bin() -> None:
    assert calibration_error(Judged.of([(1.0, True), (0.99, True)])) == pytest.approx(0.005)


def test_ranking_counts_pairs_and_halves_ties() -> None:
    judged = Judged.of([(0.9, True), (0.5, True), (0.5, False), (0.7, False)])

    # 0.9 beats both, 0.5 ties with one and loses to the other
    assert ranking(judged) == pytest.approx((1 + 1 + 0.5 + 0) / 4)


def test_ranking_of_one_kind_alone_is_not_a_number() -> None:
    assert math.isnan(ranking(Judged.of([(0.9, True)])))
    assert math.isnan(ranking(Judged.of([(0.9, False)])))


def test_log_loss_of_an_even_bet_is_log_two() -> None:
    assert log_loss(Judged.of([(0.5, True), (0.5, False)])) == pytest.approx(math.log(2))


def test_a_wrong_certainty_costs_much_and_not_infinitely() -> None:
    assert 9 < log_loss(Judged.of([(1.0, False)])) < 10


@pytest.mark.parametrize("wanted", [0.6, 1.0, 1.7])
def test_temperature_that_the_scores_were_made_with_is_found(wanted: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(1, 2, 20_000)
    right = generator.random(20_000) < 1 / (1 + np.exp(-logits / wanted))

    found = fit_temperature(lambda temperature: Judged(1 / (1 + np.exp(-logits / temperature)), right))

    assert found == pytest.approx(wanted, rel=0.05)


def test_nothing_found_leaves_the_temperature_and_has_no_error_to_tell() -> None:
    nothing = Judged.of([])

    assert fit_temperature(lambda _: nothing) == 1.0
    assert math.isnan(calibration_error(nothing))
