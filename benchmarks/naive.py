"""A consumer as it is often written: one record at a time, one task at a time, each result awaited.

    python -m benchmarks.naive BOOTSTRAP_SERVERS BUNDLE THREADS INPUT_TOPIC OUTPUT_TOPIC

It reads long texts by windows and runs on as many threads as the product, so that both do the same work; the rest is
what the libraries do by default.
"""

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from worker.bundle import load_bundle
from worker.tokenizer import Passage, Tokenizer

READY = "consuming"
"""Printed once partitions are assigned."""


class Model:
    """A model that answers one task for one text."""

    def __init__(self, bundle: Path, threads: int) -> None:
        loaded = load_bundle(bundle)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(loaded.model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer(loaded.tokenizer, loaded.manifest.window, loaded.manifest.token_types)
        self._manifest = loaded.manifest

    def sentiment(self, text: str) -> str:
        """Return the label of a text."""
        mean = np.mean([logits[0] for logits in self._run(text, "sentiment")], axis=0)
        return self._manifest.labels["sentiment"][int(mean.argmax())]

    def entities(self, text: str) -> list[str]:
        """Return the label of each token of a text."""
        numbers = [number for logits in self._run(text, "ner") for number in logits[0].argmax(axis=-1).tolist()]
        return [self._manifest.labels["ner"][number] for number in numbers]

    def _run(self, text: str, head: str) -> list[np.ndarray]:
        found = []
        for window in self._tokenizer.read(Passage(text)).windows:
            ids = window.input_ids[None]
            inputs = {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": window.token_type_ids[None],
            }
            found.append(self._session.run([self._manifest.outputs[head]], inputs)[0])
        return found


async def consume(servers: str, model: Model, input_topic: str, output_topic: str) -> None:
    """Answer records for ever."""
    options = {"bootstrap_servers": servers}
    consumer = AIOKafkaConsumer(input_topic, group_id="naive", auto_offset_reset="earliest", **options)
    async with consumer, AIOKafkaProducer(**options) as producer:
        print(READY, flush=True)
        async for record in consumer:
            document = json.loads(record.value)
            answer = {
                **document,
                "sentiment": model.sentiment(document["text"]),
                "entities": model.entities(document["text"]),
            }
            await producer.send_and_wait(output_topic, json.dumps(answer).encode(), key=record.key)


def main() -> None:
    """Answer records until killed."""
    servers, bundle, threads, input_topic, output_topic = sys.argv[1:]
    asyncio.run(consume(servers, Model(Path(bundle), int(threads)), input_topic, output_topic))


if __name__ == "__main__":
    main()
