"""Scoring: entities mapped back on words, and which numbers are kept."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas import AnyRequest, Contract, Entity, QaRequest, QaResult
from schemas.ner import EntityType
from training.data import Question
from training.evaluate import record, score_questions, tags_of
from worker.bundle import Bundle, load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"
_SCORES = {"sentiment_accuracy": 0.5, "ner_f1": 0.25, "qa_em": 0.125, "qa_f1": 0.75}


def _entity(text: str, kind: EntityType, start: int) -> Entity:
    return Entity(text=text, type=kind, start_char=start, end_char=start + len(text), score=0.9)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    shipped = load_bundle(_SHIPPED)
    for name in ("manifest.json", "metrics.json"):
        shutil.copyfile(_SHIPPED / name, tmp_path / name)
    return Bundle(tmp_path, shipped.manifest)


def test_entity_tags_all_its_words() -> None:
    words = ["Ada", "Lovelace", "met", "IBM", "."]

    tags = tags_of(words, [_entity("Ada Lovelace", "PER", 0), _entity("IBM", "ORG", 17)])

    assert tags == ["B-PER", "I-PER", "O", "B-ORG", "O"]


def test_neighbouring_entities_of_a_type_stay_two() -> None:
    assert tags_of(["Oslo", "Bergen"], [_entity("Oslo", "LOC", 0), _entity("Bergen", "LOC", 5)]) == ["B-LOC", "B-LOC"]


def test_entity_in_a_part_of_a_word_tags_the_word() -> None:
    assert tags_of(["Oslo-based", "firm"], [_entity("Oslo", "LOC", 0)]) == ["B-LOC", "O"]


def test_shared_word_belongs_to_the_first_entity() -> None:
    tags = tags_of(["Paris/Rome", "line"], [_entity("Paris", "LOC", 0), _entity("Rome line", "MISC", 6)])

    assert tags == ["B-LOC", "B-MISC"]


def test_questions_are_scored_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [
        Question("1", "t", "It is red.", "Which colour?", ("red",), (6,)),
        Question("2", "t", "It is blue.", "Which colour?", ("blue",), (6,)),
        Question("3", "t", "It is grey.", "Which colour?", ("grey",), (6,)),
    ]
    monkeypatch.setattr("training.evaluate.load_questions", lambda data, split: questions)

    def answer(contract: Contract, requests: Sequence[AnyRequest]) -> list[object]:
        assert all(isinstance(request, QaRequest) for request in requests)
        return [QaResult(id="x", answer="the red", start_char=0, end_char=1, score=0.5) for _ in requests]

    assert score_questions(answer, None, limit=2) == {"qa_em": 0.5, "qa_f1": 0.5}


def test_precision_that_was_not_scored_keeps_its_numbers(bundle: Bundle) -> None:
    before = json.loads((bundle.directory / "metrics.json").read_bytes())

    record(bundle, {"int8": _SCORES})

    after = json.loads((bundle.directory / "metrics.json").read_bytes())
    assert after == {"fp32": before["fp32"], "int8": _SCORES}
    assert list(after) == ["fp32", "int8"]


def test_card_shows_the_numbers_that_were_recorded(bundle: Bundle) -> None:
    record(bundle, {"int8": _SCORES})

    card = (bundle.directory / "README.md").read_text(encoding="utf-8")
    assert "| 12.50 |" in next(line for line in card.splitlines() if "exact match" in line)
