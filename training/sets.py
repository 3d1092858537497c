"""Labelled sets as the product sees them: requests go in, and results are held against the labels.

Whoever answers, the offline loop, another batching or a worker behind Kafka, is scored by the same lines.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from schemas import (
    NER,
    QA,
    SENTIMENT,
    AnyRequest,
    Contract,
    Entity,
    NerRequest,
    NerResult,
    QaRequest,
    QaResult,
    Record,
    SentimentRequest,
    SentimentResult,
)
from training.data import LabelledText, Question, TaggedSentence, load_entities, load_questions, load_sentiment
from training.reliability import Judged
from training.splits import halve_articles, hold_out_articles, hold_out_sentences
from training.tasks.ner import entity_f1
from training.tasks.qa import exact_match_and_f1, word_f1
from training.tasks.sentiment import accuracy

RIGHT_F1 = 0.5
"""Word F1 from which on an answer counts as right where its score is judged: as `worker.tasks.qa` means the score."""

Words = Sequence[tuple[int, int]]
"""First code point of each word of a text, and one past its last."""


class LabelledSet(ABC):
    """Requests of one contract, and what is right."""

    contract: ClassVar[Contract]
    name: str

    @property
    @abstractmethod
    def requests(self) -> list[AnyRequest]:
        """The requests, in the order in which results are wanted."""

    @abstractmethod
    def metrics(self, results: Sequence[Record]) -> dict[str, float]:
        """Return the official metrics, as fractions."""

    @abstractmethod
    def judge(self, results: Sequence[Record]) -> Judged:
        """Return the scores that the results give, and whether each was right."""


@dataclass(frozen=True)
class SentimentSet(LabelledSet):
    """Texts with labels."""

    contract = SENTIMENT
    name: str
    examples: Sequence[LabelledText]

    @property
    def requests(self) -> list[AnyRequest]:
        """One request a text."""
        return [SentimentRequest(text=example.text) for example in self.examples]

    def metrics(self, results: Sequence[Record]) -> dict[str, float]:
        """Return `sentiment_accuracy`."""
        found = [result.sentiment for result in cast(Sequence[SentimentResult], results)]
        return accuracy(found, [example.label for example in self.examples])

    def judge(self, results: Sequence[Record]) -> Judged:
        """Judge each label."""
        pairs = zip(cast(Sequence[SentimentResult], results), self.examples, strict=True)
        return Judged.of((result.score, result.sentiment == example.label) for result, example in pairs)


def as_plain(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics under the names they have on our own texts, which are scored beside the public sets."""
    return {f"{name}_plain": value for name, value in metrics.items()}


@dataclass(frozen=True)
class PlainSet(SentimentSet):
    """Opinions as ordinary people write them, with labels."""

    def metrics(self, results: Sequence[Record]) -> dict[str, float]:
        """Return `sentiment_accuracy_plain`."""
        return as_plain(super().metrics(results))


@dataclass(frozen=True)
class TaggedText:
    """A text with the IOB2 tag of each of its words."""

    text: str
    words: Words
    tags: Sequence[str]


@dataclass(frozen=True)
class EntitySet(LabelledSet):
    """Texts with tagged words; what is found is mapped back on the words."""

    contract = NER
    name: str
    texts: Sequence[TaggedText]

    @property
    def requests(self) -> list[AnyRequest]:
        """One request a text."""
        return [NerRequest(text=text.text) for text in self.texts]

    def metrics(self, results: Sequence[Record]) -> dict[str, float]:
        """Return `ner_f1`."""
        return entity_f1(self.predictions(results), [text.tags for text in self.texts])

    def predictions(self, results: Sequence[Record]) -> list[list[str]]:
        """Return the IOB2 tags of each text's words."""
        pairs = zip(cast(Sequence[NerResult], results), self.texts, strict=True)
        return [tags_at(text.words, result.entities) for result, text in pairs]

    def judge(self, results: Sequence[Record]) -> Judged:
        """Judge each entity that was found: its words and its type."""
        judged = []
        for result, text in zip(cast(Sequence[NerResult], results), self.texts, strict=True):
            golds = set(entities_of(text.tags))
            for entity in result.entities:
                covered = _covered(text.words, entity)
                judged.append((entity.score, bool(covered) and (covered[0], covered[-1], entity.type) in golds))
        return Judged.of(judged)


