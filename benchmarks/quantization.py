"""What each way to int8 costs: `python -m benchmarks.quantization --data DIRECTORY`.

The bundle's weights as the graph that is served, beside its fp32 graph quantized by ONNX Runtime's own tools, with one
scale for a batch (dynamic) and with scales fixed beforehand (static). Judged by what is held out of the training, as
the training's own choices are (see `training.splits`): the published sets must not choose.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization import (
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress

from benchmarks.marked import write_between
from schemas.errors import BundleError
from training.card import HELD_OUT_TITLES, markdown_table
from training.data import DataError
from training.encoders import WeightsError
from training.export import ExportError, save_float_model
from training.reading import Reader, progress_bars
from training.scoring import Examples
from training.settings import WEIGHTS_FILE, MeasureSettings, TrainSettings
from training.train import load_examples
from worker.arrays import Ints2d
from worker.batching import pad
from worker.bundle import Bundle, load_bundle
from worker.tasks import build_tasks
from worker.tokenizer import Tokenizer

RESULTS = Path(__file__).with_name("quantization.json")
REPORT = Path(__file__).parents[1] / "docs" / "training.md"
BEGIN, END = "<!-- quantization: written by `python -m benchmarks.quantization` -->", "<!-- end of quantization -->"

FLOAT, SERVED = "fp32", "int8, a scale for each token (served)"
DYNAMIC, STATIC = "int8, a scale for each batch (ONNX Runtime, dynamic)", "int8, fixed scales (ONNX Runtime, static)"
_CALIBRATION_TEXTS = 100  # of each set's training part; the largest values come from the same few channels in any text
_QUESTIONS_APART = 4  # of the held-out questions every fourth is read: the fp32 graph alone would take minutes
_HEADS = "heads"  # the product that is fp32 in the served graph too

Inputs = dict[str, Ints2d]
Results = dict[str, dict[str, float]]
"""Graph to metric to fraction; `processor_seconds` is what reading all sets took."""


class CalibrationTexts:
    """The windows of real texts, one at a time: padding is no activation of a text.

    A `CalibrationDataReader` by its method, as that class takes every one that has it.
    """

    def __init__(self, inputs: Iterable[Inputs]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> Inputs | None:
        """Return the inputs of the next run, None after the last."""
        return next(self._inputs, None)


@dataclass(frozen=True, slots=True)
class Graphs:
    """Makes the graphs that are compared, of one bundle, below a directory of their own."""

    bundle: Bundle
    texts: Examples
    directory: Path

    def make(self) -> Iterator[tuple[str, Path]]:
        """Yield each graph's title and file."""
        whole = save_float_model(self.bundle.directory / WEIGHTS_FILE, self.directory)
        yield FLOAT, whole
        yield SERVED, self.bundle.model
        yield DYNAMIC, self._quantized(whole, "dynamic.onnx", self._dynamic)
        yield STATIC, self._quantized(whole, "static.onnx", self._static)

    def _quantized(self, whole: Path, name: str, quantize: Callable[[onnx.ModelProto, Path, list[str]], None]) -> Path:
        model = onnx.load(whole)
        products = [node for node in model.graph.node if node.op_type == "MatMul"]
        # No type is inferred behind attention, which is no operator of the standard, and what has none is left out.
        names = dict.fromkeys(tensor for node in products for tensor in (node.input[0], node.output[0]))
        model.graph.value_info.extend(helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in names)
        path = self.directory / name
        quantize(model, path, [node.name for node in products if node.name != _HEADS])
        return path

    def _dynamic(self, model: onnx.ModelProto, path: Path, nodes: list[str]) -> None:
        quantize_dynamic(model, path, per_channel=True, weight_type=QuantType.QInt8, nodes_to_quantize=nodes)

    def _static(self, model: onnx.ModelProto, path: Path, nodes: list[str]) -> None:
        quantize_static(
            model,
            path,
            CalibrationTexts(self._windows()),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=nodes,
            # What clips loses the few channels that are far larger than the others: percentiles are no choice here.
            calibrate_method=CalibrationMethod.MinMax,
        )

    def _windows(self) -> Iterator[Inputs]:
        manifest = self.bundle.manifest
        tokenizer = Tokenizer(self.bundle.tokenizer, manifest.window, manifest.token_types)
        tasks = build_tasks(manifest)
        for labelled in self.texts.sets:
            task = tasks[labelled.contract.name]
            passages = [passage for request in labelled.requests for passage in task.passages(request)]
            for reading in tokenizer.read_all(passages):
                for window in reading.windows:
                    batch = pad([window])
                    yield {
                        "input_ids": batch.input_ids,
                        "attention_mask": batch.attention_mask,
                        "token_type_ids": batch.token_type_ids,
                    }


def measure(bundle: Bundle, settings: MeasureSettings, progress: Progress) -> Results:
    """Return what is held out says of each graph; raises `DataError`, `ExportError` or `WeightsError`."""
    trained, held_out = load_examples(TrainSettings(data=settings.data, limit=settings.limit))
    read = replace(held_out, qa=held_out.qa[::_QUESTIONS_APART])
    some = slice(_CALIBRATION_TEXTS)
    texts = Examples(trained.sentiment[some], trained.ner[some], trained.qa[some])
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="quantization-") as name:
        for title, graph in Graphs(bundle, texts, Path(name)).make():
            reader = Reader(bundle, graph, settings.threads, progress)
            begun = time.process_time()
            results[title] = {
                metric: value
                for labelled in read.sets
                for metric, value in labelled.metrics(reader.read(labelled, title).results(bundle.manifest)).items()
            }
            results[title]["processor_seconds"] = time.process_time() - begun
    return results


def render(results: Results) -> str:
    """Return the table: metrics in percent, those of every graph; processor time beside the served graph's."""
    served = results[SERVED]["processor_seconds"]
    names = [name for name in HELD_OUT_TITLES if all(name in each for each in results.values())]
    rows = [
        [title, *(f"{100 * each[name]:.2f}" for name in names), f"{each['processor_seconds'] / served:.2f}"]
        for title, each in results.items()
    ]
    return markdown_table(["graph", *(HELD_OUT_TITLES[name] for name in names), "processor time"], rows)


def main() -> int:
    """Measure, print, and keep the figures unless only a part of the sets was scored; return the exit status."""
    settings = CliApp.run(MeasureSettings)
    console = Console()
    try:
        with progress_bars(console) as progress:
            results = measure(load_bundle(settings.bundle), settings, progress)
    except (BundleError, DataError, ExportError, WeightsError) as wrong:
        print(f"Nothing was measured: {wrong}", file=sys.stderr)
        return 2
    console.print(render(results), soft_wrap=True, markup=False)
    if settings.limit is None:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        write_between(REPORT, BEGIN, END, render(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
