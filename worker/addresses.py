"""Reply addresses, looked up before a reply is sent: a send to a topic that is not there would wait a minute for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Set
from time import monotonic

from aiokafka.errors import KafkaError

from schemas.errors import InvalidHeader

LOOK_AGAIN_S = 1.0
"""How old the list of topics may be to say that one is missing: wrong addresses cost one look a second, however many
they are, and a topic younger than this may be missed."""

_RETRY_S = 0.2

ListPartitions = Callable[[], Awaitable[Mapping[str, Set[int]]]]


class Addresses:
    """The topics and partitions of the cluster, as far as replies need them."""

    def __init__(self, list_partitions: ListPartitions) -> None:
        self._list_partitions = list_partitions
        self._partitions: Mapping[str, Set[int]] = {}
        self._listed_at: float | None = None

    async def check(self, topic: str, partition: int | None) -> None:
        """Raise `InvalidHeader` for a topic or partition that is not there; waits while no broker can tell."""
        if not self._has(topic, partition):
            await self._refresh()
        if topic not in self._partitions:
            raise InvalidHeader(f"reply topic {topic}: there is no such topic")
        if not self._has(topic, partition):
            raise InvalidHeader(f"reply topic {topic}: there is no partition {partition}")

    def _has(self, topic: str, partition: int | None) -> bool:
        found = self._partitions.get(topic)
        return found is not None and (partition is None or partition in found)

    async def _refresh(self) -> None:
        if self._listed_at is not None and monotonic() - self._listed_at < LOOK_AGAIN_S:
            return
        while True:
            try:
                self._partitions = await self._list_partitions()
            except KafkaError:
                # Nobody's record: that no broker answers says nothing about the address.
                await asyncio.sleep(_RETRY_S)
            else:
                self._listed_at = monotonic()
                return
