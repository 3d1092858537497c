"""Registers a bundle as a model version, the champion when it passed the gate: `python -m training.register`.

A worker whose `NLP_WORKER_BUNDLE` is `models:/<name>@champion` loads it at its next start.
"""

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic_settings import CliApp
from requests import RequestException

from schemas.errors import BundleError
from schemas.manifest import CARD_FILE, FLOAT_MODEL_FILE, MANIFEST_FILE, METRICS_FILE, QUANTIZED_MODEL_FILE
from training.bundle import read_metrics
from training.encoders import WeightsError
from training.exits import Exit, leave
from training.export import ExportError, save_float_model
from training.servable import ARTIFACT, INPUT_EXAMPLE, SIGNATURE
from training.settings import WEIGHTS_FILE, RegisterSettings
from training.tracking import TrackingError, flat, log_files, log_identity, tracked_run
from worker.bundle import Bundle, load_bundle
from worker.registry import DIGEST_TAG

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("mlflow-skinny", "numpy", "onnxruntime", "pandas", "pydantic", "pydantic-settings", "tokenizers")
"""What loading and running a version takes."""


@dataclass(frozen=True)
class Registered:
    """A model version, and why it is not the champion; None where it is."""

    name: str
    version: str
    objection: str | None


def register(settings: RegisterSettings) -> Registered:
    """Register the bundle, once however often it is asked, and set the alias if the gate lets it.

    Raises `BundleError`, `ExportError`, `TrackingError` or `WeightsError`.
    """
    if not settings.mlflow_tracking_uri:
        raise TrackingError("MLFLOW_TRACKING_URI must say where MLflow is")
    bundle = load_bundle(settings.bundle)
    objection = gate_objection(settings.gate_report, bundle)
    try:
        with tracked_run(settings, f"register {bundle.manifest.name} {bundle.manifest.version}"):
            number = _known_version(settings.registered_name, bundle) or _new_version(settings, bundle)
            if objection is None:
                MlflowClient().set_registered_model_alias(settings.registered_name, settings.alias, number)
    except (MlflowException, RequestException) as fault:
        raise TrackingError(f"MLflow at {settings.mlflow_tracking_uri}: {fault}") from fault
    return Registered(settings.registered_name, number, objection)


def gate_objection(report: Path, bundle: Bundle) -> str | None:
    """Return why the gate's report does not make the bundle the champion, None where it does."""
    try:
        said: dict[str, Any] = json.loads(report.read_bytes())
    except FileNotFoundError:
        return f"{report} is not there: the gate has not judged this bundle"
    except ValueError as broken:
        return f"{report} cannot be read: {broken}"
    judged = said.get("digest")
    if judged != bundle.manifest.files[QUANTIZED_MODEL_FILE]:
        return f"{report} judges another bundle (sha256 {judged})"
    if said.get("limit") is not None:
        return f"{report} is of {said['limit']} records of each set only"
    return None if said.get("passed") is True else f"the gate refused it: see {report}"


def _known_version(model: str, bundle: Bundle) -> str | None:
    digest = manifest_digest(bundle)
    found = MlflowClient().search_model_versions(f"name = '{model}' and tag.`{DIGEST_TAG}` = '{digest}'")
    return max((str(each.version) for each in found), key=int, default=None)


def _new_version(settings: RegisterSettings, bundle: Bundle) -> str:
    """Log the bundle to the open run, its fp32 graph beside it, and make a version of it."""
    metrics = flat(read_metrics(bundle.directory))
    log_identity(bundle.manifest)
    with TemporaryDirectory() as directory:
        staged = Path(directory) / ARTIFACT
        _stage(bundle, staged)
        # Made anew: what lies beside the bundle may be of other weights.
        save_float_model(bundle.directory / WEIGHTS_FILE, Path(directory))
        log_files(Path(directory), (FLOAT_MODEL_FILE,))
        log_files(staged, tuple(sorted(path.name for path in staged.iterdir())))
        model = mlflow.pyfunc.log_model(
            name=bundle.manifest.name,
            python_model=str(_ROOT / "training" / "servable.py"),
            artifacts={ARTIFACT: str(staged)},
            code_paths=[str(_ROOT / package) for package in ("worker", "schemas")],
            signature=SIGNATURE,
            input_example=INPUT_EXAMPLE,
            pip_requirements=[f"{package}=={version(package)}" for package in _PACKAGES],
        )
    if metrics:
        mlflow.log_metrics(metrics, model_id=model.model_id)
    tags = {DIGEST_TAG: manifest_digest(bundle), "model": bundle.identity}
    tags |= {name: f"{value:.4f}" for name, value in metrics.items()}
    return str(mlflow.register_model(model.model_uri, settings.registered_name, tags=tags).version)


def _stage(bundle: Bundle, target: Path) -> None:
    """Copy the bundle as it is published: its weights too, from which the next training can start."""
    target.mkdir()
    weights_history = Path(WEIGHTS_FILE).with_suffix(".json").name
    for name in (MANIFEST_FILE, METRICS_FILE, CARD_FILE, weights_history, *bundle.manifest.files):
        if (bundle.directory / name).is_file():
            shutil.copyfile(bundle.directory / name, target / name)


def manifest_digest(bundle: Bundle) -> str:
    """Return the sha256 of the manifest, which names that of every file."""
    return hashlib.sha256((bundle.directory / MANIFEST_FILE).read_bytes()).hexdigest()


def main() -> None:
    """Register, and say in one line what came of it."""
    settings = CliApp.run(RegisterSettings)
    try:
        registered = register(settings)
    except (BundleError, ExportError, TrackingError, WeightsError) as wrong:
        leave("Nothing was registered", wrong)
    named = f"models:/{registered.name}/{registered.version}"
    if registered.objection is not None:
        print(f"{named} is registered and not {settings.alias}: {registered.objection}", file=sys.stderr)
        sys.exit(Exit.GATE)
    print(f"{named} is models:/{registered.name}@{settings.alias}")


if __name__ == "__main__":
    main()
