"""The int8 graph is small, runs on the integer kernels, treats every token apart, and says what the fp32 graph says."""

from collections import Counter
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from rich.progress import Progress

from schemas import NER, QA, SENTIMENT, NerRequest, NerResult, QaRequest, QaResult, SentimentRequest, SentimentResult
from tests.model.labelled import SENTIMENTS
from tests.model.samples import QUESTIONS, TEXTS
from training.data import LabelledText, Question
from training.export import sample_batches
from training.independence import SCORE_TOLERANCE, measure_independence
from training.sets import EntitySet, LabelledSet, QuestionSet, SentimentSet, TaggedText
from training.tasks.qa import exact_match_and_f1
from worker.bundle import Bundle
from worker.encoder import Encoder
from worker.inference import Inference

_LAYERS = 6
_SURE = 0.6
"""Score from which on the precisions must agree: below, a rounding may decide a near tie."""
_NEAR = 0.05
"""Probability of "positive" by which they may differ on any text."""
_ALIKE = 0.95
"""Share of names and words on which they agree at least; near ties are in it."""


def test_graph_stays_under_its_size_limit(bundle: Bundle) -> None:
    assert bundle.model.stat().st_size < 25_000_000


def test_runtime_keeps_the_fast_kernels(bundle: Bundle, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3

    ort.InferenceSession(bundle.model, options, providers=["CPUExecutionProvider"])
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)

    assert operators["MatMulIntegerToFloat"] == 6 * _LAYERS
    assert operators["MatMul"] == 1  # the heads, in fp32
    assert operators["SkipLayerNormalization"] == operators["BiasGelu"] == 0


def test_sums_of_products_do_not_overflow_on_any_processor(bundle: Bundle, tmp_path: Path) -> None:
    model = onnx.load(bundle.model)
    tables = {table.name: table for table in model.graph.initializer}
    model.graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), "middle"))
    for node in model.graph.node:
        if node.op_type == "MatMulIntegerToFloat":
            table = tables[node.input[1]]
            # The same numbers as unsigned bytes, whose products every processor adds in 32 bits.
            table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table).view(np.uint8) ^ 128, table.name))
            node.input.append("middle")
    exact = tmp_path / "exact.onnx"
    onnx.save(model, exact)

    outputs = bundle.manifest.outputs
    for batch in sample_batches():
        found, expected = Encoder(bundle.model, outputs).run(batch), Encoder(exact, outputs).run(batch)
        for head in ("sentiment", "ner", "qa"):
            np.testing.assert_allclose(getattr(found, head), getattr(expected, head), atol=1e-4)


def test_every_activation_row_has_a_scale_of_its_own(bundle: Bundle) -> None:
    nodes = onnx.load(bundle.model).graph.node

    axes = [node.attribute[0].i for node in nodes if node.op_type == "QuantizeLinear"]

    assert axes == [0] * 4 * _LAYERS
    assert not any(node.op_type == "DynamicQuantizeLinear" for node in nodes)


def test_answers_are_the_same_alone_and_among_others(bundle: Bundle) -> None:
    sets: list[LabelledSet] = [
        SentimentSet("texts", [LabelledText(text, "positive") for text in TEXTS]),
        EntitySet("texts", [TaggedText(text, (), ()) for text in TEXTS]),
        QuestionSet("questions", [Question("", "", context, question, (), ()) for context, question in QUESTIONS]),
    ]

    agreements = measure_independence(bundle, sets, 1, Progress(disable=True))

    for labelled in sets:
        agreement = agreements[labelled.contract.name]
        assert agreement.texts == len(labelled.requests)
        # To the bit where this was written; another processor's kernels may round otherwise.
        assert agreement.share == 1.0
        assert agreement.largest <= SCORE_TOLERANCE


def test_precisions_agree_on_sentiment(float_inference: Inference, int8_inference: Inference) -> None:
    requests = [SentimentRequest(text=text) for text in TEXTS]
    opinions = {text for text, _ in SENTIMENTS}

    float_results = cast(list[SentimentResult], float_inference.answer(SENTIMENT, requests))
    int8_results = cast(list[SentimentResult], int8_inference.answer(SENTIMENT, requests))

    pairs = list(zip(float_results, int8_results, strict=True))
    sure = [(a, b) for a, b in pairs if a.score > _SURE]
    assert sum(a.text in opinions for a, _ in sure) > 0.9 * len(opinions)  # of other texts neither need be
    assert [a.sentiment for a, _ in sure] == [b.sentiment for _, b in sure]
    assert all(abs(_positive(a) - _positive(b)) < _NEAR for a, b in pairs)


def _positive(result: SentimentResult) -> float:
    return result.score if result.sentiment == "positive" else 1 - result.score


def test_precisions_agree_on_entities(float_inference: Inference, int8_inference: Inference) -> None:
    requests = [NerRequest(text=text) for text in TEXTS]

    float_entities = _entities(cast(list[NerResult], float_inference.answer(NER, requests)))
    int8_entities = _entities(cast(list[NerResult], int8_inference.answer(NER, requests)))

    assert len(float_entities) > len(TEXTS)
    common = len(float_entities & int8_entities)
    assert 2 * common / (len(float_entities) + len(int8_entities)) >= _ALIKE


def test_precisions_agree_on_answers(float_inference: Inference, int8_inference: Inference) -> None:
    requests = [QaRequest(context=context, question=question) for context, question in QUESTIONS]

    float_results = cast(list[QaResult], float_inference.answer(QA, requests))
    int8_results = cast(list[QaResult], int8_inference.answer(QA, requests))

    found = [result.answer for result in int8_results]
    assert exact_match_and_f1(found, [[result.answer] for result in float_results])["qa_f1"] >= _ALIKE


def _entities(results: list[NerResult]) -> set[tuple[int, int, int, str]]:
    return {
        (number, entity.start_char, entity.end_char, entity.type)
        for number, result in enumerate(results)
        for entity in result.entities
    }
