"""Documents in by one topic and out by another: all are sent at once, then read until none is missing."""

import json
from collections.abc import Sequence
from time import monotonic

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.measure import Spent, spending
from schemas import KafkaConnection

STALL_S = 60.0
"""Nothing coming back for this long means that nothing will."""


class Unanswered(RuntimeError):
    """Some documents never came back."""


async def pass_through(
    connection: KafkaConnection, topics: tuple[str, str], texts: Sequence[str], pid: int, name: str
) -> Spent:
    """Return what process `pid` spent from the first document sent to the last one answered.

    `topics` are that of the documents and that of the answers; `name` tells this pass's ids from all others'.
    Raises `Unanswered`.
    """
    into, out_of = topics
    records = {f"{name}-{number}": text for number, text in enumerate(texts)}
    options = connection.client_options()
    consumer = AIOKafkaConsumer(**options)
    async with consumer, AIOKafkaProducer(**options, linger_ms=5) as producer:
        partitions = [TopicPartition(out_of, number) for number in await producer.partitions_for(out_of)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        with spending(pid) as spent:
            for record_id, text in records.items():
                value = json.dumps({"id": record_id, "text": text}, ensure_ascii=False).encode()
                await producer.send(into, value, key=record_id.encode())
            await producer.flush()
            await _read_all(consumer, set(records))
    return spent


async def _read_all(consumer: AIOKafkaConsumer, missing: set[str]) -> None:
    heard_at = monotonic()
    while missing:
        found = await consumer.getmany(timeout_ms=1_000)
        for batch in found.values():
            missing.difference_update(json.loads(record.value)["id"] for record in batch)
        if found:
            heard_at = monotonic()
        elif monotonic() > heard_at + STALL_S:
            raise Unanswered(f"{len(missing)} documents were not answered")
