"""Which records are done: offsets are committed in order, whatever order outcomes are confirmed in."""

from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple


class TopicPartition(NamedTuple):
    """A partition of a topic; equal to the tuples that Faust and aiokafka use."""

    topic: str
    partition: int


class PartitionProgress:
    """The records of one partition between taken and delivered.

    Belongs to one assignment of the partition: after a rebalance a new one takes its place, and `is_abandoned` tells
    late outcomes of the old one that they are another worker's now.
    """

    def __init__(self) -> None:
        self.is_abandoned = False
        self.next_offset: int | None = None
        """All records before this offset are done; None while nothing is."""
        self._pending: deque[tuple[int, float]] = deque()
        self._done: set[int] = set()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def oldest_taken_at(self) -> float | None:
        """Monotonic time at which the oldest unfinished record was taken."""
        return self._pending[0][1] if self._pending else None

    def take(self, offset: int, now: float) -> None:
        """Note that a record was taken; offsets come in rising order."""
        self._pending.append((offset, now))

    def finish(self, offset: int) -> None:
        """Note that a record's outcome is confirmed."""
        self._done.add(offset)
        while self._pending and self._pending[0][0] in self._done:
            finished, _ = self._pending.popleft()
            self._done.discard(finished)
            self.next_offset = finished + 1


class Progress:
    """The progress of every assigned partition; used on the event loop only."""

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, PartitionProgress] = {}

    def __len__(self) -> int:
        return sum(len(progress) for progress in self._partitions.values())

    def __iter__(self) -> Iterator[TopicPartition]:
        return iter(self._partitions)

    def of(self, topic: str, partition: int) -> PartitionProgress:
        """Return the progress of a partition in its present assignment."""
        key = TopicPartition(topic, partition)
        progress = self._partitions.get(key)
        if progress is None:
            progress = self._partitions[key] = PartitionProgress()
        return progress

    def committable(self, topic: str, partition: int) -> int | None:
        """Return the offset to commit: the first one that is not done. None while nothing is done."""
        progress = self._partitions.get(TopicPartition(topic, partition))
        return None if progress is None else progress.next_offset

    def unfinished(self, topic: str, partition: int) -> int:
        """Return the number of records of a partition that were taken and are not done."""
        return len(self._partitions.get(TopicPartition(topic, partition), ()))

    def abandon_all(self) -> int:
        """Forget every partition, because all are revoked; returns the number of records given up."""
        given_up = len(self)
        for progress in self._partitions.values():
            progress.is_abandoned = True
        self._partitions.clear()
        return given_up

    def oldest_age_s(self) -> float:
        """Return the age of the oldest unfinished record in seconds, 0 when there is none."""
        taken = [progress.oldest_taken_at for progress in self._partitions.values()]
        return max((monotonic() - at for at in taken if at is not None), default=0.0)
