"""Faust's Kafka consumer, committing what was delivered instead of what Faust believes to be acknowledged.

Faust's own bookkeeping commits past a record in flight when acknowledgements come out of order, acknowledges records
that it skips in a rebalance, and stops committing for ever after a gap in the offsets. `Progress` knows better: the
first offset that is not done is the offset to commit.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import ServiceT

from worker.progress import Progress


class WorkerApp(faust.App):
    """A Faust app that commits by `progress`."""

    logger = logging.getLogger("faust")

    def __init__(self, name: str, progress: Progress, **options: Any) -> None:
        self.progress = progress
        super().__init__(name, **options)

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """Return Faust's services, without its statistics: they cost several calls a record, ours are in `Metrics`."""
        services = super().on_init_dependencies()
        self.sensors.remove(self.monitor)
        return services

    def _create_directories(self) -> None:
        """Create nothing: without tables there is nothing to keep, and a container may be read-only."""

    def _new_transport(self) -> "Transport":
        return Transport(self.conf.broker_consumer, self)


class Consumer(driver.Consumer):
    """Commits the offset of the first record that is not delivered yet."""

    app: WorkerApp
    logger = logging.getLogger("faust")

    def _filter_tps_with_pending_acks(self, topics: Iterable[object] | None = None) -> Iterator[TP]:
        return iter([TP(*partition) for partition in self.app.progress])

    def _new_offset(self, tp: TP) -> int | None:
        offset: int | None = self.app.progress.committable(tp.topic, tp.partition)
        return offset

    def committed_offset(self, tp: TP) -> int | None:
        """Return the last committed offset of an assigned partition, None before the first."""
        offset: int | None = self._committed_offset.get(tp)
        return offset

    def lag(self, tp: TP, position: int = 0) -> int:
        """Return the records of a partition that are not committed, as far as the last fetch told.

        `position` is where reading goes on, when nothing of the partition is in flight: what lies between the commit
        and it was deleted, or is a transaction's marker, and is no work.
        """
        return max(0, (self.highwater(tp) or 0) - max(position, self.committed_offset(tp) or 0))


class Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = Consumer
