"""What a plain loop over the texts costs: tokenise, run, take the likeliest labels; no Kafka, no JSON, no spans.

Both loops use the product's session, tokenizer and windows, so they differ from it in nothing but what is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.batching import Cost, cut, pad
from worker.bundle import load_bundle
from worker.encoder import Encoder, WindowLogits
from worker.tokenizer import Passage, Tokenizer, Window

GROUP_TEXTS = 64
"""Texts tokenised together in the sorted loop; more gain nothing."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The likeliest label of a window and of each of its tokens, as numbers."""

    sentiment: int
    ner: list[int]


class PlainLoop:
    """A bundle's tokenizer and encoder, called in a row."""

    def __init__(self, bundle: Path, threads: int, max_batch_tokens: int) -> None:
        loaded = load_bundle(bundle)
        self.identity = loaded.identity
        self.tokenizer = Tokenizer(loaded.tokenizer, loaded.manifest.window, loaded.manifest.token_types)
        self._encoder = Encoder(loaded.model, loaded.manifest.outputs, threads)
        self._max_batch_tokens = max_batch_tokens

    def one_by_one(self, texts: Sequence[str]) -> list[Labels]:
        """Return the labels of every window, each computed alone."""
        labels = []
        for text in texts:
            for window in self.tokenizer.read(Passage(text)).windows:
                labels += self._run([window])
        return labels

    def sorted_batches(self, texts: Sequence[str]) -> list[Labels]:
        """Return the labels of every window, all windows sorted by length and cut at the least cost.

        It knows all texts before it begins, which no consumer of a stream does: nothing plain is faster.
        """
        windows: list[Window] = []
        for begin in range(0, len(texts), GROUP_TEXTS):
            readings = self.tokenizer.read_all([Passage(text) for text in texts[begin : begin + GROUP_TEXTS]])
            windows += [window for reading in readings for window in reading.windows]
        runs = cut([len(window) for window in windows], self._max_batch_tokens, Cost())
        labels: dict[int, Labels] = {}
        for run in runs:
            labels |= zip(run, self._run([windows[position] for position in run]), strict=True)
        return [labels[position] for position in range(len(windows))]

    def _run(self, windows: Sequence[Window]) -> list[Labels]:
        logits = self._encoder.run(pad(windows))
        return [_labels(logits.of(row, window)) for row, window in enumerate(windows)]


def _labels(logits: WindowLogits) -> Labels:
    return Labels(int(logits.sentiment.argmax()), logits.ner.argmax(axis=-1).tolist())
