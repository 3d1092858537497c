"""Extractive question answering: the span of a context that best answers a question."""

from dataclasses import dataclass
from math import exp

import numpy as np

from schemas import QA, Manifest, QaRequest, QaResult
from worker.arrays import Floats1d, Floats2d, log_sum_exp
from worker.tasks.base import Encoded, Task, merge_windows
from worker.tokenizer import Passage, Reading

_CLS = 0
"""Row of [CLS] in a window: the logit there says "no answer in this window" (Devlin et al. 2019, section 4.3)."""


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """The best span of a context, end exclusive, and its probability among all spans and "no answer"."""

    text: str
    start_char: int
    end_char: int
    score: float
    truncated: bool


class QaTask(Task[QaRequest, QaResult]):
    """Answer a question by a span of its context."""

    contract = QA

    def passages(self, request: QaRequest) -> list[Passage]:
        """Return the question with its context."""
        return [Passage(request.context, request.question)]

    def decode(self, record_id: str, request: QaRequest, encoded: list[Encoded]) -> QaResult:
        """Return the best span over all windows."""
        found = find_answer(encoded[0], self.manifest)
        return QaResult(
            id=record_id,
            answer=found.text,
            start_char=found.start_char,
            end_char=found.end_char,
            score=found.score,
            truncated=found.truncated,
        )


def find_answer(encoded: Encoded, manifest: Manifest) -> AnswerSpan:
    """Return the span with the highest sum of start and end logit over all windows, widened to whole words."""
    reading = encoded.reading
    logits = [window.qa / manifest.temperatures["qa"] for window in encoded.logits]
    spans = [
        _best_span(rows[window.text_at : window.text_at + window.count], manifest.window.answer_tokens)
        for window, rows in zip(reading.windows, logits, strict=True)
    ]
    number = max(range(len(spans)), key=lambda each: spans[each][0])
    total, first, last = spans[number]
    merged, _ = merge_windows(reading, logits)
    no_answer = logits[number][_CLS]
    log_score = total - _normaliser(merged[:, 0], no_answer[0]) - _normaliser(merged[:, 1], no_answer[1])
    offset = reading.windows[number].first
    start_char, end_char = _whole_words(reading, offset + first, offset + last)
    return AnswerSpan(
        reading.passage.text[start_char:end_char],
        start_char,
        end_char,
        exp(min(0.0, log_score)),
        reading.truncated,
    )


def _best_span(logits: Floats2d, max_tokens: int) -> tuple[float, int, int]:
    """Return the highest start plus end logit and its first and last token, at most `max_tokens` apart."""
    starts, ends = logits[:, 0], logits[:, 1]
    best = (-np.inf, 0, 0)
    for extra in range(min(max_tokens, len(starts))):
        sums = starts[: len(starts) - extra] + ends[extra:]
        first = int(sums.argmax())
        if sums[first] > best[0]:
            best = (float(sums[first]), first, first + extra)
    return best


def _normaliser(logits: Floats1d, no_answer: np.float32) -> float:
    return log_sum_exp(np.append(logits, no_answer))


def _whole_words(reading: Reading, first: int, last: int) -> tuple[int, int]:
    """Return the code points from the first token's word to the last token's: an answer is never a word piece."""
    words = reading.word_ids
    while first > 0 and words[first - 1] == words[first]:
        first -= 1
    while last + 1 < len(words) and words[last + 1] == words[last]:
        last += 1
    return int(reading.starts[first]), int(reading.ends[last])
