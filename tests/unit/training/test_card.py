"""The model card: what it says of a bundle, and what it leaves out."""

from pathlib import Path

import pytest

from schemas import Manifest
from training.card import METRIC_TITLES, tables, write_card
from training.reading import uncalibrated
from worker.bundle import load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"


@pytest.fixture
def plain() -> Manifest:
    """A manifest without a history and without temperatures."""
    return uncalibrated(load_bundle(_SHIPPED).manifest).model_copy(update={"training": {}})


def test_card_of_a_new_bundle_says_that_nothing_was_measured(plain: Manifest) -> None:
    card = write_card(plain, {})

    assert "Not measured yet." in card
    assert "its temperatures are not fitted" in card
    assert "seeds" not in card
    assert "kWh" not in card


def test_card_names_the_encoder_that_was_trained(plain: Manifest) -> None:
    other = plain.model_copy(update={"training": {"settings": {"encoder": "distilbert"}}})

    assert "MiniLM-L6-H384" in write_card(plain, {})
    assert "DistilBERT (6 layers, 768 wide, uncased)" in write_card(other, {})


def test_card_tells_what_the_training_took(plain: Manifest) -> None:
    began_with = {"base": "a pretrained encoder", "processor_hours": 2.5}

    card = write_card(plain.model_copy(update={"training": {"base": began_with, "processor_hours": 10.0}}), {})

    assert "12.50 hours of processor time, some 0.12 kWh at 10 W a busy core" in card


def test_card_tells_whether_our_texts_were_learnt_from(plain: Manifest) -> None:
    learnt = {"base": {"data": {"sentiment": "SST-2 and our own texts"}}}

    assert "entities from news of 1996" in write_card(plain, {})
    assert "texts that a large\nlanguage model wrote" in write_card(plain.model_copy(update={"training": learnt}), {})


def test_card_gives_mean_and_spread_over_seeds(plain: Manifest) -> None:
    held_out = {"0": {"ner_f1": 0.90, "loss": 0.3}, "1": {"ner_f1": 0.91}, "2": {"ner_f1": 0.92}}
    seeds = {"epochs": 0.1, "held_out": held_out}

    card = write_card(plain.model_copy(update={"training": {"seeds": seeds}}), {})

    assert "### Over 3 seeds" in card
    assert "runs of 0.1 epochs" in card
    assert "| CoNLL-2003 F1 | 91.00 | 1.00 | 90.00–92.00 |" in card


def test_tables_show_each_part_that_was_measured_in_percent() -> None:
    part = dict.fromkeys(METRIC_TITLES, 0.875)

    quality, calibration = tables({"fp32": part, "product": part, "calibration": {"qa_ece_before": 0.0625}})

    assert quality[1].splitlines()[0] == "| set | fp32 | product |"
    assert quality[1].splitlines()[2] == "| SST-2 dev, accuracy | 87.50 | 87.50 |"
    assert calibration[1].splitlines()[-1].endswith("| 6.25 | – |")
