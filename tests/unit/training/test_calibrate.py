"""What decoding is fitted to in the manifest: the card says so, and what was measured with other values goes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from schemas.manifest import Manifest
from training.calibrate import fit_length_penalty, penalised, write_fitted
from training.data import Question
from training.reading import ReadSet, uncalibrated
from training.sets import QuestionSet
from worker.bundle import Bundle, load_bundle
from worker.encoder import WindowLogits
from worker.tasks import Encoded
from worker.tokenizer import Passage, Tokenizer

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_TEMPERATURES = {"sentiment": 1.5, "ner": 1.25, "qa": 0.75}
_METRICS = {"int8": {"ner_f1": 0.5}, "calibration": {"ner_ece_after": 0.03125}}


@pytest.fixture
def copied(tmp_path: Path) -> Bundle:
    for name in ("manifest.json", "model.quant.onnx", "tokenizer.json"):
        shutil.copyfile(_SHIPPED / name, tmp_path / name)
    (tmp_path / "metrics.json").write_text(json.dumps(_METRICS))
    return Bundle(tmp_path, penalised(uncalibrated(load_bundle(_SHIPPED).manifest), 0.0))


def _warmed(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"temperatures": _TEMPERATURES})


def test_worker_reads_what_was_fitted(copied: Bundle) -> None:
    write_fitted(copied, penalised(_warmed(copied.manifest), 0.06))

    assert load_bundle(copied.directory).manifest.answer_length_penalty == 0.06
    assert load_bundle(copied.directory).manifest.temperatures == _TEMPERATURES
    assert "1.5 (sentiment), 1.25 (ner), 0.75 (qa)" in (copied.directory / "README.md").read_text(encoding="utf-8")


def test_calibration_of_other_temperatures_goes(copied: Bundle) -> None:
    write_fitted(copied, _warmed(copied.manifest))

    assert json.loads((copied.directory / "metrics.json").read_bytes()) == {"int8": {"ner_f1": 0.5}}


def test_calibration_of_the_same_temperatures_stays(copied: Bundle) -> None:
    write_fitted(copied, copied.manifest)

    assert json.loads((copied.directory / "metrics.json").read_bytes()) == _METRICS


def test_another_penalty_leaves_nothing_that_was_measured(copied: Bundle) -> None:
    write_fitted(copied, penalised(copied.manifest, 0.06))

    assert not (copied.directory / "metrics.json").exists()


def test_penalty_is_the_one_with_the_best_answers(copied: Bundle, tokenizer: Tokenizer) -> None:
    """The model likes the second word too, by 0.3 and by 0.05: annotators want it in the first text only."""
    read = ReadSet(
        QuestionSet(
            "two",
            [
                Question("1", "t", "red boat", "What?", ("red boat",), (0,)),
                Question("2", "t", "red boat", "What?", ("red",), (0,)),
            ],
        ),
        [_answer_or_more(tokenizer, liked) for liked in (0.3, 0.05)],
    )

    assert fit_length_penalty(copied.manifest, read) == 0.06  # the lowest above 0.05


def _answer_or_more(tokenizer: Tokenizer, liked: float) -> Encoded:
    reading = tokenizer.read(Passage("red boat", "What?"))
    at = reading.windows[0].text_at
    rows = np.full((len(reading.windows[0]), 2), -30, np.float32)
    rows[at] = (5, 5)
    rows[at + 1, 1] = 5 + liked
    return Encoded(reading, (WindowLogits(np.zeros(2, np.float32), np.zeros((len(rows), 9), np.float32), rows),))
