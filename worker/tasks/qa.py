"""Extractive question answering: the span of a context that best answers a question."""

from collections import defaultdict
from dataclasses import dataclass
from math import exp, inf

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from schemas import QA, Manifest, QaRequest, QaResult
from worker.arrays import Floats1d, Floats2d
from worker.tasks.base import Encoded, Task, merge_windows
from worker.tokenizer import Passage, Reading
from worker.words import bare_words

_CLS = 0
"""Row of [CLS] in a window: the logit there says "no answer in this window" (Devlin et al. 2019, section 4.3)."""

_CANDIDATES = 20
"""Spans of each window that may win: what is less likely adds nothing to how sure a wording is, and takes time."""

_SAME_ANSWER = 0.5
"""Share of common tokens (F1) from which on two spans count as the same answer, one worded longer than the other."""


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """The best span of a context, end exclusive, and the probability that the answer stands there.

    That is the probability of all spans that are mostly the same as the best one, among all spans and "no answer":
    "in Paris", "Paris" and "Paris, France" are not three opinions. It is calibrated as the chance of a word F1 of a
    half or more.
    """

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
    """Return the most probable answer over all windows, widened to whole words.

    Spans of the same words are one answer, as SQuAD's metric has it: "the Vasa" and "Vasa", here and two lines below.
    """
    reading = encoded.reading
    logits = [window.qa / manifest.temperatures["qa"] for window in encoded.logits]
    penalties = _penalties(manifest)
    spans = [
        _span_logits(rows[window.text_at : window.text_at + window.count], penalties)
        for window, rows in zip(reading.windows, logits, strict=True)
    ]
    first, last, number = _best(reading, spans)
    if len(spans) > 1:  # each span once, where windows overlap
        spans = [_span_logits(merge_windows(reading, logits)[0], penalties)]
    start_char, end_char = _whole_words(reading, first, last)
    return AnswerSpan(
        reading.passage.text[start_char:end_char],
        start_char,
        end_char,
        _probability(spans[0], first, last, float(logits[number][_CLS].sum())),
        reading.truncated,
    )


def _penalties(manifest: Manifest) -> Floats1d:
    """Return what a span's logit loses by the number of tokens after its first, (answer_tokens,).

    One annotator's answers are learnt from, and those are longer than most annotators' are: without it, so are ours.
    """
    each = manifest.answer_length_penalty / manifest.temperatures["qa"]
    return np.arange(manifest.window.answer_tokens, dtype=np.float32) * np.float32(each)


def _span_logits(logits: Floats2d, penalties: Floats1d) -> Floats2d:
    """Return start plus end logit of each span: row by first token, column by tokens after it, -inf past the end.

    `penalties` is taken off by column.
    """
    starts, ends = logits[:, 0], logits[:, 1]
    padded = np.concatenate((ends, np.full(len(penalties) - 1, -np.inf, np.float32)))
    return starts[:, None] + sliding_window_view(padded, len(penalties)) - penalties  # (tokens, len(penalties))


def _best(reading: Reading, spans: list[Floats2d]) -> tuple[int, int, int]:
    """Return first and last token of the best answer and the window that holds it; `spans` has each window's."""
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for number, (window, logits) in enumerate(zip(reading.windows, spans, strict=True)):
        kept = np.argpartition(logits, -min(_CANDIDATES, logits.size), axis=None)[-_CANDIDATES:]
        for at, extra in (divmod(place, logits.shape[1]) for place in kept.tolist()):
            logit = float(logits[at, extra])
            if logit > -inf:  # else it ends past the window
                span = (window.first + at, window.first + at + extra)
                found[span] = max(found.get(span, (-inf, 0)), (logit, number))
    highest = max(found.values())[0]
    wordings: dict[str, float] = defaultdict(float)
    best: dict[str, tuple[float, int, int, int]] = {}
    for (first, last), (logit, number) in found.items():
        start_char, end_char = _whole_words(reading, first, last)
        text = reading.passage.text[start_char:end_char]
        wording = bare_words(text) or text
        wordings[wording] += exp(logit - highest)
        best[wording] = max(best.get(wording, (-inf, 0, 0, 0)), (logit, first, last, number))
    _, first, last, number = best[max(wordings, key=wordings.__getitem__)]
    return first, last, number


def _probability(spans: Floats2d, first: int, last: int, no_answer: float) -> float:
    """Return the share of the spans like the one from `first` to `last` in all spans and "no answer"."""
    highest = max(float(spans.max()), no_answer)
    weights = np.exp(spans - highest)
    near = slice(max(0, first - spans.shape[1]), last + 1)
    firsts = np.arange(near.start, near.stop)[:, None]
    lasts = firsts + np.arange(spans.shape[1])
    common = np.minimum(lasts, last) - np.maximum(firsts, first) + 1
    is_same = 2 * common >= _SAME_ANSWER * (lasts - firsts + last - first + 2)
    total = float(weights.sum()) + exp(no_answer - highest)
    return min(1.0, float(weights[near][is_same].sum()) / total)


def _whole_words(reading: Reading, first: int, last: int) -> tuple[int, int]:
    """Return the code points from the first token's word to the last token's: an answer is never a word piece."""
    words = reading.word_ids
    while first > 0 and words[first - 1] == words[first]:
        first -= 1
    while last + 1 < len(words) and words[last + 1] == words[last]:
        last += 1
    return int(reading.starts[first]), int(reading.ends[last])
