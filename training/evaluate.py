"""Scores a bundle on the public sets, through the product's own tokenizer and decoding: `python -m training.evaluate`.

What is scored is what is served: requests go in, results come out, and the official metrics judge those.
"""

from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress

from schemas.errors import BundleError
from schemas.manifest import FLOAT_MODEL_FILE
from training.bundle import read_metrics, write_description
from training.card import SECTIONS, Metrics, tables
from training.data import DataError
from training.encoders import WeightsError
from training.exits import leave
from training.export import ExportError, save_float_model
from training.figures import draw
from training.reading import Reader, ReadSet, progress_bars, uncalibrated
from training.reliability import calibration_error
from training.robustness import measure_robustness
from training.sets import load_reported
from training.settings import WEIGHTS_FILE, EvaluateSettings
from training.tracking import TrackingError, track_metrics, track_plots, tracked_run
from worker.bundle import Bundle, load_bundle


def measure(bundle: Bundle, settings: EvaluateSettings, progress: Progress, is_tracked: bool = False) -> Metrics:
    """Return the metrics of each part that is asked for; raises `DataError`, `WeightsError` or `ExportError`.

    Where `is_tracked`, the plots of what is served go to the MLflow run that is open.
    """
    metrics: Metrics = {}
    if "fp32" in settings.parts:
        save_float_model(bundle.directory / WEIGHTS_FILE, bundle.directory)
        reader = Reader(bundle, bundle.directory / FLOAT_MODEL_FILE, settings.threads, progress)
        metrics["fp32"] = score(bundle, _read_reported(reader, "fp32", settings))
    reader = Reader(bundle, bundle.model, settings.threads, progress)
    if "int8" in settings.parts:
        read = _read_reported(reader, "int8", settings)
        metrics["int8"] = score(bundle, read)
        metrics["calibration"] = measure_calibration(bundle, read)
        if is_tracked:
            for each in read:
                track_plots(draw(each, bundle.manifest))
    if "robustness" in settings.parts:
        metrics["robustness"] = measure_robustness(reader, bundle, settings.data, settings.limit)
    return metrics


def _read_reported(reader: Reader, title: str, settings: EvaluateSettings) -> list[ReadSet]:
    return [reader.read(labelled, title) for labelled in load_reported(settings.data, settings.limit)]


def score(bundle: Bundle, sets: list[ReadSet]) -> dict[str, float]:
    """Return the official metrics of all sets, as fractions."""
    return {
        name: value for each in sets for name, value in each.labelled.metrics(each.results(bundle.manifest)).items()
    }


def measure_calibration(bundle: Bundle, sets: list[ReadSet]) -> dict[str, float]:
    """Return each head's expected calibration error, as a fraction, before its temperature (at 1) and with it."""
    errors = {}
    for when, manifest in (("before", uncalibrated(bundle.manifest)), ("after", bundle.manifest)):
        for each in sets:
            judged = each.labelled.judge(each.results(manifest))
            errors[f"{each.labelled.contract.name}_ece_{when}"] = calibration_error(judged)
    return errors


def record(bundle: Bundle, metrics: Metrics) -> None:
    """Write `metrics.json` and the card; what was not measured now keeps its numbers."""
    known = read_metrics(bundle.directory) | metrics
    ordered = {section: known[section] for section in SECTIONS if section in known}
    write_description(bundle.directory, bundle.manifest, ordered)


def show(metrics: Metrics, console: Console) -> None:
    """Print the metrics in percent, as tables."""
    for title, table in tables(metrics):
        console.print(f"\n{title}\n\n{table}", soft_wrap=True)


def main() -> None:
    """Score the bundle; write and log the numbers unless only a part of the sets was scored."""
    settings = CliApp.run(EvaluateSettings)
    console = Console()
    try:
        bundle = load_bundle(settings.bundle)
        if settings.limit is None:
            _score_whole(bundle, settings, console)
            return
        with progress_bars(console) as progress:
            show(measure(bundle, settings, progress), console)
    except (BundleError, DataError, ExportError, TrackingError, WeightsError) as wrong:
        leave("Nothing was scored", wrong)
    console.print(f"Only {settings.limit} records of each set: nothing was written.")


def _score_whole(bundle: Bundle, settings: EvaluateSettings, console: Console) -> None:
    title = f"evaluate {bundle.manifest.name} {bundle.manifest.version}"
    with tracked_run(settings, title) as is_tracked:
        with progress_bars(console) as progress:
            metrics = measure(bundle, settings, progress, is_tracked)
        show(metrics, console)
        record(bundle, metrics)
        track_metrics(settings, bundle.manifest, metrics)


if __name__ == "__main__":
    main()
