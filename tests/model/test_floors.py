"""What the shipped bundle gets right of plain texts of our own: below these floors something is broken.

The floors stand a few texts below what the bundle reaches, so that another processor's rounding does not matter. How
good the model is say `metrics.json` and the sets it is of.
"""

from typing import cast

from schemas import NER, QA, SENTIMENT, NerRequest, NerResult, QaRequest, QaResult, SentimentRequest, SentimentResult
from tests.model.labelled import ANSWERS, ENTITIES, SENTIMENTS, unmark
from training.tasks.qa import exact_match_and_f1
from training.tasks.sentiment import accuracy
from worker.inference import Inference

SENTIMENT_FLOOR = 0.93
ENTITY_FLOOR = 0.93
EXACT_FLOOR = 0.77
OVERLAP_FLOOR = 0.85
ENOUGH = 40


def test_sentiments_of_plain_texts(int8_inference: Inference) -> None:
    requests = [SentimentRequest(text=text) for text, _ in SENTIMENTS]

    results = cast(list[SentimentResult], int8_inference.answer(SENTIMENT, requests))

    found = accuracy([result.sentiment for result in results], [label for _, label in SENTIMENTS])
    assert len(requests) >= ENOUGH
    assert found["sentiment_accuracy"] >= SENTIMENT_FLOOR


def test_names_in_plain_texts(int8_inference: Inference) -> None:
    texts = [unmark(marked) for marked in ENTITIES]

    results = cast(list[NerResult], int8_inference.answer(NER, [NerRequest(text=text) for text, _ in texts]))

    found = [{(each.start_char, each.end_char, each.type) for each in result.entities} for result in results]
    right = sum(len(names & spans) for (_, names), spans in zip(texts, found, strict=True))
    assert len(texts) >= ENOUGH
    assert 2 * right / (sum(len(names) for _, names in texts) + sum(map(len, found))) >= ENTITY_FLOOR


def test_answers_from_plain_texts(int8_inference: Inference) -> None:
    requests = [QaRequest(context=context, question=question) for context, question, _ in ANSWERS]

    results = cast(list[QaResult], int8_inference.answer(QA, requests))

    found = exact_match_and_f1([result.answer for result in results], [golds for _, _, golds in ANSWERS])
    assert len(requests) >= ENOUGH
    assert found["qa_em"] >= EXACT_FLOOR
    assert found["qa_f1"] >= OVERLAP_FLOOR
