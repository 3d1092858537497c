"""A real tokenizer, and an encoder of numpy that answers by simple rules."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schemas import Manifest
from schemas.manifest import Window as WindowManifest
from worker.batching import Batch
from worker.bundle import Bundle, load_bundle
from worker.encoder import Logits
from worker.tokenizer import Tokenizer

BUNDLE = Path("models/minilm")


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


@pytest.fixture(scope="session")
def manifest(bundle: Bundle) -> Manifest:
    return bundle.manifest


@pytest.fixture(scope="session")
def tokenizer(bundle: Bundle) -> Tokenizer:
    return Tokenizer(bundle.tokenizer, bundle.manifest.window, bundle.manifest.token_types)


@pytest.fixture(scope="session")
def narrow_tokenizer(bundle: Bundle) -> Tokenizer:
    """A tokenizer of short windows, so that short texts have several."""
    window = WindowManifest(tokens=26, stride=8, text_tokens=24, text_stride=8, question_tokens=8, answer_tokens=5)
    return Tokenizer(bundle.tokenizer, window, bundle.manifest.token_types)


class RuleEncoder:
    """Says positive of everything, no entities, and the first text token as the answer; fails where told to."""

    def __init__(self, fails_on: Callable[[Batch], bool] = lambda batch: False) -> None:
        self.batches: list[Batch] = []
        self._fails_on = fails_on

    def run(self, batch: Batch) -> Logits:
        self.batches.append(batch)
        if self._fails_on(batch):
            raise RuntimeError("told to fail")
        rows, tokens = batch.input_ids.shape
        ner = np.zeros((rows, tokens, 9), np.float32)
        ner[:, :, 0] = 5
        return Logits(np.tile(np.array([0, 3], np.float32), (rows, 1)), ner, np.zeros((rows, tokens, 2), np.float32))


@pytest.fixture
def rule_encoder() -> RuleEncoder:
    return RuleEncoder()
