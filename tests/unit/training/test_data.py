"""Data files of our own writing, right and wrong."""

import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from training.data import (
    DataError,
    LabelledText,
    Question,
    TaggedSentence,
    load_entities,
    load_questions,
    load_sentiment,
)

pytestmark = pytest.mark.usefixtures("datasets_cache")

_CONTEXT = "The lamp stands on the table. It is green."


@pytest.fixture
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


def _squad(start: int = 4) -> dict[str, Any]:
    answer = {"text": "lamp", "answer_start": start}
    question = {"id": "q1", "question": "What stands on the table?", "answers": [answer]}
    return {"data": [{"title": "t", "paragraphs": [{"context": _CONTEXT, "qas": [question]}]}]}


def test_sentiment_keeps_quotes_and_drops_the_last_space(tmp_path: Path) -> None:
    _write(tmp_path / "sst2" / "dev.tsv.gz", 'sentence\tlabel\n"great , they say \t1\nnull \t0\n')

    examples = load_sentiment(tmp_path, "dev")

    assert examples == [LabelledText('"great , they say', "positive"), LabelledText("null", "negative")]


def test_entities_are_read_sentence_by_sentence(tmp_path: Path) -> None:
    _write(tmp_path / "conll2003" / "test.txt.gz", "Ada B-PER\nsleeps O\n\nOslo B-LOC\n. O\n")

    sentences = load_entities(tmp_path, "test")

    assert sentences == [
        TaggedSentence(("Ada", "sleeps"), ("B-PER", "O")),
        TaggedSentence(("Oslo", "."), ("B-LOC", "O")),
    ]


def test_questions_carry_their_context_and_golds(tmp_path: Path) -> None:
    _write(tmp_path / "squad1" / "dev.json.gz", json.dumps(_squad()))

    expected = Question("q1", "t", _CONTEXT, "What stands on the table?", ("lamp",), (4,))

    assert load_questions(tmp_path, "dev") == [expected]


def test_unreachable_hub_asks_for_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("the client has been closed")

    monkeypatch.setattr("datasets.load_dataset", refuse)

    with pytest.raises(DataError, match=r"rajpurkar/squad: cannot be fetched .* --data"):
        load_questions(None, "dev")


def test_hub_rows_become_the_same_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        "nyu-mll/glue": [{"sentence": "fine ", "label": 1}],
        "eriktks/conll2003": [{"tokens": ["Oslo", "."], "ner_tags": [5, 0]}],
        "rajpurkar/squad": [
            {
                "id": "1",
                "title": "t",
                "context": _CONTEXT,
                "question": "?",
                "answers": {"text": ["lamp"], "answer_start": [4]},
            }
        ],
    }
    asked = []

    def load(name: str, configuration: str | None, split: str, **_: object) -> datasets.Dataset:
        asked.append((name, configuration, split))
        return datasets.Dataset.from_list(rows[name])

    monkeypatch.setattr("datasets.load_dataset", load)

    assert load_sentiment(None, "dev") == [LabelledText("fine", "positive")]
    assert load_entities(None, "test") == [TaggedSentence(("Oslo", "."), ("B-LOC", "O"))]
    assert load_questions(None, "dev") == [Question("1", "t", _CONTEXT, "?", ("lamp",), (4,))]
    assert asked == [
        ("nyu-mll/glue", "sst2", "validation"),
        ("eriktks/conll2003", None, "test"),
        ("rajpurkar/squad", None, "validation"),
    ]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sst2/dev\.tsv\.gz: no such file"):
        load_sentiment(tmp_path, "dev")


def test_wrong_column_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "sst2" / "dev.tsv.gz", "text\tlabel\nfine\t1\n")

    with pytest.raises(DataError, match="no column sentence, but text, label"):
        load_sentiment(tmp_path, "dev")


def test_empty_split_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "sst2" / "dev.tsv.gz", "sentence\tlabel\n")

    with pytest.raises(DataError, match=r"dev\.tsv\.gz"):
        load_sentiment(tmp_path, "dev")


@pytest.mark.parametrize("line", ["Oslo", "Oslo B-PLACE", "Oslo NNP B-LOC"])
def test_line_that_is_no_word_and_tag_is_refused(tmp_path: Path, line: str) -> None:
    _write(tmp_path / "conll2003" / "test.txt.gz", f"in O\n{line}\n")

    with pytest.raises(DataError, match="line 2 of a sentence"):
        load_entities(tmp_path, "test")


def test_answer_elsewhere_than_said_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "squad1" / "dev.json.gz", json.dumps(_squad(start=5)))

    with pytest.raises(DataError, match="q1: its answer does not stand at character 5"):
        load_questions(tmp_path, "dev")


def test_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "squad1" / "dev.json.gz", "not json")

    with pytest.raises(DataError, match=r"dev\.json\.gz"):
        load_questions(tmp_path, "dev")
