"""Which rows decide, and are neither trained on nor reported: weights are chosen, temperatures fitted on these.

SST-2's dev set and SQuAD's are what is reported, so parts of their training files are held out. CoNLL-2003 has a dev
set beside its test set and needs no such rows. Only how sure an answer is takes half of SQuAD's dev articles, and is
reported on the other half: the training file has one person's answer to a question, and an answer that another person
would have given counts as wrong there. All is drawn by the hash of its name: the same from a file and from the hub, and
the same whatever else a file holds.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from training.data import LabelledText, Question

Example = TypeVar("Example")

_ARTICLE_FRACTION = 0.05
"""23 of SQuAD's 442 articles, 5,480 questions: more teach nothing new about a temperature."""
_SENTENCE_FRACTION = 0.0733
"""500 of SST-2's 6,818 whole sentences. With what must go with them that is 6 % of the rows."""
_SENTENCE_MARKS = frozenset((".", "?", "!", "...", "''"))
_LEAST_WORDS = 4
_TELLING_WORDS = 3
"""Words from which on a phrase belongs to one sentence; shorter ones stand in many, and say nothing of any."""


def hold_out_articles(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Return the questions to train on, and those of whole articles that are held out."""
    held = _draw({question.title for question in questions}, _ARTICLE_FRACTION)
    return _part(questions, lambda question: question.title in held)


def halve_articles(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Return the questions of one half of the articles, for fitting a temperature, and of the other, to report on."""
    fitted = _draw({question.title for question in questions}, 0.5)
    rest, half = _part(questions, lambda question: question.title in fitted)
    return half, rest


def hold_out_sentences(rows: Sequence[LabelledText]) -> tuple[list[LabelledText], list[LabelledText]]:
    """Return the rows to train on, and whole sentences that are held out.

    SST-2 holds most sentences in pieces too: a piece of a held-out sentence is in neither part, because whoever learnt
    it knows half of the sentence.
    """
    held = _draw(_sentences(rows), _SENTENCE_FRACTION)
    pieces = {piece for sentence in held for piece in _pieces(sentence)}
    kept, _ = _part(rows, lambda row: row.text in pieces or row.text in held)
    first = {row.text: row for row in reversed(rows) if row.text in held}  # five sentences stand there twice
    return kept, [row for row in rows if first.get(row.text) is row]


def _draw(names: set[str], fraction: float) -> set[str]:
    """Return so many of the names, but never all of them."""
    count = min(math.ceil(fraction * len(names)), len(names) - 1)
    return set(sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[: max(count, 0)])


def _part(rows: Sequence[Example], is_out: Callable[[Example], bool]) -> tuple[list[Example], list[Example]]:
    return [row for row in rows if not is_out(row)], [row for row in rows if is_out(row)]


def _sentences(rows: Sequence[LabelledText]) -> set[str]:
    """Return the rows that end in a mark and are not themselves the end of a longer row."""
    whole = {row.text for row in rows if row.text.split(" ")[-1] in _SENTENCE_MARKS}
    ends = {" ".join(words[first:]) for words in map(str.split, whole) for first in range(1, len(words))}
    return {text for text in whole - ends if len(text.split(" ")) >= _LEAST_WORDS}


def _pieces(sentence: str) -> set[str]:
    words = sentence.split(" ")
    return {
        " ".join(words[first:end])
        for first in range(len(words))
        for end in range(first + _TELLING_WORDS, len(words) + 1)
    }
