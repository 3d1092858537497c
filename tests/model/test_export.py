"""The ONNX graph computes what the PyTorch model computes."""

from collections.abc import Iterator

import numpy as np
import onnx

from tests.model.samples import QUESTIONS, TEXTS
from training.export import TOLERANCE, largest_difference, sample_batches
from training.model import MultiTaskModel
from worker.batching import Batch, pad
from worker.inference import Inference
from worker.tokenizer import Passage


def _real_batches(inference: Inference) -> Iterator[Batch]:
    passages = [Passage(text) for text in TEXTS[:24]] + [Passage(*pair) for pair in QUESTIONS[:8]]
    windows = [window for reading in inference.tokenizer.read_all(passages) for window in reading.windows]
    for first in range(0, len(windows), 8):
        yield pad(windows[first : first + 8])


def test_onnx_equals_torch_on_random_inputs(torch_model: MultiTaskModel, float_graph: onnx.ModelProto) -> None:
    assert largest_difference(torch_model, float_graph, sample_batches()) <= TOLERANCE


def test_onnx_equals_torch_on_padded_texts(
    torch_model: MultiTaskModel, float_graph: onnx.ModelProto, int8_inference: Inference
) -> None:
    batches = list(_real_batches(int8_inference))

    assert any(batch.padded_tokens > batch.tokens for batch in batches)
    assert largest_difference(torch_model, float_graph, iter(batches)) <= TOLERANCE


def test_padding_does_not_change_a_float_answer(float_inference: Inference) -> None:
    short, long = (Passage(TEXTS[0]), Passage(TEXTS[23]))

    alone = float_inference.encode([short])[0].logits[0]
    window = [reading.windows[0] for reading in float_inference.tokenizer.read_all([short, long])]
    padded = float_inference._encoder.run(pad(window)).of(0, window[0])

    assert len(window[1]) > len(window[0])
    for head in ("sentiment", "ner", "qa"):
        np.testing.assert_allclose(getattr(padded, head), getattr(alone, head), atol=TOLERANCE)


def test_graph_has_one_output_a_head_and_dynamic_shapes(float_graph: onnx.ModelProto) -> None:
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*float_graph.graph.input, *float_graph.graph.output)
    }

    assert shapes == {
        "input_ids": ["batch", "tokens"],
        "attention_mask": ["batch", "tokens"],
        "token_type_ids": ["batch", "tokens"],
        "sentiment_logits": ["batch", 2],
        "ner_logits": ["batch", "tokens", 9],
        "qa_logits": ["batch", "tokens", 2],
    }
