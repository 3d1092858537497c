"""Fits each head's temperature, so that a score is the chance of being right: `python -m training.calibrate`.

Fitted on what is neither trained on nor reported on (see `training.splits`), by the log loss of the very score that the
product returns. Answers do not change, only how sure they are said to be.
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
from training.reading import Reader, ReadSet, at_temperature, progress_bars
from training.reliability import Judged, fit_temperature
from training.sets import load_fitted
from training.settings import CalibrateSettings
from worker.bundle import Bundle, load_bundle


def calibrate(bundle: Bundle, settings: CalibrateSettings, progress: Progress) -> dict[str, float]:
    """Return the temperature of each head; raises `DataError`."""
    reader = Reader(bundle, bundle.model, settings.threads, progress)
    temperatures = {}
    for labelled in load_fitted(settings.data, settings.limit):
        judge = partial(_judge_at, bundle.manifest, reader.read(labelled, "calibrate"))
        temperatures[labelled.contract.name] = fit_temperature(judge)
    return temperatures


def _judge_at(manifest: Manifest, read: ReadSet, temperature: float) -> Judged:
    labelled = read.labelled
    return labelled.judge(read.results(at_temperature(manifest, labelled.contract.name, temperature)))


def write_temperatures(bundle: Bundle, temperatures: dict[str, float]) -> None:
    """Write the manifest and the card; the calibration that was measured before is of other temperatures, and goes."""
    manifest = bundle.manifest.model_copy(update={"temperatures": temperatures})
    metrics = read_metrics(bundle.directory)
    if temperatures != bundle.manifest.temperatures:
        metrics.pop("calibration", None)
    write_description(bundle.directory, manifest, metrics)


def main() -> None:
    """Fit and write the temperatures, unless only a part of the sets was read."""
    settings = CliApp.run(CalibrateSettings)
    console = Console()
    try:
        bundle = load_bundle(settings.bundle)
        with progress_bars(console) as progress:
            temperatures = calibrate(bundle, settings, progress)
    except (BundleError, DataError) as wrong:
        leave("Nothing was calibrated", wrong)
    for head, temperature in temperatures.items():
        console.print(f"{head}: temperature {temperature} (was {bundle.manifest.temperatures[head]})")
    if settings.limit is not None:
        console.print(f"Only {settings.limit} records of each set: nothing was written.")
        return
    write_temperatures(bundle, temperatures)
    console.print(f"{bundle.directory / MANIFEST_FILE}: written")


if __name__ == "__main__":
    main()
