"""Temperatures in the manifest: the card says so, and what was measured of others goes."""

import json
import shutil
from pathlib import Path

import pytest

from training.calibrate import write_temperatures
from training.reading import uncalibrated
from worker.bundle import Bundle, load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_TEMPERATURES = {"sentiment": 1.5, "ner": 1.25, "qa": 0.75}
_METRICS = {"int8": {"ner_f1": 0.5}, "calibration": {"ner_ece_after": 0.03125}}


@pytest.fixture
def copied(tmp_path: Path) -> Bundle:
    for name in ("manifest.json", "model.quant.onnx", "tokenizer.json"):
        shutil.copyfile(_SHIPPED / name, tmp_path / name)
    (tmp_path / "metrics.json").write_text(json.dumps(_METRICS))
    return Bundle(tmp_path, uncalibrated(load_bundle(_SHIPPED).manifest))


def test_worker_reads_the_temperatures_that_were_fitted(copied: Bundle) -> None:
    write_temperatures(copied, _TEMPERATURES)

    assert load_bundle(copied.directory).manifest.temperatures == _TEMPERATURES
    assert "1.5 (sentiment), 1.25 (ner), 0.75 (qa)" in (copied.directory / "README.md").read_text(encoding="utf-8")


def test_calibration_of_other_temperatures_goes(copied: Bundle) -> None:
    write_temperatures(copied, _TEMPERATURES)

    assert json.loads((copied.directory / "metrics.json").read_bytes()) == {"int8": {"ner_f1": 0.5}}


def test_calibration_of_the_same_temperatures_stays(copied: Bundle) -> None:
    write_temperatures(copied, copied.manifest.temperatures)

    assert json.loads((copied.directory / "metrics.json").read_bytes()) == _METRICS
