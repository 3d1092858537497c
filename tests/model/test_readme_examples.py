"""The README shows what the shipped bundle answers: the same words, and scores that are about those."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic_core import from_json

from schemas import DOCUMENT, NER, DocumentRequest, EnrichedDocument, NerRequest, NerResult, Record, codec
from training.card import tables
from worker.inference import Inference

README = Path(__file__).parents[2] / "README.md"
ABOUT = 0.01
"""Another processor's kernels may change a score by as much; new weights that do have the README written anew."""


def shown(record_type: type[Record]) -> list[Record]:
    """Return the records of a type that the README shows, each on a line of its own."""
    lines = re.findall(r'^\{"id":.*\}$', README.read_text(encoding="utf-8"), re.MULTILINE)
    fields = set(record_type.model_fields)
    return [codec.decode(line.encode(), record_type) for line in lines if set(from_json(line)) == fields]


def parts(value: Any) -> tuple[list[float], Any]:
    """Return all scores of a record's JSON, and the JSON without them."""
    scores: list[float] = []

    def strip(each: Any) -> Any:
        if isinstance(each, dict):
            scores.extend(number for name, number in each.items() if name == "score")
            return {name: strip(inner) for name, inner in each.items() if name != "score"}
        return [strip(inner) for inner in each] if isinstance(each, list) else each

    return scores, strip(value)


def assert_alike(record: Record, answer: Record) -> None:
    """Assert that a record is the answer but for its id and small changes of scores."""
    shown_scores, shown_rest = parts(record.model_dump())
    scores, rest = parts(answer.model_copy(update={"id": shown_rest["id"]}).model_dump())
    assert shown_rest == rest
    assert shown_scores == pytest.approx(scores, abs=ABOUT)


def test_readme_shows_the_entities_that_are_found(int8_inference: Inference) -> None:
    (record,) = cast(list[NerResult], shown(NerResult))

    assert record.entities
    assert_alike(record, int8_inference.answer(NER, [NerRequest(text=record.text)])[0])


def test_readme_shows_the_document_that_comes_out(int8_inference: Inference) -> None:
    (record,) = cast(list[EnrichedDocument], shown(EnrichedDocument))
    questions = [answer.question for answer in record.answers]

    assert questions
    assert_alike(record, int8_inference.answer(DOCUMENT, [DocumentRequest(text=record.text, questions=questions)])[0])


def test_readme_shows_the_numbers_of_the_shipped_bundle(metrics: dict[str, dict[str, float]]) -> None:
    readme = README.read_text(encoding="utf-8")

    for _, table in tables(metrics):
        assert table in readme, "copy the tables that `make evaluate` prints"
