"""Whether a text's answer depends on the texts it shares a batch with: each set alone, and all of them mixed.

One scale for a whole batch, as plain dynamic quantization has it, would change every answer a little. With a scale for
each token only the rounding of sums that are taken in another order is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from schemas import NerResult, QaResult, Record, SentimentResult
from training.reading import ReadSet
from training.sets import LabelledSet
from worker.bundle import Bundle
from worker.encoder import Encoder
from worker.inference import Inference
from worker.settings import Settings as WorkerSettings
from worker.tasks import Encoded, build_tasks
from worker.tokenizer import Passage

SCORE_TOLERANCE = 0.01

_TOGETHER = 64  # texts that wait for the same engine: as many as a busy worker has
_SEED = 5
_ROUNDING = 1e-9  # of a difference of two scores of 4 decimals


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of how many texts a set's answers are the same, and of how many the scores are within the tolerance."""

    texts: int
    same: int
    close: int
    largest: float
    """Largest change of a score of an answer that is the same."""

    @property
    def share(self) -> float:
        """The smaller of both shares."""
        return min(self.same, self.close) / self.texts


def measure_independence(
    bundle: Bundle, sets: Sequence[LabelledSet], threads: int, progress: Progress
) -> dict[str, Agreement]:
    """Return each set's agreement by the name of its contract."""
    budget: int = WorkerSettings.model_fields["max_batch_tokens"].default
    inference = Inference(bundle, Encoder(bundle.model, bundle.manifest.outputs, threads), budget)
    tasks = build_tasks(bundle.manifest)
    passages = [
        passage
        for labelled in sets
        for request in labelled.requests
        for passage in tasks[labelled.contract.name].passages(request)
    ]
    order = np.random.default_rng(_SEED).permutation(len(passages)).tolist()
    mixed = _read(inference, passages, [order[at : at + _TOGETHER] for at in range(0, len(order), _TOGETHER)], progress)
    alone = _read(inference, passages, [[number] for number in range(len(passages))], progress)
    agreements, begin = {}, 0
    for labelled in sets:
        end = begin + len(labelled.requests)
        one, other = (ReadSet(labelled, read[begin:end]).results(bundle.manifest) for read in (alone, mixed))
        agreements[labelled.contract.name] = compare(one, other)
        begin = end
    return agreements


def _read(
    inference: Inference, passages: Sequence[Passage], groups: Sequence[Sequence[int]], progress: Progress
) -> list[Encoded]:
    bar = progress.add_task("alone" if len(groups) == len(passages) else "mixed", total=len(passages))
    found: dict[int, Encoded] = {}
    for group in groups:
        found.update(zip(group, inference.encode([passages[number] for number in group]), strict=True))
        progress.update(bar, completed=len(found))
    return [found[number] for number in range(len(passages))]


def compare(one: Sequence[Record], other: Sequence[Record]) -> Agreement:
    """Return how far two lists of results of the same requests agree."""
    same = close = 0
    largest = 0.0
    for first, second in zip(one, other, strict=True):
        (answer, scores), (answer_again, scores_again) = _answer(first), _answer(second)
        if answer != answer_again:
            continue
        same += 1
        change = max((abs(a - b) for a, b in zip(scores, scores_again, strict=True)), default=0.0)
        close += change <= SCORE_TOLERANCE + _ROUNDING
        largest = max(largest, change)
    return Agreement(len(one), same, close, largest)


def _answer(result: Record) -> tuple[object, list[float]]:
    """Return what a result says, and how sure it is."""
    match result:
        case SentimentResult():
            return result.sentiment, [result.score]
        case NerResult():
            found = [(each.start_char, each.end_char, each.type) for each in result.entities]
            return found, [each.score for each in result.entities]
        case QaResult():
            return (result.start_char, result.end_char), [result.score]
    raise TypeError(f"no answer to compare in a {type(result).__name__}")
