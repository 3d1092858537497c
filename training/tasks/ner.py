"""Named entities: one label a word in BIO, scored by entity F1 (the CoNLL-2003 shared task's metric)."""

from collections.abc import Sequence

from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from torch import Tensor
from torch.nn.functional import cross_entropy

from training.tasks.base import IGNORED, Head


class NerHead(Head):
    """Reads every token; the first piece of a word carries its label (Devlin et al. 2019, section 5.3)."""

    name = "ner"
    labels = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")

    def forward(self, states: Tensor) -> Tensor:
        """Return one logit a label for every token, (batch, tokens, 9)."""
        logits: Tensor = self.linear(states)  # (batch, tokens, labels)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy over labelled tokens.

        `targets` are label numbers, int64 (batch, tokens), `IGNORED` where a token carries no label.
        """
        return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)

    def distance(self, logits: Tensor, taught: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy against the teacher's probabilities, over labelled tokens."""
        is_labelled = targets != IGNORED
        return cross_entropy(logits[is_labelled], taught[is_labelled].softmax(-1))


def entity_f1(predictions: Sequence[Sequence[str]], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return `ner_f1`, micro-averaged over entities of exactly equal words and type.

    Both hold the IOB2 tags of each sentence's words.
    """
    predicted = [list(tags) for tags in predictions]
    expected = [list(tags) for tags in golds]
    return {"ner_f1": float(f1_score(expected, predicted, mode="strict", scheme=IOB2))}
