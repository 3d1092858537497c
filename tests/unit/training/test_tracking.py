"""What MLflow gets, where it is set, that nothing happens where it is not, and that a training outlives it."""

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from local.ports import free_port
from training.plots import entity_f1_by_type
from training.settings import BundleSettings, TrainSettings
from training.tracking import (
    EXPERIMENT,
    TrackingError,
    open_run_id,
    track_bundle,
    track_epoch,
    track_metrics,
    track_plots,
    track_training,
    tracked_run,
)
from worker.bundle import load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_METRICS = {"int8": {"qa_em": 0.5}}


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all its tables: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracked(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundleSettings:
    shutil.copy(empty_database, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)  # artifacts of a database without a server go to the working directory
    return BundleSettings(bundle=_SHIPPED)


def _runs(settings: BundleSettings) -> list[Run]:
    client = mlflow.MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def _last_run(settings: BundleSettings) -> Run:
    return _runs(settings)[0]


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


def test_plots_are_logged_as_pictures(tracked: BundleSettings, tmp_path: Path) -> None:
    with tracked_run(tracked, "scored"):
        run_id = open_run_id()
        track_plots({"ner_f1_by_type": entity_f1_by_type({"PER": 0.5}, "set")})

    picture = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="plots/ner_f1_by_type.png")
    assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_nothing_is_logged_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    track_metrics(BundleSettings(bundle=_SHIPPED), load_bundle(_SHIPPED).manifest, _METRICS)

    assert list(tmp_path.iterdir()) == []


def test_blocks_within_a_run_share_it(tracked: BundleSettings) -> None:
    with tracked_run(tracked, "all"):
        track_metrics(tracked, load_bundle(_SHIPPED).manifest, _METRICS)
        assert open_run_id() is not None

    (run,) = _runs(tracked)
    assert run.info.run_name == "all"
    assert run.data.metrics == {"int8_qa_em": 0.5}


def test_a_resumed_run_goes_on_and_keeps_its_parameters(tracked: BundleSettings) -> None:
    settings = TrainSettings(seed=1)
    with tracked_run(settings, "train"):
        run_id = open_run_id()
        track_training(settings)
        track_epoch(1, {"loss": 1.0})

    with tracked_run(settings, "train", run_id):
        track_training(TrainSettings(seed=1, learning_rate=0.5))
        track_epoch(2, {"loss": 0.5})

    (run,) = _runs(tracked)
    assert run.data.params["learning_rate"] == str(settings.learning_rate)
    history = mlflow.MlflowClient(tracked.mlflow_tracking_uri).get_metric_history(run.info.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(1, 1.0), (2, 0.5)]


def test_commands_of_a_run_log_to_it_and_leave_it_open(
    tracked: BundleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = mlflow.MlflowClient(tracked.mlflow_tracking_uri)
    run = client.create_run(client.create_experiment(EXPERIMENT), run_name="pipeline")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)

    track_metrics(tracked, load_bundle(_SHIPPED).manifest, _METRICS)

    (run,) = _runs(tracked)
    assert (run.info.run_name, run.info.status) == ("pipeline", "RUNNING")
    assert run.data.metrics == {"int8_qa_em": 0.5}


def test_a_resumed_training_leaves_the_run_open_that_started_it(
    tracked: BundleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracked_run(TrainSettings(), "pipeline"):
        run_id = open_run_id() or ""
    mlflow.MlflowClient(tracked.mlflow_tracking_uri).update_run(run_id, "RUNNING")  # resumed
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)

    with tracked_run(TrainSettings(), "train", run_id):
        pass

    (run,) = _runs(tracked)
    assert run.info.status == "RUNNING"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (RuntimeError(), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(3), "FAILED"),
        (SystemExit(0), "FINISHED"),
    ],
    ids=repr,
)
def test_a_run_says_how_it_ended(tracked: BundleSettings, fault: BaseException, status: str) -> None:
    with pytest.raises(type(fault)), tracked_run(tracked, "train"):
        raise fault

    assert _last_run(tracked).info.status == status
    assert open_run_id() is None


def test_what_mlflow_does_not_take_is_warned_of_and_lost(
    tracked: BundleSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise MlflowException("the server is gone\nand so on")

    with tracked_run(tracked, "train"):
        monkeypatch.setattr(mlflow, "log_metrics", refuse)
        track_epoch(3, {"loss": 1.0})

    assert "MLflow did not take the metrics of epoch 3: the server is gone" in caplog.messages
    assert _last_run(tracked).info.status == "FINISHED"


def test_a_server_that_is_away_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(TrackingError, match=f"^no MLflow at {address}: "), tracked_run(TrainSettings(), "train"):
        pass
