"""Is the worker alive, is it ready, and is it time to give up: from assignment, progress and commits."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.errors import ServiceError
from worker.consumer import Consumer
from worker.delivery import InFlight
from worker.metrics import Metrics
from worker.progress import Progress

INTERVAL_S = 1.0
UNREADY_INTERVAL_S = 0.1
LOOP_LAG_INTERVAL_S = 0.1


class StalledError(ServiceError):
    """Something stood still for too long: a fresh start is the best that can be done."""

    code = "stalled"


class Standstill:
    """How long something that should move has not."""

    def __init__(self) -> None:
        self._value: object = None
        self._since: float | None = None

    def observe(self, value: object, is_behind: bool, now: float) -> float:
        """Return for how many seconds `value` has been the same while it was behind."""
        if not is_behind or value != self._value or self._since is None:
            self._value = value
            self._since = now
        return now - self._since if is_behind else 0.0


class Health:
    """Watches the worker every second; `problems` is empty when it is ready."""

    def __init__(
        self,
        progress: Progress,
        in_flight: InFlight,
        metrics: Metrics,
        stall_s: float,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.problems: list[str] = ["starting"]
        self.is_draining = False
        self._progress = progress
        self._in_flight = in_flight
        self._metrics = metrics
        self._stall_s = stall_s
        self._fail = fail
        self._commits = Standstill()
        self._intake = Standstill()
        self._lagging: set[TP] = set()
        self.broker_seen_at = monotonic()
        metrics.oldest_age.set_function(progress.oldest_age_s)

    async def watch(self, consumer: Consumer) -> None:
        """Look every second, and oftener until ready; tells `fail` when something stood still twice too long."""
        while True:
            await asyncio.sleep(INTERVAL_S if not self.problems else UNREADY_INTERVAL_S)
            self.look(consumer, await self._positions(consumer))

    async def _positions(self, consumer: Consumer) -> dict[TP, int]:
        """Return where reading goes on in the partitions that lag though nothing of them is in flight."""
        positions = {}
        for tp in consumer.assignment():
            if consumer.lag(tp) and not self._progress.unfinished(*tp):
                # Without an answer the lag counts as work, which is what it is in a consumer that hangs.
                with suppress(TimeoutError, KafkaError):
                    async with asyncio.timeout(INTERVAL_S):
                        positions[tp] = await consumer.position(tp) or 0
        return positions

    async def measure_loop_lag(self) -> None:
        """Measure how late the event loop wakes, for ever."""
        while True:
            asked = monotonic()
            await asyncio.sleep(LOOP_LAG_INTERVAL_S)
            self._metrics.loop_lag.observe(max(0.0, monotonic() - asked - LOOP_LAG_INTERVAL_S))

    def look(self, consumer: Consumer, positions: Mapping[TP, int]) -> None:
        """Renew `problems` and the gauges; `positions` of idle partitions tell lag that is no work."""
        assigned = consumer.assignment()
        lags = {tp: consumer.lag(tp, positions.get(tp, 0)) for tp in assigned}
        self._metrics.assigned.set(len(assigned))
        self._show(consumer, lags)
        stalls = self._stalls(consumer, lags)
        self.problems = [f"{what} for {seconds:.0f} s" for what, seconds in stalls if seconds > self._stall_s]
        if not assigned:
            self.problems.append("no partitions are assigned")
        if self.is_draining:
            self.problems.append("draining")
        self._metrics.ready.set(not self.problems)
        for what, seconds in stalls:
            if seconds > 2 * self._stall_s and not self.is_draining:
                self._fail(StalledError(f"{what} for {seconds:.0f} s"))

    def _stalls(self, consumer: Consumer, lags: Mapping[TP, int]) -> list[tuple[str, float]]:
        now = monotonic()
        committed = {tp: consumer.committed_offset(tp) or 0 for tp in lags}
        is_uncommitted = any((self._progress.committable(*tp) or 0) > committed[tp] for tp in lags)
        is_waiting = not self._in_flight.records and any(lags.values())
        return [
            ("a record is not delivered", self._progress.oldest_age_s()),
            ("offsets are not committed", self._commits.observe(committed, is_uncommitted, now)),
            ("nothing is taken though records wait", self._intake.observe(committed, is_waiting, now)),
            ("no broker answers", now - self.broker_seen_at),
        ]

    def _show(self, consumer: Consumer, lags: Mapping[TP, int]) -> None:
        """Set the gauges of the assigned partitions, and drop those of partitions that moved."""
        lag_gauge, committed_gauge = self._metrics.consumer_lag, self._metrics.committed_offset
        for topic, partition in self._lagging - set(lags):
            lag_gauge.remove(topic, str(partition))
            committed_gauge.remove(topic, str(partition))
        for tp, lag in lags.items():
            lag_gauge.labels(tp.topic, str(tp.partition)).set(lag)
            committed_gauge.labels(tp.topic, str(tp.partition)).set(consumer.committed_offset(tp) or 0)
        self._lagging = set(lags)
