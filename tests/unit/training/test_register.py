"""What the gate's report says of a bundle, and what `python -m training.register` says where it cannot."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from local.ports import free_port
from training import register
from training.exits import Exit
from training.register import Registered, gate_objection
from worker.bundle import Bundle


@pytest.fixture
def report(tmp_path: Path, bundle: Bundle) -> Path:
    return _write(tmp_path / "gate.json", passed=True, digest=bundle.manifest.files["model.quant.onnx"])


def _write(path: Path, **said: Any) -> Path:
    path.write_text(json.dumps(said))
    return path


def _change(path: Path, **said: Any) -> Path:
    return _write(path, **{**json.loads(path.read_bytes()), **said})


def test_a_passed_gate_objects_to_nothing(report: Path, bundle: Bundle) -> None:
    assert gate_objection(report, bundle) is None


def test_a_gate_that_refused_objects(report: Path, bundle: Bundle) -> None:
    assert gate_objection(_change(report, passed=False), bundle) == f"the gate refused it: see {report}"


@pytest.mark.parametrize("claim", [1, "true", None])
def test_a_claim_that_is_not_true_is_no_pass(report: Path, bundle: Bundle, claim: object) -> None:
    assert gate_objection(_change(report, passed=claim), bundle) == f"the gate refused it: see {report}"


def test_a_report_of_another_bundle_objects(report: Path, bundle: Bundle) -> None:
    objection = gate_objection(_change(report, digest="0" * 64), bundle)

    assert objection == f"{report} judges another bundle (sha256 {'0' * 64})"


def test_a_report_of_a_part_of_the_sets_objects(report: Path, bundle: Bundle) -> None:
    assert gate_objection(_change(report, limit=100), bundle) == f"{report} is of 100 records of each set only"
    assert gate_objection(_change(report, limit=None), bundle) is None


def test_a_missing_report_objects(tmp_path: Path, bundle: Bundle) -> None:
    objection = gate_objection(tmp_path / "gate.json", bundle)

    assert objection == f"{tmp_path}/gate.json is not there: the gate has not judged this bundle"


def test_a_broken_report_objects(report: Path, bundle: Bundle) -> None:
    report.write_text("{")

    assert str(gate_objection(report, bundle)).startswith(f"{report} cannot be read: ")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The command's words, for a test to add to; MLflow is asked once."""
    words = ["register", "--bundle", "models/minilm", "--gate-report", str(tmp_path / "gate.json")]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return words


def _refuses(capsys: pytest.CaptureFixture[str], status: Exit, reason: str) -> None:
    with pytest.raises(SystemExit) as ended:
        register.main()

    assert ended.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Nothing was registered: {reason}")


def test_without_an_address_nothing_is_registered(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _refuses(capsys, Exit.MLFLOW, "MLFLOW_TRACKING_URI must say where MLflow is")


def test_a_server_that_is_away_is_named(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

    _refuses(capsys, Exit.MLFLOW, f"no MLflow at {address}: ")


def test_a_bundle_that_does_not_fit_is_not_registered(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    command[2] = "nowhere"

    _refuses(capsys, Exit.WEIGHTS, "nowhere: no readable manifest")


def test_a_bundle_that_is_no_champion_is_told_apart(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(register, "register", lambda _: Registered("nlp", "7", "the gate refused it"))

    with pytest.raises(SystemExit) as ended:
        register.main()

    assert ended.value.code == Exit.GATE
    assert capsys.readouterr().err == "models:/nlp/7 is registered and not champion: the gate refused it\n"


def test_the_champion_is_named(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(register, "register", lambda _: Registered("nlp", "7", None))

    register.main()

    assert capsys.readouterr().out == "models:/nlp/7 is models:/nlp@champion\n"
