"""What sharing one encoder costs: `python -m benchmarks.sharing --data DIRECTORY --alone DIRECTORY`.

The bundle's weights are held against models of the same encoder that the same pipeline trained on one task each
(`python -m training.train --tasks ner`, and so on): `<task>.safetensors` in `--alone`, which may also be the
`--teachers` of a training. Both are scored as int8 graphs on the whole published sets, through the product's tokenizer
and decoding; how often each has read its set stands beside it, as nothing else decides as much. Exit status: 0 where no
head loses more than half a point, 1 where one does, 2 where nothing was measured.
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
from training.bundle import fitted_as, make_bundle, read_metrics
from training.card import METRIC_TITLES, markdown_table
from training.data import DataError
from training.encoders import WeightsError
from training.export import ExportError
from training.reading import Reader, progress_bars
from training.sets import load_reported
from training.settings import BundleSettings, SharingSettings
from training.weights import all_passes, read_history
from worker.bundle import load_bundle

RESULTS = Path(__file__).with_name("sharing.json")
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- sharing: written by `python -m benchmarks.sharing` -->", "<!-- end of sharing -->"
MAX_LOSS_POINTS = 0.5

WITHIN, ABOVE, NOT_MEASURED = 0, 1, 2

TASKS = {"sentiment_accuracy": "sentiment", "ner_f1": "ner", "qa_em": "qa", "qa_f1": "qa"}
"""Metric name to the task that it judges."""

Results = dict[str, dict[str, dict[str, float]]]
"""`alone` and `shared`: `metrics`, each name to a fraction, and `passes`, each task to how often its set was read."""


def measure(settings: SharingSettings, progress: Progress) -> Results:
    """Return the metrics of both sides; raises `DataError`, `ExportError`, `WeightsError` or `BundleError`."""
    bundle = load_bundle(settings.bundle)
    shared = read_metrics(bundle.directory).get("int8")
    if shared is None:
        raise WeightsError(f"{settings.bundle}: not scored yet; `make evaluate` does it")
    alone: dict[str, float] = {}
    passes: dict[str, float] = {}
    for labelled in load_reported(settings.data, settings.limit):
        weights = settings.alone / f"{labelled.contract.name}.safetensors"
        passes |= all_passes(read_history(weights))
        with tempfile.TemporaryDirectory(prefix="sharing-") as name:
            make_bundle(BundleSettings(bundle=Path(name), weights=weights))
            single = load_bundle(Path(name))
            reader = Reader(single, single.model, settings.threads, progress)
            # The weights are compared, not what was fitted to one of them.
            decoded = fitted_as(single.manifest, bundle.manifest)
            alone |= labelled.metrics(reader.read(labelled, "alone").results(decoded))
    return {
        "alone": {"metrics": alone, "passes": passes},
        "shared": {
            "metrics": {name: shared[name] for name in alone},
            "passes": all_passes(bundle.manifest.training),
        },
    }


def render(results: Results) -> str:
    """Return the table, percent, with the passes over the set in brackets."""
    rows = []
    for name, title in METRIC_TITLES.items():
        alone, shared = results["alone"], results["shared"]
        difference = 100 * (shared["metrics"][name] - alone["metrics"][name])
        rows.append([title, _figure(alone, name), _figure(shared, name), f"{difference:+.2f}"])
    return markdown_table(["set", "one model a task (passes)", "the shared one (passes)", "difference"], rows)


def _figure(side: dict[str, dict[str, float]], name: str) -> str:
    return f"{100 * side['metrics'][name]:.2f} ({side['passes'].get(TASKS[name], 0.0):.1f})"


def is_within(results: Results) -> bool:
    """Return whether no head loses more than `MAX_LOSS_POINTS` by sharing."""
    alone, shared = (results[side]["metrics"] for side in ("alone", "shared"))
    return all(100 * (alone[name] - shared[name]) <= MAX_LOSS_POINTS for name in METRIC_TITLES)


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
