"""The gate: what it refuses, what it says, and how it ends."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from training.bundle import make_bundle
from training.card import METRIC_TITLES
from training.data import DataError, LabelledText, Question, TaggedSentence
from training.exits import Exit
from training.gate import PASSED, check_files, check_metrics, run
from training.sets import EntitySet, LabelledSet, QuestionSet, SentimentSet, spaced
from training.settings import BundleSettings, GateSettings
from worker.bundle import load_bundle

_HEADS = ("sentiment", "ner", "qa")
_GOOD = {
    "fp32": dict.fromkeys(METRIC_TITLES, 0.9),
    "int8": dict.fromkeys(METRIC_TITLES, 0.897),  # 0.3 points less: at the bound
    "calibration": {f"{head}_ece_after": 0.02 for head in _HEADS},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    directory = tmp_path_factory.mktemp("made")
    make_bundle(BundleSettings(bundle=directory, weights=tiny_weights, name="tiny"))
    return directory


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> GateSettings:
    bundle, shipped = tmp_path / "bundle", tmp_path / "shipped"
    shutil.copytree(made, bundle)
    shipped.mkdir()
    _write_metrics(bundle, _GOOD)
    _write_metrics(shipped, _GOOD)
    return GateSettings(bundle=bundle, shipped=shipped, gate_report=tmp_path / "new" / "gate.json")


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(data: Path | None, limit: int | None) -> list[LabelledSet]:
        texts = ["fine", "not at all what I had hoped for", "a quiet film", "Oslo is far from here , she said ."]
        return [
            SentimentSet("texts", [LabelledText(text, "positive") for text in texts]),
            EntitySet("sentences", spaced([TaggedSentence(tuple(text.split()), ()) for text in texts])),
            QuestionSet("questions", [Question("1", "t", f"{text} .", "What?", (), ()) for text in texts]),
        ]

    monkeypatch.setattr("training.gate.load_reported", load)


def _write_metrics(bundle: Path, metrics: dict[str, Any]) -> None:
    (bundle / "metrics.json").write_text(json.dumps(metrics))


def _refused(settings: GateSettings) -> list[str]:
    return [check.name for check in check_metrics(load_bundle(settings.bundle), settings) if not check.passed]


@pytest.mark.usefixtures("small_sets")
def test_good_bundle_passes_with_a_report_that_names_its_graph(settings: GateSettings) -> None:
    status = run(settings, Console(quiet=True))

    report = json.loads(settings.gate_report.read_bytes())
    assert [check for check in report["checks"] if not check["passed"]] == []
    assert status == PASSED
    assert report["passed"] is True
    assert report["digest"] == load_bundle(settings.bundle).manifest.files["model.quant.onnx"]
    assert report["model"].startswith("tiny:")
    assert sum("alone against mixed" in check["name"] for check in report["checks"]) == 3


@pytest.mark.usefixtures("small_sets")
def test_refused_bundle_ends_with_the_gates_status_and_says_why(
    settings: GateSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_metrics(settings.bundle, _GOOD | {"fp32": dict.fromkeys(METRIC_TITLES, 0.9) | {"qa_em": 0.91}})

    status = run(settings, Console(width=200))

    output = capsys.readouterr().out
    report = json.loads(settings.gate_report.read_bytes())
    assert status == Exit.GATE
    assert report["passed"] is False
    line = next(line for line in output.splitlines() if "int8 against fp32: SQuAD 1.1 dev, exact match" in line)
    assert line.split("|")[2:5] == [" >= -0.3 points ", " -1.30 ", " NO "]
    assert "refused for 1 of" in output


def test_bundle_that_does_not_load_is_refused(settings: GateSettings) -> None:
    (settings.bundle / "tokenizer.json").write_text("{}")

    status = run(settings, Console(quiet=True))

    report = json.loads(settings.gate_report.read_bytes())
    assert status == Exit.GATE
    assert report["passed"] is False
    assert "sha256" in report["checks"][0]["found"]


def test_missing_sets_are_no_verdict(settings: GateSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: Path | None, limit: int | None) -> list[LabelledSet]:
        raise DataError("no such file")

    monkeypatch.setattr("training.gate.load_reported", refuse)

    with pytest.raises(DataError):
        run(settings, Console(quiet=True))
    assert not settings.gate_report.exists()


def test_metrics_at_the_bounds_pass(settings: GateSettings) -> None:
    assert _refused(settings) == []


@pytest.mark.parametrize(
    ("section", "name", "value", "refused"),
    [
        ("fp32", "ner_f1", 0.9001, "int8 against fp32: CoNLL-2003 test, entity F1"),
        ("int8", "qa_f1", 0.8949, "against {shipped}: SQuAD 1.1 dev, F1"),
        ("calibration", "qa_ece_after", 0.081, "calibration error: qa"),
    ],
)
def test_metric_past_its_bound_is_refused(
    settings: GateSettings, section: str, name: str, value: float, refused: str
) -> None:
    worse = {part: dict(values) for part, values in _GOOD.items()}
    worse[section][name] = value

    _write_metrics(settings.bundle, worse)

    assert refused.format(shipped=settings.shipped) in _refused(settings)


def test_what_was_not_measured_is_refused(settings: GateSettings) -> None:
    (settings.bundle / "metrics.json").unlink()

    refused = [check for check in check_metrics(load_bundle(settings.bundle), settings) if not check.passed]

    assert len(refused) == 2 * len(METRIC_TITLES) + len(_HEADS)
    assert {check.found for check in refused} == {"not measured"}


def test_weights_that_the_graph_is_not_made_of_are_refused(settings: GateSettings) -> None:
    path = settings.bundle / "weights.safetensors"
    weights = bytearray(path.read_bytes())
    weights[-2] ^= 0xFF  # digits of the last number

    path.write_bytes(weights)

    checks = {check.name: check.passed for check in check_files(load_bundle(settings.bundle))}
    assert checks == {
        "weights are those of the manifest": False,
        "fp32 graph equals PyTorch": True,
        "int8 graph is made of these weights": False,
    }


def test_missing_weights_are_refused_and_not_a_crash(settings: GateSettings) -> None:
    (settings.bundle / "weights.safetensors").unlink()

    assert not any(check.passed for check in check_files(load_bundle(settings.bundle)))
