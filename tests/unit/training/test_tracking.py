"""What MLflow gets, where it is set, and that nothing happens where it is not."""

from pathlib import Path

import mlflow
import pytest

from training.settings import BundleSettings
from training.tracking import EXPERIMENT, track_bundle, track_metrics
from worker.bundle import load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_METRICS = {"int8": {"qa_em": 0.5}}


@pytest.fixture
def tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundleSettings:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)  # artifacts of a database without a server go to the working directory
    return BundleSettings(bundle=_SHIPPED)


def _last_run(settings: BundleSettings) -> mlflow.entities.Run:
    client = mlflow.MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return client.search_runs([experiment.experiment_id])[0]


def test_bundle_is_logged_with_its_files(tracked: BundleSettings) -> None:
    manifest = load_bundle(_SHIPPED).manifest

    track_bundle(tracked, manifest)

    run = _last_run(tracked)
    assert run.data.params["model.quant.onnx"] == manifest.files["model.quant.onnx"]
    client = mlflow.MlflowClient(tracked.mlflow_tracking_uri)
    logged = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "bundle")}
    assert {"bundle/model.quant.onnx", "bundle/tokenizer.json", "bundle/manifest.json"} <= logged


def test_metrics_are_logged_by_precision(tracked: BundleSettings) -> None:
    track_metrics(tracked, load_bundle(_SHIPPED).manifest, _METRICS)

    assert _last_run(tracked).data.metrics == {"int8_qa_em": 0.5}


def test_nothing_is_logged_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    track_metrics(BundleSettings(bundle=_SHIPPED), load_bundle(_SHIPPED).manifest, _METRICS)

    assert list(tmp_path.iterdir()) == []
