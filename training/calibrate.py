"""Fits how a bundle's heads are decoded: `python -m training.calibrate`.

First what an answer is to lose for its length, by exact match and F1. Then a temperature for each head, so that a score
is the chance of being right, by the log loss of the very score that the product returns: answers do not change, only
how sure they are said to be. Both on what is neither trained on nor reported on (see `training.splits`).
"""

from functools import partial

from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress

from schemas.errors import BundleError
from schemas.manifest import MANIFEST_FILE, Manifest
from training.bundle import read_metrics, write_description
from training.data import DataError
from training.exits import leave
from training.reading import Reader, ReadSet, at_temperature, progress_bars, uncalibrated
from training.reliability import Judged, fit_temperature
from training.sets import load_fitted, load_held_out_questions
from training.settings import CalibrateSettings
from worker.bundle import Bundle, load_bundle

_PENALTIES = [number / 50 for number in range(11)]
"""0 to 0.2 for a token: above, exact match falls below what it is without."""


def calibrate(bundle: Bundle, settings: CalibrateSettings, progress: Progress) -> Manifest:
    """Return the manifest with what was fitted; raises `DataError`."""
    reader = Reader(bundle, bundle.model, settings.threads, progress)
    manifest = uncalibrated(bundle.manifest)
    questions = reader.read(load_held_out_questions(settings.data, settings.limit), "choose on")
    manifest = penalised(manifest, fit_length_penalty(manifest, questions))
    for labelled in load_fitted(settings.data, settings.limit):
        judge = partial(_judge_at, manifest, reader.read(labelled, "calibrate on"))
        manifest = at_temperature(manifest, labelled.contract.name, fit_temperature(judge))
    return manifest


def fit_length_penalty(manifest: Manifest, read: ReadSet) -> float:
    """Return the penalty with the highest sum of exact match and F1, the lowest of equal ones."""

    def quality(penalty: float) -> float:
        return sum(read.labelled.metrics(read.results(penalised(manifest, penalty))).values())

    return max(_PENALTIES, key=quality)


def penalised(manifest: Manifest, penalty: float) -> Manifest:
    """Return the manifest with another penalty of long answers."""
    return manifest.model_copy(update={"answer_length_penalty": penalty})


def _judge_at(manifest: Manifest, read: ReadSet, temperature: float) -> Judged:
    labelled = read.labelled
    return labelled.judge(read.results(at_temperature(manifest, labelled.contract.name, temperature)))


def write_fitted(bundle: Bundle, manifest: Manifest) -> None:
    """Write the manifest and the card; what was measured before with other values goes.

    Other temperatures leave the answers, another penalty leaves nothing.
    """
    metrics = read_metrics(bundle.directory)
    if manifest.answer_length_penalty != bundle.manifest.answer_length_penalty:
        metrics.clear()
    if manifest.temperatures != bundle.manifest.temperatures:
        metrics.pop("calibration", None)
    write_description(bundle.directory, manifest, metrics)


def main() -> None:
    """Fit and write, unless only a part of the sets was read."""
    settings = CliApp.run(CalibrateSettings)
    console = Console()
    try:
        bundle = load_bundle(settings.bundle)
        with progress_bars(console) as progress:
            manifest = calibrate(bundle, settings, progress)
    except (BundleError, DataError) as wrong:
        leave("Nothing was calibrated", wrong)
    before = bundle.manifest
    for head, temperature in manifest.temperatures.items():
        console.print(f"{head}: temperature {temperature} (was {before.temperatures[head]})")
    console.print(f"qa: length penalty {manifest.answer_length_penalty} (was {before.answer_length_penalty})")
    if settings.limit is not None:
        console.print(f"Only {settings.limit} records of each set: nothing was written.")
        return
    write_fitted(bundle, manifest)
    console.print(f"{bundle.directory / MANIFEST_FILE}: written")


if __name__ == "__main__":
    main()
