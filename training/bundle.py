"""Weights to a model bundle in one command: `python -m training.bundle`.

The same weights and packages give the same bytes, so that a bundle can be checked by making it again.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import tokenizers
from pydantic import ValidationError
from pydantic_settings import CliApp

from schemas.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    QUANTIZED_MODEL_FILE,
    TOKENIZER_FILE,
    Manifest,
    Window,
)
from training.card import Metrics, write_card
from training.encoders import TOKEN_TYPES, WeightsError, pretrained_file
from training.exits import leave
from training.export import OUTPUTS, ExportError, export
from training.quantize import quantize
from training.settings import WEIGHTS_FILE, BundleSettings
from training.tasks import HEAD_TYPES
from training.tracking import TrackingError, track_bundle
from training.weights import load_model, read_history, read_seeds

WINDOW = Window(tokens=384, stride=128, text_tokens=128, text_stride=32, question_tokens=128, answer_tokens=30)
"""Contexts as the published SQuAD models are scored (Devlin et al. 2019 and its `run_squad.py`); texts by a few
sentences at a time, as they are trained on (docs/training.md tells what longer windows lose)."""


def make_bundle(settings: BundleSettings) -> Manifest:
    """Write the bundle's files and return its manifest; raises `WeightsError` or `ExportError`.

    Metrics of another graph and what was fitted to it are removed, never carried over.
    """
    directory = settings.bundle
    directory.mkdir(parents=True, exist_ok=True)
    training = read_history(settings.source)
    if settings.seeds:
        training["seeds"] = read_seeds(settings.seeds)
    model = load_model(settings.source)
    export(model)  # proves the graph equal to PyTorch: the int8 one is written by the same code
    _copy_weights(settings.source, directory)
    _write_json((directory / WEIGHTS_FILE).with_suffix(".json"), training)
    quantize(model, directory / QUANTIZED_MODEL_FILE)
    write_tokenizer(directory / TOKENIZER_FILE)
    manifest = describe(settings, training)
    before = _manifest_before(directory)
    metrics: Metrics = {}
    if before is not None and before.files.get(QUANTIZED_MODEL_FILE) == manifest.files[QUANTIZED_MODEL_FILE]:
        manifest = fitted_as(manifest, before)
        metrics = read_metrics(directory)
    write_description(directory, manifest, metrics)
    return manifest


def fitted_as(manifest: Manifest, other: Manifest) -> Manifest:
    """Return the manifest with what `training.calibrate` fitted for the other one."""
    fitted = {"temperatures": other.temperatures, "answer_length_penalty": other.answer_length_penalty}
    return manifest.model_copy(update=fitted)


def describe(settings: BundleSettings, training: dict[str, Any]) -> Manifest:
    """Return the manifest of the files that are in the bundle's directory, not calibrated."""
    names = (QUANTIZED_MODEL_FILE, TOKENIZER_FILE, WEIGHTS_FILE)
    files = {name: digest(settings.bundle / name) for name in names}
    return describe_model(settings.name, settings.version, files, training)


def describe_model(name: str, version: str, files: dict[str, str], training: dict[str, Any]) -> Manifest:
    """Return the manifest of a model of today's heads and windows."""
    return Manifest(
        name=name,
        version=version,
        labels={head.name: list(head.labels) for head in HEAD_TYPES},
        window=WINDOW,
        token_types=TOKEN_TYPES,
        temperatures={head.name: 1.0 for head in HEAD_TYPES},
        outputs=OUTPUTS,
        files=files,
        training=training,
    )


def write_tokenizer(path: Path) -> None:
    """Write the pretrained WordPiece tokenizer without its truncation and padding: windows are cut by the worker."""
    tokenizer = tokenizers.Tokenizer.from_file(str(pretrained_file("tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    path.write_text(tokenizer.to_str(), encoding="utf-8")


def write_description(directory: Path, manifest: Manifest, metrics: Metrics) -> None:
    """Write what says of the bundle what it is and can: the manifest, the metrics where there are any, the card."""
    _write_json(directory / MANIFEST_FILE, manifest.model_dump())
    if metrics:
        _write_json(directory / METRICS_FILE, metrics)
    else:
        (directory / METRICS_FILE).unlink(missing_ok=True)
    (directory / CARD_FILE).write_text(write_card(manifest, metrics), encoding="utf-8")


def read_metrics(directory: Path) -> Metrics:
    """Return what was measured of the bundle, empty before `training.evaluate` ran."""
    path = directory / METRICS_FILE
    metrics: Metrics = json.loads(path.read_bytes()) if path.is_file() else {}
    return metrics


def digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _copy_weights(source: Path, directory: Path) -> None:
    target = directory / WEIGHTS_FILE
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def _manifest_before(directory: Path) -> Manifest | None:
    path = directory / MANIFEST_FILE
    return Manifest.model_validate_json(path.read_bytes()) if path.is_file() else None


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Make the bundle, say what is in it, and log it to MLflow where that is set."""
    settings = CliApp.run(BundleSettings)
    try:
        manifest = make_bundle(settings)
    except (ExportError, WeightsError) as wrong:
        leave("No bundle was made", wrong)
    except ValidationError as wrong:  # of the manifest, which knows what a name and a version may be
        print(f"No bundle was made: {wrong}", file=sys.stderr)
        sys.exit(2)
    for name in manifest.files:
        print(f"{settings.bundle / name}: {(settings.bundle / name).stat().st_size / 1e6:.1f} MB")
    try:
        track_bundle(settings, manifest)
    except TrackingError as wrong:
        leave("The bundle was made, but not logged", wrong)


if __name__ == "__main__":
    main()
