"""The dead-letter topic from its beginning to where it ended when we began."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deadletters.letters import Letter, read_letter
from deadletters.selection import Selection
from schemas import KafkaConnection
from schemas.errors import BrokerUnavailable

_POLL_MS = 1_000
_BATCH_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the partitions of the dead-letter topic; in no group, it commits nothing."""

    consumer: AIOKafkaConsumer
    partitions: Sequence[TopicPartition]
    quiet_s: float

    async def batches(self, selection: Selection) -> AsyncIterator[list[Letter]]:
        """Yield the selected letters in the order of each partition, some at a time.

        What is written after the start is not read: a replay that fails again would otherwise never end. Raises
        `BrokerUnavailable` when nothing comes for `quiet_s`.
        """
        ends = await self._seek(selection)
        quiet_since = asyncio.get_running_loop().time()
        while behind := [tp for tp, end in ends.items() if await self._position(tp) < end]:
            now = asyncio.get_running_loop().time()
            received = await self.consumer.getmany(*behind, timeout_ms=_POLL_MS, max_records=_BATCH_RECORDS)
            if received:
                quiet_since = now
            elif now - quiet_since > self.quiet_s:
                raise BrokerUnavailable(f"no dead letter came for {self.quiet_s:.0f} s, and not all are read")
            ours = (each for tp, records in received.items() for each in records if each.offset < ends[tp])
            if selected := [letter for letter in map(read_letter, ours) if selection.takes(letter)]:
                yield selected

    async def _seek(self, selection: Selection) -> dict[TopicPartition, int]:
        """Stand at the beginning of each partition that needs reading; returns where reading ends."""
        async with asyncio.timeout(self.quiet_s):
            beginnings = await self.consumer.beginning_offsets(self.partitions)
            ends = await self.consumer.end_offsets(self.partitions)
        ranges = {tp: selection.range_of(tp.partition, beginnings[tp], ends[tp]) for tp in self.partitions}
        wanted = {tp: offsets for tp, offsets in ranges.items() if offsets}
        self.consumer.assign(list(wanted))
        for tp, offsets in wanted.items():
            self.consumer.seek(tp, offsets.start)
        return {tp: offsets.stop for tp, offsets in wanted.items()}

    async def _position(self, tp: TopicPartition) -> int:
        async with asyncio.timeout(self.quiet_s):
            position: int = await self.consumer.position(tp)
        return position


@asynccontextmanager
async def open_reader(
    connection: KafkaConnection, topic: str, partitions: int, quiet_s: float
) -> AsyncIterator[Reader]:
    """Connect to read a topic that is there, with so many partitions.

    A broker that goes away meanwhile is `BrokerUnavailable`, for the block as well.
    """
    consumer = AIOKafkaConsumer(
        **connection.client_options(),
        client_id="nlp-dead-letters",
        group_id=None,
        enable_auto_commit=False,
        # Letters that retention removes while we read are gone; those after them are not.
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        yield Reader(consumer, [TopicPartition(topic, number) for number in range(partitions)], quiet_s)
    except (KafkaError, TimeoutError) as failed:
        detail = f"the Kafka broker at {connection.bootstrap_servers} stopped answering: {failed!r}"
        raise BrokerUnavailable(detail) from failed
    finally:
        await consumer.stop()
