"""What the training commands tell MLflow, where `MLFLOW_TRACKING_URI` names one."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow

from schemas.manifest import CARD_FILE, MANIFEST_FILE, METRICS_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE, Manifest
from training.card import Metrics
from training.settings import Settings, TrainSettings

EXPERIMENT = "nlp"
_ARTIFACT_PATH = "bundle"
_PARAMETER_CHARS = 500  # what MLflow's oldest supported servers take


@contextmanager
def tracked_run(settings: Settings, name: str) -> Iterator[bool]:
    """Open an MLflow run for the block and yield True, or do nothing and yield False where no server is set."""
    if not settings.mlflow_tracking_uri:
        yield False
        return
    mlflow.set_tracking_uri(settings.mlflow_tracking_uri)
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=name):
        yield True


def track_bundle(settings: Settings, manifest: Manifest) -> None:
    """Log a bundle that was made: its identity and history as parameters, its files as artifacts."""
    with tracked_run(settings, f"bundle {manifest.name} {manifest.version}") as is_tracked:
        if is_tracked:
            _log_identity(manifest)
            for name in (QUANTIZED_MODEL_FILE, TOKENIZER_FILE, MANIFEST_FILE, CARD_FILE):
                mlflow.log_artifact(str(settings.bundle / name), _ARTIFACT_PATH)


def track_metrics(settings: Settings, manifest: Manifest, metrics: Metrics) -> None:
    """Log what was measured of a bundle, each metric as `<precision>_<name>`."""
    with tracked_run(settings, f"evaluate {manifest.name} {manifest.version}") as is_tracked:
        if is_tracked:
            _log_identity(manifest)
            mlflow.log_metrics(
                {f"{precision}_{name}": value for precision, each in metrics.items() for name, value in each.items()}
            )
            for name in (METRICS_FILE, MANIFEST_FILE):
                mlflow.log_artifact(str(settings.bundle / name), _ARTIFACT_PATH)


def track_epoch(epoch: int, losses: dict[str, float]) -> None:
    """Log the losses of an epoch to the run that is open."""
    mlflow.log_metrics(losses, step=epoch)


def track_training(settings: TrainSettings) -> None:
    """Log the settings of a fine-tune to the run that is open."""
    mlflow.log_params(settings.model_dump(mode="json", exclude={"mlflow_tracking_uri", "bundle"}))


def _log_identity(manifest: Manifest) -> None:
    identity = {"name": manifest.name, "version": manifest.version, **manifest.files}
    history = {f"training.{name}": str(value)[:_PARAMETER_CHARS] for name, value in manifest.training.items()}
    mlflow.log_params(identity | history)
