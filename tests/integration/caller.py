"""Whoever sends requests to the workers, and reads everything that comes of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, RecordMetadata

from schemas import CONTRACTS, KafkaConnection, Topics, headers
from tests.integration.polling import eventually

Received: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"

_BROKER_BACK_MS = 90_000
"""The caller outlives any restart of the broker: what is lost then was lost by the worker."""
_LARGEST_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Sending:
    """A record to be sent."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None
    partition: int | None = None


class Caller:
    """Sends, waits until the group has committed everything, and reads all outputs from their beginning."""

    def __init__(self, connection: KafkaConnection, topics: Topics) -> None:
        self.topics = topics
        self.group = f"{topics.prefix}workers"
        self._options = connection.client_options()
        self._stack = AsyncExitStack()
        self._producer: AIOKafkaProducer
        self._admin: AIOKafkaAdminClient
        self._consumer: AIOKafkaConsumer

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._options,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_request_size=_LARGEST_BYTES,
            request_timeout_ms=_BROKER_BACK_MS,
        )
        await self._stack.enter_async_context(self._producer)
        self._consumer = await self._stack.enter_async_context(AIOKafkaConsumer(**self._options, fetch_max_wait_ms=50))
        self._admin = AIOKafkaAdminClient(**self._options)
        await self._admin.start()
        self._stack.push_async_callback(self._admin.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def send(self, records: Iterable[Sending]) -> list[str]:
        """Send the records in their order; returns where each of them stands, as `nlp-source` will say it."""
        stored = await asyncio.gather(*[await self._send(each) for each in records])
        return [f"{where.topic}[{where.partition}]@{where.offset}" for where in stored]

    async def _send(self, each: Sending) -> "asyncio.Future[RecordMetadata]":
        headers = list(each.headers)
        stored: asyncio.Future[RecordMetadata]
        if each.key is None and each.value is None:
            # The client refuses to send what others send: a record without a key and a value.
            batch = self._producer.create_batch()
            batch.append(timestamp=each.timestamp_ms, key=None, value=None, headers=headers)
            stored = await self._producer.send_batch(batch, each.topic, partition=each.partition or 0)
        else:
            stored = await self._producer.send(
                each.topic, each.value, each.key, each.partition, each.timestamp_ms, headers
            )
        return stored

    async def unfinished(self) -> int:
        """Return the number of records sent to the workers that they have not committed yet."""
        # Connections that died with a broker are renewed at the next question.
        ends = await self._ends(self.topics.inputs)
        committed = await self._admin.list_consumer_group_offsets(self.group)
        return sum(end - max(0, committed[tp].offset if tp in committed else 0) for tp, end in ends.items())

    async def settled(self, within_s: float = 90.0) -> None:
        """Wait until the group has committed everything that was sent to it."""
        left = -1

        async def is_settled() -> bool:
            nonlocal left
            try:
                left = await self.unfinished()
            except KafkaError:
                return False
            return left == 0

        try:
            await eventually(is_settled, "everything is committed", within_s)
        except AssertionError as late:
            raise AssertionError(f"{late}, {left} records are left") from late

    async def outputs(self) -> list[Received]:
        """Return all that stands on the outputs, in the order of each partition."""
        ends = {tp: end for tp, end in (await self._ends(output_topics(self.topics))).items() if end}
        for tp in ends:
            self._consumer.seek(tp, 0)
        received: list[Received] = []
        while behind := [tp for tp, end in ends.items() if await self._consumer.position(tp) < end]:
            for records in (await self._consumer.getmany(*behind, timeout_ms=1_000)).values():
                received += records
        return received

    async def outputs_of(self, source: str) -> list[Received]:
        """Return the outputs of one record, once everything is committed."""
        await self.settled()
        return [each for each in await self.outputs() if source_of(each) == source]

    async def _ends(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        if not self._consumer.assignment():
            # All at once and for good: every topic that is new to the client costs a look at the cluster.
            self._consumer.assign(
                [*self._partitions(output_topics(self.topics)), *self._partitions(self.topics.inputs)]
            )
            self._consumer.pause(*self._partitions(self.topics.inputs))
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(self._partitions(topics))
        return ends

    def _partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        counts = {spec.name: spec.partitions for spec in self.topics.specs()}
        return [TopicPartition(topic, partition) for topic in topics for partition in range(counts[topic])]


def output_topics(topics: Topics) -> list[str]:
    """Return the topics that the worker writes."""
    return [*(contract.results(topics) for contract in CONTRACTS), topics.replies, topics.dead_letters]


def header(record: Received, name: str) -> str | None:
    """Return a header of ours as text."""
    value = headers.first(record.headers, name)
    return None if value is None else value.decode()


def source_of(record: Received) -> str | None:
    """Return where the request of an output stood."""
    return header(record, headers.SOURCE)


def ids_of(records: Iterable[Received]) -> list[str | None]:
    """Return the ids that outputs carry."""
    return [header(record, headers.ID) for record in records]
