"""Readiness and the decision to give up, with a consumer whose offsets the test sets."""

from dataclasses import dataclass, field

import pytest
from faust.types import TP

from tests.records import incoming
from worker import health as health_module
from worker.delivery import InFlight
from worker.health import Health, StalledError, Standstill
from worker.metrics import Metrics
from worker.progress import Progress

PARTITION = TP("t", 0)


@dataclass
class Offsets:
    """Stands in for the consumer: committed and last offset of one partition."""

    assigned: set[TP] = field(default_factory=lambda: {PARTITION})
    committed: int = 0
    end: int = 0
    read_to: int = 0

    def assignment(self) -> set[TP]:
        return self.assigned

    def committed_offset(self, tp: TP) -> int:
        return self.committed

    def lag(self, tp: TP, position: int = 0) -> int:
        return self.end - max(position, self.committed)

    async def position(self, tp: TP) -> int:
        return self.read_to


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(health_module, "monotonic", lambda: self.now)
        monkeypatch.setattr("worker.progress.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Watched:
    def __init__(self) -> None:
        self.progress = Progress()
        self.metrics = Metrics()
        self.in_flight = InFlight(10, 1_000, self.metrics)
        self.faults: list[BaseException] = []
        self.offsets = Offsets()
        self.health = Health(self.progress, self.in_flight, self.metrics, 60.0, self.faults.append)

    def look(
        self, clock: Clock, after_s: float = 0.0, *, broker_answers: bool = True, positions: dict[TP, int] | None = None
    ) -> list[str]:
        clock.now += after_s
        if broker_answers:
            self.health.broker_seen_at = clock.now
        self.health.look(self.offsets, positions or {})  # type: ignore[arg-type]
        return self.health.problems


@pytest.fixture
def watched(clock: Clock) -> Watched:
    return Watched()


def test_worker_is_unready_before_it_looked(watched: Watched) -> None:
    assert watched.health.problems == ["starting"]


def test_worker_with_partitions_is_ready(watched: Watched, clock: Clock) -> None:
    assert watched.look(clock) == []
    assert watched.metrics.registry.get_sample_value("nlp_ready") == 1


def test_worker_without_partitions_is_unready(watched: Watched, clock: Clock) -> None:
    watched.offsets.assigned = set()

    assert watched.look(clock) == ["no partitions are assigned"]


def test_undelivered_record_makes_unready_and_then_ends_the_worker(watched: Watched, clock: Clock) -> None:
    watched.progress.of("t", 0).take(0, clock.now)
    watched.in_flight.add(incoming())

    fresh = watched.look(clock, 59)
    stale = list(watched.look(clock, 2))
    patience = list(watched.faults)
    watched.look(clock, 60)

    assert fresh == []
    assert stale == ["a record is not delivered for 61 s"]
    assert patience == []
    assert [type(fault) for fault in watched.faults] == [StalledError]


def test_commits_that_stand_still_make_unready(watched: Watched, clock: Clock) -> None:
    progress = watched.progress.of("t", 0)
    progress.take(4, clock.now)
    progress.finish(4)
    watched.look(clock)

    assert watched.look(clock, 61) == ["offsets are not committed for 61 s"]

    watched.offsets.committed = 5
    assert watched.look(clock) == []


def test_records_that_nobody_takes_make_unready(watched: Watched, clock: Clock) -> None:
    watched.offsets.end = 3
    watched.look(clock)

    assert watched.look(clock, 61) == ["nothing is taken though records wait for 61 s"]


def test_deleted_records_behind_the_position_are_no_work(watched: Watched, clock: Clock) -> None:
    watched.offsets.end = 3
    watched.look(clock, positions={PARTITION: 3})

    assert watched.look(clock, 200, positions={PARTITION: 3}) == []
    assert watched.faults == []


async def _positions(watched: Watched) -> dict[TP, int]:
    return await watched.health._positions(watched.offsets)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_positions_are_asked_only_of_partitions_that_lag_without_work(watched: Watched, clock: Clock) -> None:
    watched.offsets.read_to = 3

    without_lag = await _positions(watched)
    watched.offsets.end = 3
    idle = await _positions(watched)
    watched.progress.of("t", 0).take(0, clock.now)
    busy = await _positions(watched)

    assert (without_lag, idle, busy) == ({}, {PARTITION: 3}, {})


def test_lost_broker_makes_unready(watched: Watched, clock: Clock) -> None:
    watched.look(clock)

    assert watched.look(clock, 61, broker_answers=False) == ["no broker answers for 61 s"]


def test_lag_of_a_revoked_partition_is_no_longer_told(watched: Watched, clock: Clock) -> None:
    watched.offsets.end = 3
    labels = {"topic": "t", "partition": "0"}
    watched.look(clock)
    before = watched.metrics.registry.get_sample_value("nlp_consumer_lag_records", labels)

    watched.offsets.assigned = set()
    watched.look(clock)

    assert before == 3
    assert watched.metrics.registry.get_sample_value("nlp_consumer_lag_records", labels) is None


def test_standstill_counts_only_while_behind_and_unchanged() -> None:
    standstill = Standstill()

    seconds = [
        standstill.observe(value, is_behind, now)
        for value, is_behind, now in [(1, True, 0.0), (1, True, 5.0), (2, True, 7.0), (2, False, 9.0), (2, True, 12.0)]
    ]

    assert seconds == [0.0, 5.0, 0.0, 0.0, 3.0]
