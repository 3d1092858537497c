"""The comparison of ways to int8: what the other graphs hold, how they are told apart, and what the document says."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from rich.progress import Progress

from benchmarks import quantization
from benchmarks.marked import read_between
from benchmarks.quantization import (
    BEGIN,
    DYNAMIC,
    END,
    FLOAT,
    REPORT,
    RESULTS,
    SERVED,
    STATIC,
    CalibrationTexts,
    Graphs,
    measure,
    render,
)
from training.data import LabelledText, Question, TaggedSentence
from training.scoring import Examples
from training.settings import MeasureSettings
from worker.bundle import load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_OURS = Examples(
    [LabelledText("A wonderful film.", "positive"), LabelledText("A dull and awful film.", "negative")],
    [TaggedSentence(("Ada", "Lovelace", "lived", "in", "London", "."), ("B-PER", "I-PER", "O", "O", "B-LOC", "O"))],
    [Question("1", "Ada", "Ada Lovelace was born in 1815.", "When was Ada Lovelace born?", ("1815",), (25,))],
    [LabelledText("I asked twice. Nobody wrote back.", "negative")],
)


def _products(path: Path) -> dict[str, list[set[str | None]]]:
    """Return what makes the inputs of each product, by the product's operator."""
    nodes = onnx.load(path).graph.node
    makers = {output: node.op_type for node in nodes for output in node.output}
    found: dict[str, list[set[str | None]]] = {}
    for node in nodes:
        if "MatMul" in node.op_type:
            found.setdefault(node.op_type, []).append({makers.get(name) for name in node.input})
    return found


def test_every_product_but_the_heads_is_in_bytes(tmp_path: Path) -> None:
    graphs = dict(Graphs(load_bundle(_SHIPPED), _OURS, tmp_path).make())

    assert list(graphs) == [FLOAT, SERVED, DYNAMIC, STATIC]
    dynamic, static = _products(graphs[DYNAMIC]), _products(graphs[STATIC])
    in_bytes = 6 * 6  # layers, and products of each
    assert {operator: len(nodes) for operator, nodes in dynamic.items()} == {"MatMulInteger": in_bytes, "MatMul": 1}
    assert sorted(map(len, static["MatMul"])) == [1] * in_bytes + [2]
    assert static["MatMul"].count({"DequantizeLinear"}) == in_bytes


def test_calibration_ends_after_the_last_text() -> None:
    inputs = {"input_ids": np.ones((1, 3), np.int64)}
    texts = CalibrationTexts([inputs])

    assert texts.get_next() is inputs
    assert texts.get_next() is None


def test_each_graph_is_judged_by_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "load_examples", lambda _settings: (_OURS, _OURS))

    results = measure(load_bundle(_SHIPPED), MeasureSettings(), Progress(disable=True))

    assert list(results) == [FLOAT, SERVED, DYNAMIC, STATIC]
    assert all(each["processor_seconds"] > 0 for each in results.values())
    assert {name: results[SERVED][name] for name in ("sentiment_accuracy", "ner_f1", "qa_em")} == {
        "sentiment_accuracy": 1.0,
        "ner_f1": 1.0,
        "qa_em": 1.0,
    }


def test_time_is_told_beside_the_served_graph() -> None:
    figures = {"sentiment_accuracy": 0.9, "ner_f1": 0.85, "qa_em": 0.7, "qa_f1": 0.8125}

    table = render({FLOAT: figures | {"processor_seconds": 30.0}, SERVED: figures | {"processor_seconds": 20.0}})

    assert f"| {FLOAT} | 90.00 | 85.00 | 70.00 | 81.25 | 1.50 |" in table
    assert f"| {SERVED} | 90.00 | 85.00 | 70.00 | 81.25 | 1.00 |" in table


def test_the_document_says_what_was_measured() -> None:
    assert read_between(REPORT, BEGIN, END) == render(json.loads(RESULTS.read_bytes()))
