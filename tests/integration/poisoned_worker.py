"""Run as `python -m tests.integration.poisoned_worker WORD`: a worker whose model fails on batches that hold WORD.

Without a word it fails on everything that comes after the start.
"""

import sys

import tokenizers

from worker import __main__ as worker
from worker.batching import Batch
from worker.encoder import Encoder, Logits
from worker.settings import Settings


def poison(word: str | None) -> None:
    """Make the encoder fail, and say on standard error how many windows went down together."""
    vocabulary = tokenizers.Tokenizer.from_file(f"{Settings().bundle}/tokenizer.json")
    marker = None if word is None else vocabulary.token_to_id(word)
    sound = Encoder.run
    runs = 0

    def run(encoder: Encoder, batch: Batch) -> Logits:
        nonlocal runs
        runs += 1
        is_poisoned = runs > 1 if marker is None else bool((batch.input_ids == marker).any())
        if is_poisoned:
            print(f"poisoned batch of {len(batch.input_ids)}", file=sys.stderr, flush=True)
            raise RuntimeError("poison")
        return sound(encoder, batch)

    Encoder.run = run  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    poison(sys.argv[1] if len(sys.argv) > 1 else None)
    sys.exit(worker.main())
