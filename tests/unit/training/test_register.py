"""What the gate's report says of a bundle, and what `python -m training.register` says where it cannot."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from local.ports import free_port
from training import register
from training.register import gate_objection
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


def test_without_an_address_nothing_is_registered(command: list[str]) -> None:
    with pytest.raises(SystemExit, match="Nothing was registered: MLFLOW_TRACKING_URI must say where MLflow is"):
        register.main()


def test_a_server_that_is_away_is_named(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

    with pytest.raises(SystemExit, match=f"^Nothing was registered: no MLflow at {address}: .*") as ended:
        register.main()
    assert "\n" not in str(ended.value.code)


def test_a_bundle_that_does_not_fit_is_not_registered(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    command[2] = "nowhere"

    with pytest.raises(SystemExit, match="Nothing was registered: nowhere: no readable manifest"):
        register.main()