@dataclass(frozen=True)
class QuestionSet(LabelledSet):
    """Questions with gold answers; the best of a question's counts.

    `judged`: titles of the articles whose answers are judged, where the others fitted the temperature.
    """

    contract = QA
    name: str
    questions: Sequence[Question]
    judged: frozenset[str] | None = None

    @property
    def requests(self) -> list[AnyRequest]:
        """One request a question."""
        return [QaRequest(context=each.context, question=each.question) for each in self.questions]

    def metrics(self, results: Sequence[Record]) -> dict[str, float]:
        """Return `qa_em` and `qa_f1`."""
        found = [result.answer for result in cast(Sequence[QaResult], results)]
        return exact_match_and_f1(found, [question.answers for question in self.questions])

    def judge(self, results: Sequence[Record]) -> Judged:
        """Judge each answer: right from a word F1 of `RIGHT_F1` on with any gold answer; none of none is right."""
        pairs = zip(cast(Sequence[QaResult], results), self.questions, strict=True)
        return Judged.of(
            (result.score, any(word_f1(result.answer, gold) >= RIGHT_F1 for gold in question.answers))
            for result, question in pairs
            if self.judged is None or question.title in self.judged
        )


def load_reported(data: Path | None, limit: int | None) -> list[LabelledSet]:
    """Return the sets whose scores are published; raises `DataError`."""
    questions = load_questions(data, "dev")
    _, rest = halve_articles(questions)
    read = questions[:limit]
    judged = {question.title for question in read} & {question.title for question in rest}
    return [
        SentimentSet("SST-2 dev", load_sentiment(data, "dev")[:limit]),
        EntitySet("CoNLL-2003 test", spaced(load_entities(data, "test")[:limit])),
        QuestionSet("SQuAD 1.1 dev", read, frozenset(judged) or None),
    ]


def load_fitted(data: Path | None, limit: int | None) -> list[LabelledSet]:
    """Return the sets that fit the temperatures, see `training.splits`; raises `DataError`."""
    _, sentences = hold_out_sentences(load_sentiment(data, "train"))
    questions = load_questions(data, "dev")
    half, _ = halve_articles(questions)
    return [
        SentimentSet("SST-2 held out", sentences[:limit]),
        EntitySet("CoNLL-2003 dev", spaced(load_entities(data, "dev")[:limit])),
        QuestionSet("SQuAD 1.1 dev, one half", (half or questions)[:limit]),
    ]


def load_held_out_questions(data: Path | None, limit: int | None) -> QuestionSet:
    """Return the questions by which answers are chosen, see `training.splits`; raises `DataError`."""
    questions = load_questions(data, "train")
    _, held = hold_out_articles(questions)
    return QuestionSet("SQuAD held out", (held or questions)[:limit])  # one article alone cannot be held out


def spaced(sentences: Iterable[TaggedSentence]) -> list[TaggedText]:
    """Return the sentences as CoNLL-2003 is scored: the words with a space between."""
    return [TaggedText(" ".join(each.words), word_spans(each.words), each.tags) for each in sentences]


def word_spans(words: Sequence[str]) -> Words:
    """Return where words joined by a space stand."""
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans


def tags_of(words: Sequence[str], entities: Sequence[Entity]) -> list[str]:
    """Return the IOB2 tags of words joined by a space: see `tags_at`."""
    return tags_at(word_spans(words), entities)


def tags_at(words: Words, entities: Sequence[Entity]) -> list[str]:
    """Return the IOB2 tags of a text's words: an entity tags every word that it overlaps.

    Where two entities share a word it belongs to the first.
    """
    tags = ["O"] * len(words)
    for entity in entities:
        begins = True
        for number in _covered(words, entity):
            if tags[number] == "O":
                tags[number] = f"{'B' if begins else 'I'}-{entity.type}"
                begins = False
    return tags


def entities_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return first word, last word and type of each entity of valid IOB2 tags."""
    entities: list[tuple[int, int, str]] = []
    for number, tag in enumerate(tags):
        begins, _, kind = tag.partition("-")
        if begins == "B":
            entities.append((number, number, kind))
        elif begins == "I":
            entities[-1] = (entities[-1][0], number, kind)
    return entities


def _covered(words: Words, entity: Entity) -> list[int]:
    return [number for number, (start, end) in enumerate(words) if start < entity.end_char and entity.start_char < end]
