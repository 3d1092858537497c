"""Dynamic int8: weights as signed bytes per output channel, activations as unsigned bytes per token at run time.

ONNX Runtime's own dynamic quantization gives an activation one scale for the whole batch. A few channels of BERT are
far larger than the rest (Kovaleva et al. 2021), so one token's outlier takes the precision of all others away, and an
answer depends on its batch mates (microsoft/onnxruntime issue 10111). Here each token has its own scale. Measured on
the pilot weights: SQuAD loses 0.1 of exact match instead of 1.0, batch mates change nothing (see `training.graph` for
the other half), and a run takes 1.1 times as long. The embedding table is bytes too, with a scale for each word.
What is large in every token is dealt with by `training.smoothing`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from training.builder import MICROSOFT, Array, Floats, GraphBuilder
from training.export import ExportError
from training.graph import EncoderGraph
from training.model import MultiTaskModel
from training.smoothing import channel_scales

MAX_BYTES = 1.05
"""Of a parameter at most: above it, something was left in floats. 24 MB for MiniLM, which the repository carries."""

_NODES_BYTES = 500_000  # and scales, for which there is one a word

_LARGEST_BYTE = 127  # of a signed byte; -128 is left out so that the scale is the same on both sides
_MIDDLE = 128  # the unsigned byte that stands for 0 where values lie on both sides of it
_BELOW_ZERO = 32  # unsigned bytes for the values below 0 where these are bounded: the rest is for those above
_LEAST_SCALE = 1e-9  # a token of zeros has no scale of its own, and dividing by 0 would make it NaN


def quantize(model: MultiTaskModel, path: Path) -> None:
    """Write the model's int8 graph; raises `ExportError` where it has more than `MAX_BYTES` a parameter."""
    graph: onnx.ModelProto = EncoderGraph(model, Int8Arithmetic(channel_scales(model))).build()
    path.write_bytes(graph.SerializeToString(deterministic=True))
    limit = _NODES_BYTES + int(MAX_BYTES * sum(weight.numel() for weight in model.parameters()))
    if path.stat().st_size > limit:
        raise ExportError(f"{path}: {path.stat().st_size} bytes, the limit is {limit}")


class Int8Arithmetic:
    """Products of unsigned and signed bytes, summed in int32: what VNNI multiplies fastest.

    Without VNNI the sums overflow unless the session is told (`worker.processor`).

    `smoothing`: name of a source to what its channels are divided by before, see `training.smoothing`.
    """

    def __init__(self, smoothing: Mapping[str, Floats]) -> None:
        self._smoothing = smoothing
        self._smoothed: dict[str, str] = {}
        self._quantized: dict[str, tuple[str, str, str]] = {}

    def rows(self, builder: GraphBuilder, output: str, table: Floats, ids: str) -> str:
        """Gather bytes and scales of the rows, and multiply them."""
        values, scales = to_bytes(table, axis=1)
        gathered = builder.add("Gather", [builder.constant(f"{output}.table", values), ids], f"{output}.bytes")
        scale = builder.add("Gather", [builder.constant(f"{output}.scales", scales), ids], f"{output}.scale")
        numbers = builder.add("Cast", [gathered], f"{output}.numbers", to=TensorProto.FLOAT)
        return builder.add("Mul", [numbers, scale], output)

    def product(self, builder: GraphBuilder, output: str, source: str, weight: Floats, least: float | None) -> str:
        """Multiply bytes; the runtime scales by channel, then each row is scaled by its token."""
        smoothing = self._smoothing.get(source)
        if smoothing is not None:
            source, weight = self._smooth(builder, source, smoothing), weight * smoothing[:, None]
        values, scales = to_bytes(weight, axis=0)
        rows, row_scales, zero = self._quantize(builder, source, least)
        inputs = [
            rows,
            builder.constant(f"{output}.weight", values),
            builder.number(1.0),  # the kernel takes one scale for all rows only
            builder.constant(f"{output}.scales", scales[0]),
            zero,
        ]
        product = builder.add("MatMulIntegerToFloat", inputs, f"{output}.unscaled", domain=MICROSOFT)
        return builder.add("Mul", [product, row_scales], output)

    def _smooth(self, builder: GraphBuilder, source: str, smoothing: Floats) -> str:
        """Add a source divided by its scales, once."""
        if source not in self._smoothed:
            factors = builder.constant(f"{source}.factors", 1 / smoothing)
            self._smoothed[source] = builder.add("Mul", [source, factors], f"{source}.smooth")
        return self._smoothed[source]

    def _quantize(self, builder: GraphBuilder, source: str, least: float | None) -> tuple[str, str, str]:
        """Add a source's bytes (rows, inputs) and scales (rows, 1), once; return them and the zero point."""
        if source in self._quantized:
            return self._quantized[source]
        zero = _MIDDLE if least is None else _BELOW_ZERO
        scales = self._scales(builder, source, least)
        flat = builder.add("Squeeze", [scales, builder.integers(1)], f"{source}.flat_scales")  # (rows,)
        inputs = [source, flat, self._zeros(builder, zero)]
        rows = builder.add("QuantizeLinear", inputs, f"{source}.bytes", axis=0)
        self._quantized[source] = (rows, scales, builder.constant(f"zero {zero}", np.array(zero, np.uint8)))
        return self._quantized[source]

    def _scales(self, builder: GraphBuilder, source: str, least: float | None) -> str:
        """Add the scale of each row, (rows, 1): the least that brings all its values into the range of a byte."""
        if least is None:
            magnitudes, steps, floor = builder.add("Abs", [source], f"{source}.magnitudes"), _LARGEST_BYTE, _LEAST_SCALE
        else:
            magnitudes, steps, floor = source, 255 - _BELOW_ZERO, -least / _BELOW_ZERO
        largest = builder.add("ReduceMax", [magnitudes, builder.integers(1)], f"{source}.largest", keepdims=1)
        scales = builder.add("Mul", [largest, builder.number(1 / steps)], f"{source}.free_scales")
        return builder.add("Max", [scales, builder.number(floor)], f"{source}.scales")

    def _zeros(self, builder: GraphBuilder, zero: int) -> str:
        """Add the zero point once for each row: the operator wants as many as scales."""
        name = f"zeros {zero}"
        if not any(node.name == name for node in builder.nodes):
            value = helper.make_tensor("value", TensorProto.UINT8, [1], [zero])
            builder.add("ConstantOfShape", ["rows"], name, value=value)
        return name


def to_bytes(values: Floats, axis: int) -> tuple[Array, Floats]:
    """Return signed bytes and the scales that bring them back, one for each line along `axis`, which is kept as 1."""
    scales = np.maximum(np.abs(values).max(axis=axis, keepdims=True) / _LARGEST_BYTE, _LEAST_SCALE)
    return np.round(values / scales).astype(np.int8), scales.astype(np.float32)
