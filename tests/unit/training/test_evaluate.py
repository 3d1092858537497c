"""Scoring: which numbers are kept, and what calibration is measured of."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from schemas import SENTIMENT
from training.card import METRIC_TITLES
from training.data import LabelledText
from training.evaluate import measure_calibration, record
from training.reading import ReadSet, at_temperature
from training.sets import SentimentSet
from worker.bundle import Bundle, load_bundle
from worker.encoder import WindowLogits
from worker.tasks import Encoded
from worker.tokenizer import Passage, Tokenizer

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_SCORES = {"sentiment_accuracy": 0.5, "ner_f1": 0.25, "qa_em": 0.125, "qa_f1": 0.75}


@pytest.fixture
def copied(tmp_path: Path) -> Bundle:
    shipped = load_bundle(_SHIPPED)
    (tmp_path / "metrics.json").write_text(json.dumps({"fp32": dict.fromkeys(METRIC_TITLES, 0.625)}))
    shutil.copyfile(_SHIPPED / "manifest.json", tmp_path / "manifest.json")
    return Bundle(tmp_path, shipped.manifest)


def test_part_that_was_not_scored_keeps_its_numbers(copied: Bundle) -> None:
    record(copied, {"int8": _SCORES})

    after = json.loads((copied.directory / "metrics.json").read_bytes())
    assert after == {"fp32": dict.fromkeys(METRIC_TITLES, 0.625), "int8": _SCORES}
    assert list(after) == ["fp32", "int8"]


def test_card_shows_the_numbers_that_were_recorded(copied: Bundle) -> None:
    record(copied, {"int8": _SCORES, "robustness": {"ner_f1_upper": 0.5}})

    card = (copied.directory / "README.md").read_text(encoding="utf-8")
    assert "| SQuAD 1.1 dev, exact match | 62.50 | 12.50 |" in card
    assert "| CoNLL-2003 test in capitals, entity F1 | 50.00 |" in card
    assert "| CoNLL-2003 test in small letters, entity F1 | – |" in card


def test_calibration_is_measured_at_one_and_at_the_bundles_temperature(copied: Bundle, tokenizer: Tokenizer) -> None:
    logits = WindowLogits(np.array([0, 4], np.float32), np.zeros((4, 9), np.float32), np.zeros((4, 2), np.float32))
    encoded = Encoded(tokenizer.read(Passage("It is fine")), (logits,))
    examples = [LabelledText("It is fine", label) for label in ("positive", "positive", "negative", "negative")]
    read = ReadSet(SentimentSet("four", examples), [encoded] * 4)

    errors = measure_calibration(Bundle(copied.directory, at_temperature(copied.manifest, SENTIMENT.name, 2.0)), [read])

    said_before, said_after = (1 / (1 + np.exp(-4 / temperature)) for temperature in (1, 2))
    assert errors == {
        "sentiment_ece_before": pytest.approx(said_before - 0.5, abs=1e-4),
        "sentiment_ece_after": pytest.approx(said_after - 0.5, abs=1e-4),
    }
