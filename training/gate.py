"""Judges a bundle before anybody gets it: `python -m training.gate`; its verdict is a table, a file and a status.

The numbers of the heads are those of `metrics.json` (`python -m training.evaluate`); what says whether the files are
what they claim to be, and whether answers depend on batch mates, is measured here. Exit status: 0 passed, 6 refused, 3
not judged, because the sets cannot be read. The report is written in the first two cases.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress

from schemas.errors import BundleError
from schemas.manifest import QUANTIZED_MODEL_FILE
from training.bundle import digest, read_metrics
from training.card import METRIC_TITLES, Metrics, markdown_table
from training.data import DataError
from training.encoders import WeightsError
from training.exits import Exit, leave
from training.export import TOLERANCE, float_difference
from training.independence import SCORE_TOLERANCE, measure_independence
from training.quantize import quantize
from training.reading import progress_bars
from training.sets import load_reported
from training.settings import WEIGHTS_FILE, GateSettings
from training.weights import load_model
from worker.bundle import Bundle, load_bundle

PASSED = 0

_ROUNDING = 1e-9  # a loss of exactly the bound passes: 0.3 is no number of base 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is asked of a bundle, and what was found; both in words."""

    name: str
    wanted: str
    found: str
    passed: bool


def judge(bundle: Bundle, settings: GateSettings, progress: Progress) -> list[Check]:
    """Return all checks of a bundle that could be loaded; raises `DataError`."""
    return [
        Check("loads, and its graph and tokenizer are those of the manifest", "yes", "yes", True),
        *check_files(bundle),
        *check_metrics(bundle, settings),
        *check_independence(bundle, settings, progress),
    ]


def check_files(bundle: Bundle) -> Iterator[Check]:
    """Yield whether the graphs are what the weights say; nothing is believed that can be made again."""
    weights = bundle.directory / WEIGHTS_FILE
    yield _attempt("weights are those of the manifest", "same sha256", lambda: _same_weights(bundle))
    yield _attempt("fp32 graph equals PyTorch", f"<= {TOLERANCE:.0e}", lambda: _float_difference(weights))
    yield _attempt("int8 graph is made of these weights", "same sha256", lambda: _same_graph(bundle))


def _attempt(name: str, wanted: str, look: Callable[[], tuple[str, bool]]) -> Check:
    try:
        found, passed = look()
    except (OSError, WeightsError) as wrong:
        found, passed = str(wrong), False
    return Check(name, wanted, found, passed)


def _same_weights(bundle: Bundle) -> tuple[str, bool]:
    found = digest(bundle.directory / WEIGHTS_FILE)
    return found[:16], found == bundle.manifest.files.get(WEIGHTS_FILE)


def _float_difference(weights: Path) -> tuple[str, bool]:
    difference = float_difference(load_model(weights))
    return f"{difference:.1e}", difference <= TOLERANCE


def _same_graph(bundle: Bundle) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / QUANTIZED_MODEL_FILE
        quantize(load_model(bundle.directory / WEIGHTS_FILE), path)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    return found[:16], found == bundle.manifest.files[QUANTIZED_MODEL_FILE]


def check_metrics(bundle: Bundle, settings: GateSettings) -> Iterator[Check]:
    """Yield what the numbers say: int8 against fp32, this bundle against the shipped one, scores against the truth."""
    metrics, shipped = read_metrics(bundle.directory), read_metrics(settings.shipped)
    for name, title in METRIC_TITLES.items():
        change = _points(metrics, "int8", metrics, "fp32", name)
        yield _bounded(f"int8 against fp32: {title}", change, settings.max_int8_loss)
    for name, title in METRIC_TITLES.items():
        change = _points(metrics, "int8", shipped, "int8", name)
        yield _bounded(f"against {settings.shipped}: {title}", change, settings.max_regression)
    for head in bundle.manifest.labels:
        error = metrics.get("calibration", {}).get(f"{head}_ece_after")
        found = "not measured" if error is None else f"{error:.3f}"
        passed = error is not None and error <= settings.max_calibration_error
        yield Check(f"calibration error: {head}", f"<= {settings.max_calibration_error:g}", found, passed)


def _points(metrics: Metrics, part: str, others: Metrics, other_part: str, name: str) -> float | None:
    """Return by how many points a metric is above another, None where one was not measured."""
    value, other = metrics.get(part, {}).get(name), others.get(other_part, {}).get(name)
    return None if value is None or other is None else 100 * (value - other)


def _bounded(name: str, change: float | None, most: float) -> Check:
    found = "not measured" if change is None else f"{change:+.2f}"
    return Check(name, f">= {-most:g} points", found, change is not None and change >= -most - _ROUNDING)


def check_independence(bundle: Bundle, settings: GateSettings, progress: Progress) -> Iterator[Check]:
    """Yield whether a text gets the same answer alone as among others; raises `DataError`."""
    sets = load_reported(settings.data, settings.limit)
    agreements = measure_independence(bundle, sets, settings.threads, progress)
    for labelled in sets:
        each = agreements[labelled.contract.name]
        found = (
            f"{each.same / each.texts:.2%} of {each.texts}, scores {each.close / each.texts:.2%}, "
            f"by {each.largest:.4f} at most"
        )
        wanted = f"same answer in {settings.min_agreement:.1%}, score within {SCORE_TOLERANCE:g}"
        yield Check(f"alone against mixed: {labelled.name}", wanted, found, each.share >= settings.min_agreement)


def write_report(settings: GateSettings, checks: list[Check], identity: str, sha256: str) -> bool:
    """Write the report and return whether all checks passed; `sha256` is the graph's, by which it is known."""
    passed = all(check.passed for check in checks)
    report = {
        "passed": passed,
        "model": identity,
        "digest": sha256,
        "limit": settings.limit,
        "checks": [asdict(check) for check in checks],
    }
    settings.gate_report.parent.mkdir(parents=True, exist_ok=True)
    settings.gate_report.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return passed


def run(settings: GateSettings, console: Console) -> int:
    """Judge, print, write, and return the exit status; raises `DataError`."""
    identity = sha256 = ""
    try:
        bundle = load_bundle(settings.bundle)
        identity, sha256 = bundle.identity, bundle.manifest.files[QUANTIZED_MODEL_FILE]
        with progress_bars(console) as progress:
            checks = judge(bundle, settings, progress)
    except BundleError as wrong:
        checks = [Check("loads, and its graph and tokenizer are those of the manifest", "yes", str(wrong), False)]
    passed = write_report(settings, checks, identity, sha256)
    rows = [[check.name, check.wanted, check.found, "yes" if check.passed else "NO"] for check in checks]
    console.print(markdown_table(["check", "wanted", "found", "passed"], rows), soft_wrap=True, markup=False)
    refused = [check.name for check in checks if not check.passed]
    verdict = "passed" if passed else f"refused for {len(refused)} of {len(checks)} checks"
    console.print(f"\n{settings.bundle}: {verdict}; {settings.gate_report} has the report", markup=False)
    return PASSED if passed else Exit.GATE


def main() -> None:
    """Judge the bundle."""
    settings = CliApp.run(GateSettings)
    try:
        sys.exit(run(settings, Console()))
    except DataError as wrong:
        leave("Nothing was judged", wrong)


if __name__ == "__main__":
    main()
