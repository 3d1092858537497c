"""Numbers to bytes and back."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from training.builder import MICROSOFT, Array, Floats, GraphBuilder
from training.graph import OPSET
from training.quantize import Int8Arithmetic, to_bytes
from worker.encoder import session_options


def _run(source: Floats, weight: Floats, least: float | None, smoothing: Floats | None = None) -> Array:
    builder = GraphBuilder()
    builder.add("Shape", ["source"], "rows", start=0, end=1)
    Int8Arithmetic({} if smoothing is None else {"source": smoothing}).product(
        builder, "product", "source", weight, least
    )
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("source", "product")]
    graph = helper.make_graph(builder.nodes, "test", floats[:1], floats[1:], list(builder.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, ir_version=10, opset_imports=opsets)
    session = ort.InferenceSession(model.SerializeToString(), session_options(1), providers=["CPUExecutionProvider"])
    product: Array = session.run(["product"], {"source": source})[0]
    return product


@pytest.fixture
def weight() -> Floats:
    return np.random.default_rng(1).normal(size=(64, 24)).astype(np.float32)


def test_bytes_are_within_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)

    numbers, scales = to_bytes(values, axis=1)

    assert numbers.dtype == np.int8
    assert scales.shape == (5, 1)
    assert np.all(np.abs(numbers * scales - values) <= scales / 2 + 1e-7)


def test_zeros_become_zeros() -> None:
    numbers, scales = to_bytes(np.zeros((2, 3), np.float32), axis=0)

    assert not numbers.any()
    assert np.isfinite(scales).all()


def test_product_is_close_for_rows_of_very_different_size(weight: Floats) -> None:
    sizes = np.array([[0.01], [1.0], [100.0]], np.float32)
    source = np.random.default_rng(2).normal(size=(3, 64)).astype(np.float32) * sizes

    product = _run(source, weight, least=None)

    errors = np.linalg.norm(product - source @ weight, axis=1) / np.linalg.norm(source @ weight, axis=1)
    assert errors.max() < 0.02


def test_row_is_computed_alone(weight: Floats) -> None:
    source = np.random.default_rng(3).normal(size=(4, 64)).astype(np.float32)
    source[1] *= 50

    assert np.array_equal(_run(source, weight, least=None)[:1], _run(source[:1], weight, least=None))


def test_product_is_close_where_values_are_bounded_below(weight: Floats) -> None:
    source = np.maximum(np.random.default_rng(4).normal(size=(6, 64)), -0.17).astype(np.float32)

    product = _run(source, weight, least=-0.17)

    assert np.linalg.norm(product - source @ weight) / np.linalg.norm(source @ weight) < 0.01


def test_row_of_zeros_gives_zeros(weight: Floats) -> None:
    assert not _run(np.zeros((2, 64), np.float32), weight, least=None).any()


def test_source_is_quantized_once_for_several_products(weight: Floats) -> None:
    builder, arithmetic = GraphBuilder(), Int8Arithmetic({"states": np.ones(64, np.float32)})

    for name in ("query", "key", "value"):
        arithmetic.product(builder, name, "states", weight, None)

    operators = [node.op_type for node in builder.nodes]
    assert operators.count("Mul") == 1 + 1 + 3  # smoothing, the scale of a row, and what brings each product back
    assert operators.count("QuantizeLinear") == 1
    assert operators.count("MatMulIntegerToFloat") == 3


def test_a_channel_that_is_always_large_costs_the_others_less_when_it_is_smoothed(weight: Floats) -> None:
    source = np.random.default_rng(5).normal(size=(8, 64)).astype(np.float32)
    source[:, 7] *= 40
    smoothing = np.ones(64, np.float32)
    smoothing[7] = 8
    weight[7] /= 40

    exact = source @ weight
    plain, smooth = (np.linalg.norm(_run(source, weight, None, each) - exact) for each in (None, smoothing))

    assert smooth < plain / 3
