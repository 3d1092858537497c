"""What the training commands tell MLflow, where `MLFLOW_TRACKING_URI` names one.

Opening a run fails loudly; once it is open, what MLflow does not take is warned of and lost: no training of hours ends
because a server was restarted.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests import RequestException

from schemas.manifest import (
    CARD_FILE,
    FLOAT_MODEL_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    QUANTIZED_MODEL_FILE,
    TOKENIZER_FILE,
    Manifest,
)
from training.card import Metrics
from training.settings import Settings, TrainSettings

EXPERIMENT = "nlp"
BUNDLE_PATH = "bundle"
"""Where a run's artifacts hold the files of a bundle."""
PLOTS_PATH = "plots"

log = logging.getLogger("training.tracking")

_OPEN = "RUNNING"
_PARAMETER_CHARS = 500  # what MLflow's oldest supported servers take
_MLFLOW_DEFAULTS = {
    # 14 s until a server that is not there is said to be missing; MLflow's own 7 take four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    # MLflow looks at the machine every 10 s and drops the last look: a run of seconds would have none.
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "5",
}


class TrackingError(Exception):
    """MLflow is asked for and cannot be had."""


@contextmanager
def tracked_run(settings: Settings, name: str, run_id: str | None = None) -> Iterator[bool]:
    """Open an MLflow run for the block and yield True, or do nothing and yield False where no server is set.

    Inside another tracked block, what is logged goes to the run that is open; and so it does in the commands that such
    a block starts with its `open_run_id` as `MLFLOW_RUN_ID`. `run_id` goes on with an earlier run. Raises
    `TrackingError` where the server does not answer.
    """
    if not settings.mlflow_tracking_uri:
        yield False
        return
    if mlflow.active_run() is not None:
        yield True
        return
    is_ours = _open(settings.mlflow_tracking_uri, name, run_id)
    # Also by Ctrl-C: the run must say how it ended.
    try:
        yield True
    except BaseException as fault:
        _close(_status_of(fault) if is_ours else _OPEN)
        raise
    _close("FINISHED" if is_ours else _OPEN)


def _open(uri: str, name: str, run_id: str | None) -> bool:
    """Open the run; return whether it is ours to end, and not that of a process that waits for us."""
    for variable, default in _MLFLOW_DEFAULTS.items():
        os.environ.setdefault(variable, default)
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(EXPERIMENT)
        inherited = os.environ.get("MLFLOW_RUN_ID")
        known = run_id or inherited
        is_ours = known is None or known != inherited or MlflowClient().get_run(known).info.status != _OPEN
        # One process measures the machine. A run that is known keeps its name.
        mlflow.start_run(known, run_name=None if known else name, log_system_metrics=is_ours)
    except MlflowException as fault:
        raise TrackingError(f"no MLflow at {uri}: {_first_line(fault)}") from fault
    return is_ours


def _status_of(fault: BaseException) -> str:
    if isinstance(fault, SystemExit) and not fault.code:
        return "FINISHED"
    return "KILLED" if isinstance(fault, KeyboardInterrupt) else "FAILED"


def _close(status: str) -> None:
    with _forgiven("the run's end"):
        mlflow.end_run(status)


@contextmanager
def _forgiven(what: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, RequestException) as fault:  # the second when a file cannot be sent
        log.warning("MLflow did not take %s: %s", what, _first_line(fault))


def _first_line(fault: Exception) -> str:
    return str(fault).partition("\n")[0]


def open_run_id() -> str | None:
    """Return the id of the run that is open, None without one: a resumed training goes on with it."""
    run = mlflow.active_run()
    return None if run is None else run.info.run_id


def track_training(settings: TrainSettings) -> None:
    """Log the settings of a fine-tune to the run that is open."""
    _log_parameters(settings.model_dump(mode="json", exclude={"mlflow_tracking_uri", "bundle"}))


def track_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    """Log the losses and scores of an epoch, counted from 1, to the run that is open."""
    with _forgiven(f"the metrics of epoch {epoch}"):
        mlflow.log_metrics(dict(metrics), step=epoch)


def track_step(step: int, metrics: Mapping[str, float]) -> None:
    """Log a point of the learning curves after so many steps, without waiting for the server.

    Its names must not be those of an epoch's metrics: MLflow draws both on one axis of steps.
    """
    with _forgiven(f"the metrics of step {step}"):
        mlflow.log_metrics(dict(metrics), step=step, synchronous=False)


def track_plots(figures: Mapping[str, Figure]) -> None:
    """Log figures as pictures, each as `plots/<name>.png`, to the run that is open."""
    for name, figure in figures.items():
        with _forgiven(f"the plot {name}"):
            mlflow.log_figure(figure, f"{PLOTS_PATH}/{name}.png")


def track_bundle(settings: Settings, manifest: Manifest) -> None:
    """Log a bundle that was made: its identity and history as parameters, its files as artifacts."""
    with tracked_run(settings, f"bundle {manifest.name} {manifest.version}") as is_tracked:
        if is_tracked:
            log_identity(manifest)
            log_files(settings.bundle, (QUANTIZED_MODEL_FILE, TOKENIZER_FILE, MANIFEST_FILE, CARD_FILE))


def track_metrics(settings: Settings, manifest: Manifest, metrics: Metrics) -> None:
    """Log what was measured of a bundle, each metric as `<precision>_<name>`."""
    with tracked_run(settings, f"evaluate {manifest.name} {manifest.version}") as is_tracked:
        if is_tracked:
            log_identity(manifest)
            with _forgiven("the metrics"):
                mlflow.log_metrics(flat(metrics))
            # The fp32 graph is beside the bundle only when it was scored just now.
            float_model = (FLOAT_MODEL_FILE,) if "fp32" in metrics else ()
            log_files(settings.bundle, (*float_model, METRICS_FILE, MANIFEST_FILE))


def flat(metrics: Metrics) -> dict[str, float]:
    """Return the metrics of all precisions by `<precision>_<name>`."""
    return {f"{precision}_{name}": value for precision, each in metrics.items() for name, value in each.items()}


def log_identity(manifest: Manifest) -> None:
    """Log which bundle the open run is about, and how it was trained."""
    identity = {"name": manifest.name, "version": manifest.version, **manifest.files}
    _log_parameters(identity | {f"training.{name}": value for name, value in manifest.training.items()})


def log_files(directory: Path, names: tuple[str, ...]) -> None:
    """Log a bundle's files as artifacts of the open run."""
    for name in names:
        with _forgiven(name):
            mlflow.log_artifact(str(directory / name), BUNDLE_PATH)


def _log_parameters(parameters: Mapping[str, Any]) -> None:
    """Log what the run has not got: MLflow refuses to change a parameter, and a resumed run has most."""
    with _forgiven("the parameters"):
        run_id = open_run_id()
        known = MlflowClient().get_run(run_id).data.params if run_id else {}
        unknown = {name: str(value)[:_PARAMETER_CHARS] for name, value in parameters.items() if name not in known}
        mlflow.log_params(unknown)
