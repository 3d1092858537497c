"""A set's digest speaks of its content, and of nothing else."""

from pathlib import Path

import pytest

from training.data import DataError, Question
from training.prepare import describe, prepare

_QUESTION = Question("1", "Lamps", "The lamp is green.", "Which colour?", ("green",), (12,))


def test_digest_is_of_the_content_and_not_of_the_ids() -> None:
    renumbered = Question("x-1", "Lamps", "The lamp is green.", "Which colour?", ("green",), (12,))
    changed = Question("1", "Lamps", "The lamp is green!", "Which colour?", ("green",), (12,))

    first, same, other = (describe("SQuAD", [each]).sha256 for each in (_QUESTION, renumbered, changed))

    assert first == same != other


def test_order_counts() -> None:
    second = Question("2", "Lamps", "The lamp is red.", "Which colour?", ("red",), (12,))

    assert describe("SQuAD", [_QUESTION, second]).sha256 != describe("SQuAD", [second, _QUESTION]).sha256


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.tsv\.gz: no such file"):
        prepare(tmp_path)


def test_our_texts_are_checked_beside_the_public_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for loader in ("load_sentiment", "load_entities", "load_questions", "load_open_questions"):
        monkeypatch.setattr(f"training.prepare.{loader}", lambda *_: [_QUESTION])

    examples = {split.title: split.examples for split in prepare(None) if split.title.startswith("our ")}

    assert len(examples) == 7
    assert min(examples.values()) >= 50
