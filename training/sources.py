"""The training examples of each task, made into rows anew at every visit: no two passes read quite the same text."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import ClassVar

import numpy as np

from training.data import LabelledText, Question, TaggedSentence
from training.rows import Row, ner_rows, qa_rows, sentiment_rows
from training.unanswerable import Alterations
from training.variety import retype, retype_tagged, spaced
from worker.tokenizer import Tokenizer

_TOGETHER = 0.1  # steps on texts of several phrases of one label: an opinion is seldom one phrase
_PHRASES_OF_A_TEXT = 3
_SENTENCES_OF_A_TEXT = (1, 1, 2, 4)  # drawn from evenly for a step: people send one sentence, and letters
_MISPLACED = 0.1  # questions put to another paragraph of their article: what a low score must look like
_CANDIDATES = 4  # paragraphs of which the likest takes the question: an unlike one would teach to match words
_ELSEWHERE = 0.15  # questions put to a window beside the one with the answer, where a paragraph has several


class Source(ABC):
    """The examples of one task. `sizes` are their characters: like sizes share a batch.

    `rows_factor`: how many times as many of them as of the others make a step.
    """

    sizes: Sequence[int]
    rows_factor: ClassVar[int] = 1

    @abstractmethod
    def rows(self, numbers: Sequence[int], generator: np.random.Generator | None) -> list[Row]:
        """Return rows of these examples: varied as the generator draws, or plain as they are scored without one."""


class SentimentSource(Source):
    """SST-2: phrases and sentences."""

    rows_factor = 3  # most are a few words, and a step has its price whatever it reads

    def __init__(self, examples: Sequence[LabelledText], tokenizer: Tokenizer) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self.sizes = [len(example.text) for example in examples]

    def rows(self, numbers: Sequence[int], generator: np.random.Generator | None) -> list[Row]:
        """Return one row an example, or in some steps one for several of the same label."""
        chosen = [self._examples[number] for number in numbers]
        if generator is not None:
            together = generator.random() < _TOGETHER
            chosen = [replace(example, text=retype(example.text, generator)) for example in chosen]
            chosen = list(_put_together(chosen)) if together else chosen
        return sentiment_rows(chosen, self._tokenizer)


def _put_together(examples: Sequence[LabelledText]) -> Iterator[LabelledText]:
    by_label: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        by_label[example.label].append(example.text if example.text.endswith((".", "!", "?")) else f"{example.text}.")
    for label, texts in by_label.items():
        for first in range(0, len(texts), _PHRASES_OF_A_TEXT):
            yield LabelledText(" ".join(texts[first : first + _PHRASES_OF_A_TEXT]), label)


class NerSource(Source):
    """CoNLL-2003: sentences in the order of their articles; varied rows may hold those that follow as well.

    All rows of a step hold the same number, or most of what is read would be padding.
    """

    def __init__(self, examples: Sequence[TaggedSentence], tokenizer: Tokenizer) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self.sizes = [sum(map(len, example.words)) for example in examples]

    def rows(self, numbers: Sequence[int], generator: np.random.Generator | None) -> list[Row]:
        """Return one row an example."""
        if generator is None:
            texts = [spaced([self._examples[number]]) for number in numbers]
        else:
            count = generator.choice(_SENTENCES_OF_A_TEXT)
            texts = [retype_tagged(self._examples[first : first + count], generator) for first in numbers]
        return ner_rows(texts, self._tokenizer)


class QaSource(Source):
    """SQuAD: questions and their paragraphs; a varied row is one window, and may be of the wrong paragraph.

    That one is of the question's article, or it would be told by its subject. `altered`: the fraction of the questions
    that are changed so that their paragraph does not answer them.
    """

    def __init__(self, examples: Sequence[Question], tokenizer: Tokenizer, altered: float = 0.0) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self._altered = altered
        self._alterations = Alterations(examples)
        self.sizes = [len(example.context) + len(example.question) for example in examples]
        contexts: dict[str, dict[str, None]] = defaultdict(dict)  # a dictionary keeps the order, a set would not
        for example in examples:
            contexts[example.title][example.context] = None
        self._contexts = {title: list(each) for title, each in contexts.items()}

    def rows(self, numbers: Sequence[int], generator: np.random.Generator | None) -> list[Row]:
        """Return one row an example, or the rows of all its windows as they are scored."""
        chosen = [self._examples[number] for number in numbers]
        if generator is None:
            return list(chain.from_iterable(qa_rows(chosen, self._tokenizer)))
        chosen = [self._unanswered(each, generator) for each in chosen]
        return [_one_of(windows, generator) for windows in qa_rows(chosen, self._tokenizer)]

    def _unanswered(self, question: Question, generator: np.random.Generator) -> Question:
        """Return the question as it is, most often, or one that its context does not answer."""
        chance = generator.random()
        if chance < _MISPLACED:
            return self._misplaced(question, generator)
        if chance < _MISPLACED + self._altered:
            return self._alterations.alter(question, generator) or question
        return question

    def _misplaced(self, question: Question, generator: np.random.Generator) -> Question:
        contexts = self._contexts[question.title]
        asked = set(question.question.lower().split())
        drawn = [contexts[number] for number in generator.integers(len(contexts), size=_CANDIDATES)]
        context = max(drawn, key=lambda each: len(asked.intersection(each.lower().split())))
        if any(answer.lower() in context.lower() for answer in question.answers):
            return question
        return replace(question, context=context, answers=(), starts=())


def _one_of(windows: Sequence[Row], generator: np.random.Generator) -> Row:
    """Return one window of a question's paragraph: most often one that holds the answer."""
    holding = [row for row in windows if row.target.any()]
    beside = [row for row in windows if not row.target.any()]
    elsewhere = generator.random() < _ELSEWHERE
    among = beside if beside and (elsewhere or not holding) else holding
    return among[generator.integers(len(among))]
