"""Our own texts: well formed, and none that is learnt from tells of one that is scored."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest

from training import written
from training.data import DataError, TaggedSentence
from training.written import load_written_names, load_written_opinions, load_written_questions

_SAID_BY_CHANCE = 8
"""Words that two texts may share: "at the end of the day it was"."""


def test_reported_opinions_are_of_several_sentences_and_even() -> None:
    opinions = load_written_opinions("test")

    assert Counter(opinion.label for opinion in opinions) == {"positive": 32, "negative": 32}
    assert all(sum(opinion.text.count(mark) for mark in ".!?") >= 3 for opinion in opinions)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_opinions_are_even_and_none_stands_twice(split: Literal["train", "dev"]) -> None:
    opinions = load_written_opinions(split)
    labels = Counter(opinion.label for opinion in opinions)

    assert len({opinion.text for opinion in opinions}) == len(opinions) >= 100
    assert labels["positive"] == pytest.approx(len(opinions) / 2, rel=0.05)


@pytest.mark.parametrize("split", ["train", "test"])
def test_names_are_of_every_type(split: Literal["train", "test"]) -> None:
    types = Counter(tag for sentence in load_written_names(split) for tag in sentence.tags if tag.startswith("B-"))

    assert set(types) == {"B-PER", "B-ORG", "B-LOC", "B-MISC"}
    assert min(types.values()) >= 30


@pytest.mark.parametrize("split", ["train", "test"])
def test_questions_have_their_answer_in_the_paragraph_or_none(split: Literal["train", "test"]) -> None:
    questions = load_written_questions(split)

    for question in questions:
        for answer, start in zip(question.answers, question.starts, strict=True):
            assert question.context[start : start + len(answer)] == answer
    assert 0.1 < sum(not question.answers for question in questions) / len(questions) < 0.3
    assert len({(question.context, question.question) for question in questions}) == len(questions)


def test_nothing_to_learn_from_says_much_of_what_is_scored() -> None:
    scored = _phrases(_texts("dev", "test"))
    learnt = _phrases(_texts("train"))

    assert scored
    assert learnt
    assert not learnt & scored


def _texts(*splits: Literal["train", "dev", "test"]) -> Iterable[str]:
    for split in splits:
        yield from (opinion.text for opinion in load_written_opinions(split))
        if split != "dev":
            yield from (" ".join(sentence.words) for sentence in load_written_names(split))
            yield from {question.context for question in load_written_questions(split)}


def _phrases(texts: Iterable[str]) -> set[tuple[str, ...]]:
    found = set()
    for text in texts:
        words = re.findall(r"[\w']+", text.lower())
        found |= {tuple(words[first : first + _SAID_BY_CHANCE]) for first in range(len(words) - _SAID_BY_CHANCE + 1)}
    return found


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(written, "WRITTEN", tmp_path)
    for kind in ("opinions", "names", "questions"):
        (tmp_path / kind).mkdir()
    return tmp_path


def test_marked_names_are_tagged(directory: Path) -> None:
    (directory / "names" / "train.txt").write_text("[PER Ada Lovelace] left [LOC Oslo] .\n\nWhy ?\n")

    assert load_written_names("train") == [
        TaggedSentence(("Ada", "Lovelace", "left", "Oslo", "."), ("B-PER", "I-PER", "O", "B-LOC", "O")),
        TaggedSentence(("Why", "?"), ("O", "O")),
    ]


@pytest.mark.parametrize("line", ["[BOAT Vasa] sank .", "he left [ early .", "see item 4] ."])
def test_bracket_that_marks_no_name_is_refused(directory: Path, line: str) -> None:
    (directory / "names" / "train.txt").write_text(f"Fine .\n{line}\n")

    with pytest.raises(DataError, match=r"train\.txt: line 2 has a bracket"):
        load_written_names("train")


def test_questions_belong_to_the_paragraph_above_them(directory: Path) -> None:
    (directory / "questions" / "train.txt").write_text(
        "# Boats\nThe Vasa sank in 1628.\nQ: When did it sink? | 1628\nU: Who was saved?\n"
        "It was raised.\nQ: What? | It\n"
    )

    sank, saved, raised = load_written_questions("train")

    assert (sank.title, sank.answers, sank.starts) == ("Boats", ("1628",), (17,))
    assert (saved.question, saved.answers, saved.context) == ("Who was saved?", (), sank.context)
    assert (raised.context, raised.starts) == ("It was raised.", (0,))


@pytest.mark.parametrize("line", ["Q: When did it sink? | 1629", "Q: When did it sink?"])
def test_question_without_its_answer_is_refused(directory: Path, line: str) -> None:
    (directory / "questions" / "train.txt").write_text(f"# Boats\nThe Vasa sank in 1628.\n{line}\n")

    with pytest.raises(DataError, match=r"train\.txt: line 3 is not a question"):
        load_written_questions("train")


def test_opinion_without_a_label_is_refused(directory: Path) -> None:
    (directory / "opinions" / "dev.txt").write_text("+ Fine.\nNot fine.\n")

    with pytest.raises(DataError, match=r"dev\.txt: line 2 is not a text"):
        load_written_opinions("dev")


def test_missing_texts_are_told(directory: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_written_names("test")
