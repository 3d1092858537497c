"""The training examples of each task, made into rows anew at every visit: no two passes read quite the same text."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from training.data import LabelledText, Question, TaggedSentence
from training.rows import Row, ner_rows, qa_rows, sentiment_rows
from training.variety import retype, retype_tagged, spaced
from worker.tokenizer import Tokenizer

_SENTENCES_OF_A_TEXT = (1, 1, 2, 4)  # drawn from evenly: people send one sentence, and letters
_UNANSWERABLE = 0.06  # questions put to another paragraph of their article: what a low score must look like


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
        """Return one row an example."""
        chosen = [self._examples[number] for number in numbers]
        if generator is not None:
            chosen = [replace(example, text=retype(example.text, generator)) for example in chosen]
        return sentiment_rows(chosen, self._tokenizer)


class NerSource(Source):
    """CoNLL-2003: sentences in the order of their articles; a varied row may hold those that follow as well."""

    def __init__(self, examples: Sequence[TaggedSentence], tokenizer: Tokenizer) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self.sizes = [sum(map(len, example.words)) for example in examples]

    def rows(self, numbers: Sequence[int], generator: np.random.Generator | None) -> list[Row]:
        """Return one row an example."""
        if generator is None:
            texts = [spaced([self._examples[number]]) for number in numbers]
        else:
            counts = generator.choice(_SENTENCES_OF_A_TEXT, len(numbers))
            runs = [self._examples[first : first + count] for first, count in zip(numbers, counts, strict=True)]
            texts = [retype_tagged(run, generator) for run in runs]
        return ner_rows(texts, self._tokenizer)


class QaSource(Source):
    """SQuAD: questions and their paragraphs; a varied row may ask the wrong paragraph of the right article."""

    def __init__(self, examples: Sequence[Question], tokenizer: Tokenizer) -> None:
        self._examples = examples
        self._tokenizer = tokenizer
        self.sizes = [len(example.context) + len(example.question) for example in examples]
        contexts: dict[str, dict[str, None]] = defaultdict(dict)  # a dictionary keeps the order, a set would not
        for example in examples:
            contexts[example.title][example.context] = None
        self._contexts = {title: list(each) for title, each in contexts.items()}

    def rows(self, numbers: Sequence[int], generator: np.random.Generator | None) -> list[Row]:
        """Return the rows of each example's windows."""
        chosen = [self._examples[number] for number in numbers]
        if generator is not None:
            chosen = [
                self._misplaced(each, generator) if generator.random() < _UNANSWERABLE else each for each in chosen
            ]
        return qa_rows(chosen, self._tokenizer)

    def _misplaced(self, question: Question, generator: np.random.Generator) -> Question:
        contexts = self._contexts[question.title]
        context = contexts[generator.integers(len(contexts))]
        if any(answer.lower() in context.lower() for answer in question.answers):
            return question
        return replace(question, context=context, answers=(), starts=())
