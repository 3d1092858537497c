"""Named entities: whole words with exact positions in the original text."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from schemas import NER, Entity, Manifest, NerRequest, NerResult
from schemas.ner import EntityType
from worker.arrays import softmax
from worker.tasks.base import Encoded, Task, merge_windows
from worker.tokenizer import Passage
from worker.words import Span, read_words


class _Guess(NamedTuple):
    """The most probable label of a token."""

    label: str
    probability: float


_NO_NAME = _Guess("O", 1.0)


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
    named = np.flatnonzero(logits.argmax(axis=-1))
    if not len(named):
        return []
    probabilities = softmax(logits[named] / manifest.temperatures["ner"])
    names = manifest.labels["ner"]
    labels = [names[best] for best in probabilities.argmax(axis=-1).tolist()]
    guesses = zip(named.tolist(), map(_Guess, labels, probabilities.max(axis=-1).tolist()), strict=True)
    return _join(reading.passage.text, reading.starts.tolist(), dict(guesses))


def _words_near(text: str, starts: list[int], guesses: dict[int, _Guess]) -> Iterator[tuple[Span, _Guess]]:
    """Yield the words of names, and at least the one after each: most words of most texts are never looked at.

    The first piece carries the label of its word, in training as here (Devlin et al. 2019, section 5.3).
    """
    read_to = 0
    for token in guesses:
        start = starts[token]
        if start < read_to:
            continue
        for word in read_words(text, start, read_to):
            read_to = word.end_char
            first = bisect_left(starts, word.start_char)
            # A word may have no token of its own: white space to the tokenizer, or joined on to the one before.
            inside = first < len(starts) and starts[first] < read_to
            guess = guesses.get(first, _NO_NAME) if inside else _NO_NAME
            yield word, guess
            if guess.label == "O" and read_to > start:
                break


def _join(text: str, starts: list[int], guesses: dict[int, _Guess]) -> list[Entity]:
    """Join words into entities; an `I-` that continues nothing of its type begins an entity (BIO repair)."""
    entities: list[Entity] = []
    current: _OpenEntity | None = None
    for word, guess in _words_near(text, starts, guesses):
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
