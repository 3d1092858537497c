"""PyTorch to ONNX: one graph, three heads, proved equal to PyTorch before it is written."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from pydantic_settings import CliApp

from schemas.manifest import FLOAT_MODEL_FILE, NER_OUTPUT, QA_OUTPUT, SENTIMENT_OUTPUT
from training.encoders import TOKEN_TYPES
from training.graph import EncoderGraph, FloatArithmetic
from training.model import MultiTaskModel
from training.settings import BundleSettings
from training.weights import load_model
from worker.arrays import Ints2d
from worker.batching import Batch

OUTPUTS = {"sentiment": SENTIMENT_OUTPUT, "ner": NER_OUTPUT, "qa": QA_OUTPUT}
"""Head name to the graph's output name."""

TOLERANCE = 1e-4
"""Largest difference of a logit from PyTorch's; logits are of the order of 10, so this is fp32 rounding."""


class ExportError(Exception):
    """The graph does not compute what the model computes."""


def export(model: MultiTaskModel) -> onnx.ModelProto:
    """Return the model as an ONNX graph; raises `ExportError` where the two differ by more than `TOLERANCE`."""
    graph = EncoderGraph(model, FloatArithmetic()).build()
    difference = largest_difference(model, graph, sample_batches())
    if not difference <= TOLERANCE:
        raise ExportError(f"ONNX and PyTorch differ by {difference:.2g}, the limit is {TOLERANCE:.0e}")
    return graph


def float_difference(model: MultiTaskModel) -> float:
    """Return the largest difference of any logit between the model and its fp32 graph, on random inputs."""
    return largest_difference(model, EncoderGraph(model, FloatArithmetic()).build(), sample_batches())


def sample_batches() -> Iterator[Batch]:
    """Yield random batches: padded and full, one token and a whole window, with every token type."""
    generator = np.random.default_rng(seed=4)
    for lengths in ((1,), (7, 7), (3, 40, 17), (384, 250)):
        shape = (len(lengths), max(lengths))
        mask: Ints2d = (np.arange(shape[1]) < np.array(lengths)[:, None]).astype(np.int64)
        ids = generator.integers(1_000, 30_000, shape) * mask
        types = generator.integers(0, TOKEN_TYPES, shape) * mask
        yield Batch(ids, mask, types, int(mask.sum()))


def largest_difference(model: MultiTaskModel, graph: onnx.ModelProto, batches: Iterator[Batch]) -> float:
    """Return the largest difference of any logit of a real token between PyTorch and ONNX Runtime."""
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch in batches:
        inputs = (batch.input_ids, batch.attention_mask, batch.token_type_ids)
        with torch.inference_mode():
            expected = model(*(torch.from_numpy(values) for values in inputs))
        names = ("input_ids", "attention_mask", "token_type_ids")
        found = session.run(list(OUTPUTS.values()), dict(zip(names, inputs, strict=True)))
        for head, logits in zip(OUTPUTS, found, strict=True):
            differences = np.abs(logits - expected[head].numpy())
            if differences.ndim == 3:  # what stands at padding is read by nobody
                differences = differences[batch.attention_mask == 1]
            largest = max(largest, float(differences.max()))
    return largest


def save_float_model(weights: Path, directory: Path) -> Path:
    """Write the fp32 graph of the weights into the bundle's directory and return its path."""
    path = directory / FLOAT_MODEL_FILE
    path.write_bytes(export(load_model(weights)).SerializeToString(deterministic=True))
    return path


def main() -> None:
    """Write `model.onnx`, the fp32 graph of the bundle's weights."""
    settings = CliApp.run(BundleSettings)
    path = save_float_model(settings.source, settings.bundle)
    print(f"{path}: equal to PyTorch within {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
