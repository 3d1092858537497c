"""Sentiment: one label for the whole text, scored by accuracy (GLUE's metric for SST-2)."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import cross_entropy

from training.tasks.base import Head


class SentimentHead(Head):
    """Reads the final [CLS] state (Devlin et al. 2019, section 4.1)."""

    name = "sentiment"
    labels = ("negative", "positive")

    def forward(self, states: Tensor) -> Tensor:
        """Return one logit a label, (batch, 2)."""
        logits: Tensor = self.linear(states[:, 0])  # (batch, labels)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy; `targets` are label numbers, int64 (batch, 1)."""
        return cross_entropy(logits, targets.flatten())

    def distance(self, logits: Tensor, taught: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy against the teacher's probabilities."""
        return cross_entropy(logits, taught.softmax(-1))


def accuracy(predictions: Sequence[str], golds: Sequence[str]) -> dict[str, float]:
    """Return `sentiment_accuracy`, the fraction of equal labels."""
    hits = sum(prediction == gold for prediction, gold in zip(predictions, golds, strict=True))
    return {"sentiment_accuracy": hits / len(golds)}
