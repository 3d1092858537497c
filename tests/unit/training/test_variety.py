"""Texts as people type them keep their words, and every word keeps its tag."""

import numpy as np
import pytest

from training.data import TaggedSentence
from training.variety import retype, retype_tagged, spaced

_PHRASE = "it 's a charming film ( or not ) , but you ca n't love it ."
_SENTENCES = [
    TaggedSentence(
        ("Mr.", "Smith", "'s", "trip", "to", "Oslo", "(", "Norway", ")", "."),
        ("O", "B-PER", "O", "O", "O", "B-LOC", "O", "B-LOC", "O", "O"),
    ),
    TaggedSentence(('"', "Fine", ",", '"', "said", "Ada", "."), ("O", "O", "O", "O", "O", "B-PER", "O")),
]


def _letters(text: str) -> str:
    return "".join(text.lower().split())


def test_phrases_keep_their_letters_in_every_style() -> None:
    generator = np.random.default_rng(0)

    texts = {retype(_PHRASE, generator) for _ in range(100)}

    assert texts == {
        _PHRASE,
        "It's a charming film (or not), but you can't love it.",
        "it's a charming film (or not), but you can't love it.",
        "IT'S A CHARMING FILM (OR NOT), BUT YOU CAN'T LOVE IT.",
    }


def test_brackets_of_the_treebank_become_brackets() -> None:
    texts = {retype("a film -lrb- or two -rrb-", np.random.default_rng(seed)) for seed in range(40)}

    assert "A film (or two)" in texts


def test_spaced_sentences_are_the_text_that_is_scored() -> None:
    text = spaced(_SENTENCES[:1])

    assert text.text == "Mr. Smith 's trip to Oslo ( Norway ) ."
    assert text.tags == _SENTENCES[0].tags


def test_typed_sentences_look_typed() -> None:
    texts = {retype_tagged(_SENTENCES, np.random.default_rng(seed)).text for seed in range(100)}

    assert 'Mr. Smith\'s trip to Oslo (Norway). "Fine," said Ada.' in texts
    assert 'mr. smith\'s trip to oslo (norway). "fine," said ada.' in texts
    assert 'Mr. Smith\'s trip to Oslo (Norway) "Fine," said Ada' in texts


@pytest.mark.parametrize("seed", range(30))
def test_every_word_stands_where_its_start_says(seed: int) -> None:
    typed = retype_tagged(_SENTENCES, np.random.default_rng(seed))

    ends = [*typed.starts[1:], len(typed.text)]
    words = [typed.text[start:end].strip().lower() for start, end in zip(typed.starts, ends, strict=True)]
    tagged = {word: tag for word, tag in zip(words, typed.tags, strict=True) if tag != "O"}
    assert tagged == {"smith": "B-PER", "oslo": "B-LOC", "norway": "B-LOC", "ada": "B-PER"}
    assert _letters(typed.text) == "".join(words)
