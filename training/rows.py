"""Examples to rows of training: windows as the worker cuts them, each with its target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data import LabelledText, Question
from training.tasks import IGNORED, NerHead, SentimentHead
from training.variety import TaggedText
from worker.arrays import Ints1d, Ints2d
from worker.batching import pad
from worker.tokenizer import Passage, Reading, Tokenizer, Window
from worker.words import find_words

_LENGTH_STEP = 8
"""Batches are padded to a multiple: kernels are compiled for each shape, and a new one in every step takes longer."""


@dataclass(frozen=True, slots=True)
class Row:
    """A window and its target, int64: sentiment (1,), NER (tokens,), QA (2,), as the heads' losses take them."""

    window: Window
    target: Ints1d


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one task as tensors, int64: inputs (rows, tokens), targets (rows, longest target)."""

    task: str
    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor
    targets: Tensor


def sentiment_rows(examples: Sequence[LabelledText], tokenizer: Tokenizer) -> list[Row]:
    """Return one row an example."""
    readings = tokenizer.read_all([Passage(example.text) for example in examples])
    return [
        Row(reading.windows[0], np.array([SentimentHead.labels.index(example.label)]))
        for example, reading in zip(examples, readings, strict=True)
    ]


def ner_rows(examples: Sequence[TaggedText], tokenizer: Tokenizer) -> list[Row]:
    """Return one row a text: its first window, which holds all but the longest ones."""
    readings = tokenizer.read_all([Passage(example.text) for example in examples])
    return [
        Row(reading.windows[0], _ner_target(example, reading))
        for example, reading in zip(examples, readings, strict=True)
    ]


def _ner_target(example: TaggedText, reading: Reading) -> Ints1d:
    """Return the label of each token of the first window: words are those that the worker joins into entities.

    Such a word may be a part of a word of the set ("Oslo" of "Oslo/Bergen"): the later parts continue the entity.
    """
    window = reading.windows[0]
    target = np.full(len(window), IGNORED)
    before = -1
    for word in find_words(example.text):
        number = int(np.searchsorted(example.starts, word.start_char, side="right")) - 1
        tag = example.tags[number]
        if number == before and tag != "O":
            tag = f"I-{tag[2:]}"
        before = number
        token = int(np.searchsorted(reading.starts, word.start_char))
        if token < window.count and reading.starts[token] < word.end_char:
            target[window.text_at + token] = NerHead.labels.index(tag)
    return target


def qa_rows(examples: Sequence[Question], tokenizer: Tokenizer) -> list[list[Row]]:
    """Return each question's rows, one for each window of its context; one without the whole answer points to [CLS]."""
    readings = tokenizer.read_all([Passage(example.context, example.question) for example in examples])
    return [
        [Row(window, _qa_target(example, reading, window)) for window in reading.windows]
        for example, reading in zip(examples, readings, strict=True)
    ]


def _qa_target(example: Question, reading: Reading, window: Window) -> Ints1d:
    if not example.answers:
        return np.zeros(2, np.int64)
    start_char, answer = example.starts[0], example.answers[0]
    first = int(np.searchsorted(reading.ends, start_char, side="right")) - window.first
    last = int(np.searchsorted(reading.starts, start_char + len(answer))) - 1 - window.first
    if 0 <= first <= last < window.count:
        return np.array([window.text_at + first, window.text_at + last])
    return np.zeros(2, np.int64)


def collate(task: str, rows: Sequence[Row], device: str) -> Batch:
    """Return the rows as one batch, targets padded with what the losses ignore."""
    inputs = pad([row.window for row in rows])
    targets = np.full((len(rows), max(len(row.target) for row in rows)), IGNORED)
    for number, row in enumerate(rows):
        targets[number, : len(row.target)] = row.target
    length = -(-inputs.input_ids.shape[1] // _LENGTH_STEP) * _LENGTH_STEP
    if task == "ner":  # a label a token
        targets = _widened(targets, length, IGNORED)
    arrays = [_widened(each, length, 0) for each in (inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)]
    return Batch(task, *(torch.from_numpy(array).to(device) for array in (*arrays, targets)))


def _widened(array: Ints2d, length: int, value: int) -> Ints2d:
    return np.pad(array, ((0, 0), (0, length - array.shape[1])), constant_values=value)
