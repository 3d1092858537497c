"""Question answering: start and end of a span, scored by exact match and word F1 (SQuAD 1.1's metrics)."""

from collections import Counter
from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import cross_entropy

from training.tasks.base import IGNORED, Head
from worker.words import bare_words


class QaHead(Head):
    """Reads every token as a possible start and end of the answer (Devlin et al. 2019, section 4.2)."""

    name = "qa"
    labels = ("start", "end")

    def forward(self, states: Tensor) -> Tensor:
        """Return the start and the end logit of every token, (batch, tokens, 2)."""
        logits: Tensor = self.linear(states)  # (batch, tokens, 2)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of start and end cross entropy over the tokens of each row.

        `targets` are the first and last token of the answer, int64 (batch, 2): 0, the [CLS] token, where the window
        holds no answer; `IGNORED` leaves a row out. Logits of padding must be masked by the caller.
        """
        return cross_entropy(logits, targets, ignore_index=IGNORED)  # the tokens are the classes: axis 1

    def distance(self, logits: Tensor, taught: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy against the teacher's probabilities over the tokens of each row."""
        return cross_entropy(logits, taught.softmax(1))


def exact_match_and_f1(predictions: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return `qa_em` and `qa_f1`, means over questions of the best match with any of its gold answers.

    As SQuAD's evaluate-v1.1.py (Rajpurkar et al. 2016, section 6.1), but fractions where that prints percent.
    """
    pairs = list(zip(predictions, golds, strict=True))
    exact = sum(max(bare_words(found) == bare_words(gold) for gold in answers) for found, answers in pairs)
    overlap = sum(max(word_f1(found, gold) for gold in answers) for found, answers in pairs)
    return {"qa_em": exact / len(pairs), "qa_f1": overlap / len(pairs)}


def word_f1(found: str, gold: str) -> float:
    """Return the harmonic mean of precision and recall over the normalised words, as multisets."""
    found_words, gold_words = bare_words(found).split(), bare_words(gold).split()
    shared = sum((Counter(found_words) & Counter(gold_words)).values())
    if shared == 0:
        return 0.0
    return 2 * shared / (len(found_words) + len(gold_words))
