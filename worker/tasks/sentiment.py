"""Sentiment: one label for the whole text."""

from typing import cast

import numpy as np

from schemas import SENTIMENT, Manifest, Sentiment, SentimentRequest, SentimentResult
from schemas.sentiment import SentimentLabel
from worker.arrays import softmax
from worker.tasks.base import Encoded, Task
from worker.tokenizer import Passage


class SentimentTask(Task[SentimentRequest, SentimentResult]):
    """Classify a text as negative or positive (one logit a label from [CLS]: Devlin et al. 2019, section 4.1)."""

    contract = SENTIMENT

    def passages(self, request: SentimentRequest) -> list[Passage]:
        """Return the text."""
        return [Passage(request.text)]

    def decode(self, record_id: str, request: SentimentRequest, encoded: list[Encoded]) -> SentimentResult:
        """Return the text's label and score."""
        found = find_sentiment(encoded[0], self.manifest)
        return SentimentResult(id=record_id, text=request.text, sentiment=found.label, score=found.score)


def find_sentiment(encoded: Encoded, manifest: Manifest) -> Sentiment:
    """Return the more likely label; a long text is the mean of its windows' probabilities, weighted by length."""
    windows = encoded.reading.windows
    logits = np.stack([window.sentiment for window in encoded.logits])  # (windows, labels)
    scores = softmax(logits / manifest.temperatures["sentiment"])
    weights = np.array([window.count for window in windows], np.float32)
    scores = weights @ scores / weights.sum()  # (labels,)
    best = int(scores.argmax())
    label = cast(SentimentLabel, manifest.labels["sentiment"][best])
    return Sentiment(label=label, score=min(1.0, float(scores[best])))
