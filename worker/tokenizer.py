"""Text to token windows: the only place where text becomes tokens, for training, scoring and serving alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import pre_tokenizers

from schemas import manifest
from schemas.errors import EmptyText
from worker.arrays import Ints1d

CASE_STEP = 2
"""`token_type_id = segment + CASE_STEP * case`: segments 0 and 1 are the pretrained types."""
_PICTURES = r"[\x{2600}-\x{27BF}\x{2B00}-\x{2BFF}\x{1F000}-\x{1FAFF}]"
"""Emoji and their like. BERT's rules take "IBM😀" for one word, which no vocabulary holds: the name would be lost."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What the encoder reads at once: a text, or a question and the text that may answer it.

    Hashable, so that equal passages in flight are computed once.
    """

    text: str
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """One row of a batch: int64 arrays of shape (tokens,), [CLS] first.

    Its text tokens are `count` tokens of the reading from `first` on, and stand at `text_at` in the row.
    """

    input_ids: Ints1d
    token_type_ids: Ints1d
    text_at: int
    first: int
    count: int

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage as tokens: for each text token its span in code points and its pre-token's number, all int64.

    `truncated` says that the question had more tokens than are read. A text is never cut: it has as many windows as it
    needs, neighbours sharing the manifest's stride.
    """

    passage: Passage
    starts: Ints1d
    ends: Ints1d
    word_ids: Ints1d
    windows: tuple[Window, ...]
    truncated: bool


class Tokenizer:
    """WordPiece with exact positions in the original text.

    Configured once and never changed: `tokenizers` is not safe against changing truncation or padding while another
    thread encodes.
    """

    def __init__(self, path: Path, window: manifest.Window, token_types: int) -> None:
        self._wordpiece = tokenizers.Tokenizer.from_file(str(path))
        self._wordpiece.no_padding()
        self._wordpiece.no_truncation()
        self._wordpiece.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(tokenizers.Regex(_PICTURES), "isolated"), self._wordpiece.pre_tokenizer]
        )
        self._window = window
        self._has_case = token_types > CASE_STEP
        self._has_segments = token_types > 1
        self._cls = np.array([self._special("[CLS]")], np.int64)
        self._sep = np.array([self._special("[SEP]")], np.int64)

    def read(self, passage: Passage) -> Reading:
        """Return the passage's windows; raises `EmptyText` where a text or question holds no token."""
        return self.read_all([passage])[0]

    def read_all(self, passages: Sequence[Passage]) -> list[Reading]:
        """Return the windows of several passages: tokenising together is up to 1.6 times as fast."""
        texts = [part for passage in passages for part in _parts(passage)]
        encodings = iter(self._wordpiece.encode_batch(texts, add_special_tokens=False))
        readings = []
        for passage in passages:
            question = None if passage.question is None else next(encodings)
            readings.append(self._reading(passage, question, next(encodings)))
        return readings

    def _reading(self, passage: Passage, question: tokenizers.Encoding | None, text: tokenizers.Encoding) -> Reading:
        if not text.ids:
            field = "text" if question is None else "context"
            raise EmptyText(f"{field}: holds nothing that can be read", field=field)
        spans = np.array(text.offsets, np.int64).reshape(-1, 2)
        word_ids = np.array(text.word_ids, np.int64)
        prefix_ids, prefix_types, truncated = self._prefix(passage, question)
        types = self._segment(question is not None) + self._case_types(passage.text, spans, word_ids)
        ids = np.array(text.ids, np.int64)
        return Reading(
            passage,
            spans[:, 0],
            spans[:, 1],
            word_ids,
            tuple(self._windows(prefix_ids, prefix_types, ids, types, question is not None)),
            truncated,
        )

    def _prefix(self, passage: Passage, question: tokenizers.Encoding | None) -> tuple[Ints1d, Ints1d, bool]:
        """Return what stands before the text in every window: ids, types, and whether the question was cut."""
        if question is None:
            return self._cls, np.zeros(1, np.int64), False
        if not question.ids or passage.question is None:
            raise EmptyText("question: holds nothing that can be read", field="question")
        limit = self._window.question_tokens
        spans = np.array(question.offsets, np.int64).reshape(-1, 2)
        cases = self._case_types(passage.question, spans, np.array(question.word_ids, np.int64))[:limit]
        ids = np.concatenate((self._cls, np.array(question.ids[:limit], np.int64), self._sep))
        return ids, np.pad(cases, 1), len(question.ids) > limit

    def _windows(
        self, prefix_ids: Ints1d, prefix_types: Ints1d, ids: Ints1d, types: Ints1d, has_question: bool
    ) -> list[Window]:
        shape = self._window
        tokens, stride = (shape.tokens, shape.stride) if has_question else (shape.text_tokens, shape.text_stride)
        end_type = np.array([self._segment(has_question)], np.int64)
        return [
            Window(
                np.concatenate((prefix_ids, ids[first:end], self._sep)),
                np.concatenate((prefix_types, types[first:end], end_type)),
                len(prefix_ids),
                first,
                end - first,
            )
            for first, end in window_bounds(len(ids), tokens - len(prefix_ids) - 1, stride)
        ]

    def _segment(self, has_question: bool) -> int:
        return int(has_question and self._has_segments)

    def _case_types(self, text: str, spans: Ints1d, word_ids: Ints1d) -> Ints1d:
        if not self._has_case:
            return np.zeros(len(word_ids), np.int64)
        firsts = np.flatnonzero(np.diff(word_ids, prepend=-1))
        starts = spans[firsts, 0].tolist()
        ends = spans[np.append(firsts[1:], len(word_ids)) - 1, 1].tolist()
        cases = [CASE_STEP * case_of(text[start:end]) for start, end in zip(starts, ends, strict=True)]
        pieces = np.diff(np.append(firsts, len(word_ids)))
        return np.repeat(np.array(cases, np.int64), pieces)

    def _special(self, token: str) -> int:
        number: int | None = self._wordpiece.token_to_id(token)
        if number is None:
            raise ValueError(f"the tokenizer has no {token}")
        return number


def case_of(word: str) -> int:
    """Return 0 for no capitals, 1 Capitalised, 2 ALL CAPITALS of two letters or more, 3 mIxed."""
    if word == word.lower():
        return 0
    if word.isupper():
        return 2 if sum(map(str.isalpha, word)) > 1 else 1
    return 1 if word[1:] == word[1:].lower() else 3


def window_bounds(tokens: int, room: int, stride: int) -> list[tuple[int, int]]:
    """Cut `tokens` into runs of at most `room`, neighbours sharing `stride` (at most half of the room)."""
    if tokens <= room:
        return [(0, tokens)]
    step = room - min(stride, room // 2)
    firsts = range(0, tokens - room + step, step)
    return [(first, min(first + room, tokens)) for first in firsts]


def _parts(passage: Passage) -> tuple[str, ...]:
    return (passage.text,) if passage.question is None else (passage.question, passage.text)
