"""Altered questions ask of something else, and of nothing else than a text of their article."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from training.data import Question
from training.unanswerable import Alterations

_PARAGRAPH = "Ada Berg sailed to Oslo in 1911. Tom Lund waited for her in Bergen until 1912."
_QUESTIONS = [
    Question("1", "Berg", _PARAGRAPH, "Where did Ada Berg sail to in 1911?", ("Oslo",), (_PARAGRAPH.index("Oslo"),)),
    Question("2", "Berg", _PARAGRAPH, "Until when did Tom Lund wait?", ("1912",), (_PARAGRAPH.index("1912"),)),
    Question("3", "Berg", "Ida Holm left in 1833.", "Where did Ida Holm live in 1833?", ("-",), (0,)),
    Question("4", "Ships", "Eva Moe built ships.", "What did Eva Moe build?", ("ships",), (14,)),
]
_ALTERATIONS = Alterations(_QUESTIONS)


def _altered(question: Question) -> Counter[str]:
    """Return what the question became, and how often."""
    alterations = Alterations([*_QUESTIONS, question])
    altered = (alterations.alter(question, np.random.default_rng(seed)) for seed in range(200))
    return Counter(each.question for each in altered if each is not None)


def test_an_altered_question_has_no_answer_and_keeps_its_paragraph() -> None:
    altered = _ALTERATIONS.alter(_QUESTIONS[0], np.random.default_rng(0))

    assert altered is not None
    assert (altered.answers, altered.starts) == ((), ())
    assert (altered.context, altered.title, altered.id) == (_PARAGRAPH, "Berg", "1")


def test_names_and_numbers_change_places_within_an_article() -> None:
    altered = _altered(_QUESTIONS[0])

    assert "Where did Tom Lund sail to in 1911?" in altered
    assert "Where did Ada Berg sail to in 1833?" in altered
    assert not any("Eva Moe" in each for each in altered)
    assert not any("1912" in each for each in altered)  # no question names it


def test_a_name_that_the_paragraph_holds_is_preferred() -> None:
    altered = _altered(_QUESTIONS[0])

    assert altered["Where did Tom Lund sail to in 1911?"] > 10 * altered["Where did Ida Holm sail to in 1911?"]


def test_an_answer_is_never_asked_for_by_its_own_name() -> None:
    question = replace(_QUESTIONS[0], question="Who met Ada Berg?", answers=("Tom Lund",), starts=(33,))

    assert not any("Tom Lund" in each for each in _altered(question))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("which was the largest boat?", {"which was the smallest boat?", "which wasn't the largest boat?"}),
        ("which boat can sail?", {"which boat can't sail?", "which boat can not sail?"}),
        ("which boat sails?", set()),
        ("which boat did not sail?", set()),
    ],
)
def test_the_others_get_an_opposite_or_are_denied(text: str, other: set[str]) -> None:
    found = _altered(replace(_QUESTIONS[3], question=text))

    assert found.keys() >= other
    assert bool(found) == bool(other)
    assert text not in found


def test_the_same_draw_gives_the_same_question() -> None:
    first, second = (_ALTERATIONS.alter(_QUESTIONS[0], np.random.default_rng(7)) for _ in range(2))

    assert first == second
