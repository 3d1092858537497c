"""Outcomes leave in the order in which records of the same key came, though batches end in any order."""

from collections import deque

from worker.records import Incoming, Outcome

Ready = list[tuple[Incoming, Outcome]]


class KeyOrder:
    """A queue for each partition and key that has records in flight; records without a key wait for nothing."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, int, bytes], deque[Incoming]] = {}
        self._early: dict[Incoming, Outcome] = {}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def enter(self, record: Incoming) -> None:
        """Note that a record was taken."""
        if record.key is not None:
            self._queues.setdefault(_lane(record, record.key), deque()).append(record)

    def complete(self, record: Incoming, outcome: Outcome) -> Ready:
        """Return what may leave now that a record has its outcome: itself and followers that were waiting for it."""
        if record.key is None:
            return [(record, outcome)]
        lane = _lane(record, record.key)
        queue = self._queues[lane]
        self._early[record] = outcome
        ready: Ready = []
        while queue and queue[0] in self._early:
            first = queue.popleft()
            ready.append((first, self._early.pop(first)))
        if not queue:
            del self._queues[lane]
        return ready

    def clear(self) -> list[Incoming]:
        """Forget everything, because all partitions are revoked; returns records that had their outcome already."""
        waiting = list(self._early)
        self._queues.clear()
        self._early.clear()
        return waiting


def _lane(record: Incoming, key: bytes) -> tuple[str, int, bytes]:
    return record.topic, record.partition, key
