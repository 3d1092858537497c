"""What sharing one encoder costs: `python -m benchmarks.sharing --data DIRECTORY --alone DIRECTORY`.

The bundle's weights are held against models of the same encoder that the same pipeline trained on one task each
(`python -m training.train --tasks ner`, and so on): `<task>.safetensors` in `--alone`, which may also be the
`--teachers` of a training. Both are scored as int8 graphs on the whole published sets, through the product's tokenizer
and decoding. Exit status: 0 where no head loses more than half a point, 1 where one does, 2 where nothing was measured.
"""

import json
import sys
import tempfile
from pathlib import Path

from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress

from benchmarks.marked import write_between
from schemas.errors import BundleError
from training.bundle import make_bundle, read_metrics
from training.card import METRIC_TITLES, markdown_table
from training.data import DataError
from training.encoders import WeightsError
from training.export import ExportError
from training.reading import Reader, progress_bars
from training.sets import load_reported
from training.settings import BundleSettings, SharingSettings
from worker.bundle import load_bundle

RESULTS = Path(__file__).with_name("sharing.json")
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- sharing: written by `python -m benchmarks.sharing` -->", "<!-- end of sharing -->"
MAX_LOSS_POINTS = 0.5

WITHIN, ABOVE, NOT_MEASURED = 0, 1, 2

Results = dict[str, dict[str, float]]
"""`alone` and `shared`: metric name to fraction."""


def measure(settings: SharingSettings, progress: Progress) -> Results:
    """Return the metrics of both sides; raises `DataError`, `ExportError`, `WeightsError` or `BundleError`."""
    shared = read_metrics(load_bundle(settings.bundle).directory).get("int8")
    if shared is None:
        raise WeightsError(f"{settings.bundle}: not scored yet; `make evaluate` does it")
    alone: dict[str, float] = {}
    for labelled in load_reported(settings.data, settings.limit):
        weights = settings.alone / f"{labelled.contract.name}.safetensors"
        with tempfile.TemporaryDirectory(prefix="sharing-") as name:
            make_bundle(BundleSettings(bundle=Path(name), weights=weights))
            bundle = load_bundle(Path(name))
            reader = Reader(bundle, bundle.model, settings.threads, progress)
            alone |= labelled.metrics(reader.read(labelled, "alone").results(bundle.manifest))
    return {"alone": alone, "shared": {name: shared[name] for name in alone}}


def render(results: Results) -> str:
    """Return the table, percent."""
    rows = []
    for name, title in METRIC_TITLES.items():
        alone, shared = (100 * results[side][name] for side in ("alone", "shared"))
        rows.append([title, f"{alone:.2f}", f"{shared:.2f}", f"{shared - alone:+.2f}"])
    return markdown_table(["set", "one model a task", "the shared one", "difference"], rows)


def is_within(results: Results) -> bool:
    """Return whether no head loses more than `MAX_LOSS_POINTS` by sharing."""
    return all(100 * (results["alone"][name] - results["shared"][name]) <= MAX_LOSS_POINTS for name in METRIC_TITLES)


def main() -> int:
    """Measure, print, and keep the figures unless only a part of the sets was scored; return the exit status."""
    settings = CliApp.run(SharingSettings)
    console = Console()
    try:
        with progress_bars(console) as progress:
            results = measure(settings, progress)
    except (BundleError, DataError, ExportError, WeightsError) as wrong:
        print(f"Nothing was measured: {wrong}", file=sys.stderr)
        return NOT_MEASURED
    console.print(render(results), soft_wrap=True, markup=False)
    if settings.limit is None:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        write_between(README, BEGIN, END, render(results))
    return WITHIN if is_within(results) else ABOVE


if __name__ == "__main__":
    sys.exit(main())
