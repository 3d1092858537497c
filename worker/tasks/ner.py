"""Named entities: whole words with exact positions in the original text."""

from dataclasses import dataclass, field
from typing import cast

from schemas import NER, Entity, Manifest, NerRequest, NerResult
from schemas.ner import EntityType
from worker.arrays import softmax
from worker.tasks.base import Encoded, Task, merge_windows
from worker.tokenizer import Passage
from worker.words import Span, find_words


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
    text = reading.passage.text
    words = find_words(text)
    firsts = _first_tokens(words, reading.starts.tolist())
    probabilities = softmax(logits / manifest.temperatures["ner"])
    names = manifest.labels["ner"]
    labels = [names[best] for best in probabilities.argmax(axis=-1).tolist()]
    return _join(text, words, firsts, labels, probabilities.max(axis=-1).tolist())


def _first_tokens(words: list[Span], starts: list[int]) -> list[int | None]:
    """Return the first token of each word, None for a word without one (white space to the tokenizer, or joined on).

    The first piece carries the label of its word, in training as here (Devlin et al. 2019, section 5.3).
    """
    firsts: list[int | None] = []
    token = 0
    for word in words:
        while token < len(starts) and starts[token] < word.start_char:
            token += 1
        inside = token < len(starts) and starts[token] < word.end_char
        firsts.append(token if inside else None)
    return firsts


def _join(
    text: str, words: list[Span], firsts: list[int | None], labels: list[str], scores: list[float]
) -> list[Entity]:
    """Join words into entities; an `I-` that continues nothing of its type begins an entity (BIO repair)."""
    entities: list[Entity] = []
    current: _OpenEntity | None = None
    for word, token in zip(words, firsts, strict=True):
        begins, _, kind = ("O", "", "") if token is None else labels[token].partition("-")
        if current is not None and (begins != "I" or kind != current.type):
            entities.append(current.close(text))
            current = None
        if token is None or not kind:
            continue
        if not any(map(str.isalnum, text[word.start_char : word.end_char])):
            # A mark or an emoji may stand within a name, but never begins or ends one.
            continue
        if current is None:
            current = _OpenEntity(kind, *word)
        current.end_char = word.end_char
        current.scores.append(scores[token])
    if current is not None:
        entities.append(current.close(text))
    return entities
