"""Requests to results without Kafka or threads: what scoring, benchmarks and tests run."""

from collections.abc import Sequence
from typing import Protocol

from schemas import AnyRequest, Contract, Record
from worker.batching import Batch, Cost, cut, pad
from worker.bundle import Bundle
from worker.encoder import Logits, WindowLogits
from worker.tasks import Encoded, build_tasks
from worker.tokenizer import Passage, Reading, Tokenizer


class AnyEncoder(Protocol):
    """What turns a batch into logits: the product's graph, or the model that it will be made from."""

    def run(self, batch: Batch) -> Logits:
        """Compute all heads of all windows of a batch."""


class Inference:
    """A bundle's tokenizer, encoder and decoding in a row, one call at a time."""

    def __init__(self, bundle: Bundle, encoder: AnyEncoder, max_batch_tokens: int = 512) -> None:
        self.tokenizer = Tokenizer(bundle.tokenizer, bundle.manifest.window, bundle.manifest.token_types)
        self._encoder = encoder
        self._tasks = build_tasks(bundle.manifest)
        self._max_batch_tokens = max_batch_tokens

    def answer(self, contract: Contract, requests: Sequence[AnyRequest]) -> list[Record]:
        """Return the results in the order of the requests; raises a `RecordError` of any of them."""
        task = self._tasks[contract.name]
        passages = [task.passages(request) for request in requests]
        encoded = iter(self.encode([passage for each in passages for passage in each]))
        return [
            task.decode(request.id or str(number), request, [next(encoded) for _ in each])
            for number, (request, each) in enumerate(zip(requests, passages, strict=True))
        ]

    def encode(self, passages: Sequence[Passage]) -> list[Encoded]:
        """Return the passages with their logits, computed in batches of like lengths."""
        return self.run(self.tokenizer.read_all(passages))

    def run(self, readings: Sequence[Reading]) -> list[Encoded]:
        """Return the readings with their logits."""
        windows = [window for reading in readings for window in reading.windows]
        logits: dict[int, WindowLogits] = {}
        for positions in cut([len(window) for window in windows], self._max_batch_tokens, Cost()):
            found = self._encoder.run(pad([windows[position] for position in positions]))
            for row, position in enumerate(positions):
                logits[position] = found.of(row, windows[position])
        in_order = (logits[position] for position in range(len(windows)))
        return [Encoded(reading, tuple(next(in_order) for _ in reading.windows)) for reading in readings]
