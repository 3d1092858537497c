"""Named entities: whole words with exact positions in the original text."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, pairwise
from typing import NamedTuple, cast

import numpy as np

from schemas import NER, Entity, Manifest, NerRequest, NerResult
from schemas.ner import EntityType
from worker.arrays import Floats2d, softmax
from worker.tasks.base import Encoded, Task, merge_windows
from worker.tokenizer import Passage
from worker.words import Span, read_words


class _Guess(NamedTuple):
    """The label of a word, and its probability."""

    label: str
    probability: float


_NO_NAME = _Guess("O", 1.0)
_SURELY_NONE = 7.0
"""Logits that O must be ahead of every other label for a word to be part of no name, whatever its neighbours are."""


class NerTask(Task[NerRequest, NerResult]):
    """Find persons, organisations, locations and other names."""

    contract = NER

    def passages(self, request: NerRequest) -> list[Passage]:
        """Return the text."""
        return [Passage(request.text)]

    def decode(self, record_id: str, request: NerRequest, encoded: list[Encoded]) -> NerResult:
        """Return the text's entities in reading order."""
        return NerResult(id=record_id, text=request.text, entities=find_entities(encoded[0], self.manifest))


@dataclass(slots=True)
class _OpenEntity:
    """An entity that the next word may still extend."""

    type: str
    start_char: int
    end_char: int
    scores: list[float] = field(default_factory=list)

    def close(self, text: str) -> Entity:
        return Entity(
            text=text[self.start_char : self.end_char],
            type=cast(EntityType, self.type),
            start_char=self.start_char,
            end_char=self.end_char,
            score=min(self.scores),
        )


def find_entities(encoded: Encoded, manifest: Manifest) -> list[Entity]:
    """Return the entities of a text; an entity is as sure as the least probable label of its words."""
    reading = encoded.reading
    logits, _ = merge_windows(reading, [window.ner for window in encoded.logits])  # (tokens, labels)
    if not logits.argmax(axis=-1).any():
        return []
    tokens = np.flatnonzero(logits[:, 1:].max(axis=-1) > logits[:, 0] - _SURELY_NONE).tolist()
    words = list(_words_near(reading.passage.text, reading.starts.tolist(), dict.fromkeys(tokens)))
    spans = (span for span, _ in words)
    return _join(reading.passage.text, zip(spans, _guess(words, logits, manifest), strict=True))


def _words_near(text: str, starts: list[int], tokens: Collection[int]) -> Iterator[tuple[Span, int | None]]:
    """Yield the words of these tokens, and at least the one after each: most words of most texts are never looked at.

    With each comes its first token, or None where that is not among them. The first piece carries the label of its
    word, in training as here (Devlin et al. 2019, section 5.3).
    """
    read_to = 0
    for token in tokens:
        start = starts[token]
        if start < read_to:
            continue
        for word in read_words(text, start, read_to):
            read_to = word.end_char
            first = bisect_left(starts, word.start_char)
            # A word may have no token of its own: white space to the tokenizer, or joined on to the one before.
            is_there = first < len(starts) and starts[first] < read_to and first in tokens
            yield word, first if is_there else None
            if not is_there and read_to > start:
                break


def _guess(words: Sequence[tuple[Span, int | None]], logits: Floats2d, manifest: Manifest) -> Iterator[_Guess]:
    """Yield each word's label: of all labellings without an `I-` that continues nothing, the most probable."""
    names = tuple(manifest.labels["ner"])
    transitions = _transitions(names)
    rows = logits[[token for _, token in words if token is not None]]  # (words with a token, labels)
    labels = rows.argmax(axis=-1).tolist()
    first = 0
    for has_token, together in groupby(token is not None for _, token in words):
        if has_token:
            run = slice(first, first + len(list(together)))
            first = run.stop
            if any(transitions[step] for step in pairwise((0, *labels[run]))):  # seldom, and word by word is cheaper
                labels[run] = best_path(rows[run], transitions)
    probabilities = softmax(rows / manifest.temperatures["ner"])[range(len(labels)), labels].tolist()
    guesses = map(_Guess, (names[label] for label in labels), probabilities)
    yield from (_NO_NAME if token is None else next(guesses) for _, token in words)


@cache
def _transitions(names: tuple[str, ...]) -> Floats2d:
    """Return -inf where the label of the column may not follow that of the row, else 0: `I-` continues its own type."""
    return np.array(
        [[-np.inf if name[:2] == "I-" and before[1:] != name[1:] else 0 for name in names] for before in names],
        np.float32,
    )


def best_path(rows: Floats2d, transitions: Floats2d) -> list[int]:
    """Return the label of each row on the path with the highest sum of logits and transitions (Viterbi 1967).

    `rows`: (words, labels). `transitions`: (label, label after it); before the first word stands label 0, "O".
    """
    reached = transitions[0] + rows[0]
    came_from = []
    for row in rows[1:]:
        sums = reached[:, None] + transitions
        came_from.append(sums.argmax(axis=0))
        reached = sums.max(axis=0) + row
    path = [int(reached.argmax())]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    return path[::-1]


def _join(text: str, words: Iterable[tuple[Span, _Guess]]) -> list[Entity]:
    """Join words into entities."""
    entities: list[Entity] = []
    current: _OpenEntity | None = None
    for word, guess in words:
        begins, _, kind = guess.label.partition("-")
        if current is not None and (begins != "I" or kind != current.type):
            entities.append(current.close(text))
            current = None
        if not kind:
            continue
        if not any(map(str.isalnum, text[word.start_char : word.end_char])):
            # A mark or an emoji may stand within a name, but never begins or ends one.
            continue
        if current is None:
            current = _OpenEntity(kind, *word)
        current.end_char = word.end_char
        current.scores.append(guess.probability)
    if current is not None:
        entities.append(current.close(text))
    return entities
