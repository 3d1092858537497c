"""Outcomes to Kafka, and records to "done" once the broker has confirmed what became of them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic, time

from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from schemas.errors import InvalidHeader, RecordError, ResultTooLarge, ServiceError
from schemas.producer import Producer
from worker.addresses import Addresses
from worker.metrics import Metrics
from worker.ordering import KeyOrder
from worker.outputs import DEAD_LETTER, ERROR_REPLY, REPLY, STAGE_SEND, Output, Outputs
from worker.records import Failed, Incoming, Outcome

_NO_REPLY_TOPIC = (UnknownTopicOrPartitionError, InvalidTopicError, TopicAuthorizationFailedError)
"""Any caller may name any topic for its reply: one that does not take it is the caller's fault."""


class DeliveryError(ServiceError):
    """The broker does not take our records: nobody's record is at fault."""

    code = "delivery_failed"


class InFlight:
    """The records taken and not yet done, bounded by number and bytes."""

    def __init__(self, max_records: int, max_bytes: int, metrics: Metrics) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._gauge = metrics.in_flight
        metrics.in_flight_limit.set(max_records)
        metrics.in_flight_bytes.set_function(lambda: self._bytes)
        self.records = 0
        self._bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be taken."""
        return not self._has_room.is_set()

    async def room(self) -> None:
        """Wait until something more may be taken."""
        await self._has_room.wait()

    async def empty(self, timeout_s: float) -> bool:
        """Wait until all is done; returns whether it is."""
        try:
            await asyncio.wait_for(self._is_empty.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def add(self, record: Incoming) -> None:
        """Count a record that was taken."""
        self._change(1, record.size)

    def remove(self, record: Incoming) -> None:
        """Count a record that is done or given up."""
        self._change(-1, -record.size)

    def _change(self, records: int, size: int) -> None:
        self.records += records
        self._bytes += size
        self._gauge.set(self.records)
        if self.records >= self._max_records or self._bytes >= self._max_bytes:
            self._has_room.clear()
        else:
            self._has_room.set()
        if self.records:
            self._is_empty.clear()
        else:
            self._is_empty.set()


@dataclass(slots=True)
class _Telling:
    """An outcome on its way, and how many of its outputs the broker has not confirmed."""

    record: Incoming
    outcome: Outcome
    unconfirmed: int


class Delivery:
    """Sends outcomes in the order of their keys and finishes records when all that tells them is confirmed."""

    def __init__(
        self,
        producer: Producer,
        addresses: Addresses,
        outputs: Outputs,
        in_flight: InFlight,
        metrics: Metrics,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._producer = producer
        self._addresses = addresses
        self._outputs = outputs
        self._in_flight = in_flight
        self._metrics = metrics
        self._fail = fail
        self._order = KeyOrder()
        self._ready: deque[tuple[Incoming, Outcome]] = deque()
        self._has_ready = asyncio.Event()

    def take(self, record: Incoming) -> None:
        """Note a record that was taken: its outcome will be delivered after those of earlier ones of its key."""
        record.progress.take(record.offset, record.taken_at)
        self._order.enter(record)
        self._in_flight.add(record)

    def deliver(self, outcomes: list[tuple[Incoming, Outcome]]) -> None:
        """Send outcomes; those of partitions that moved meanwhile are another worker's now."""
        for record, outcome in outcomes:
            if record.progress.is_abandoned:
                self._give_up(record)
            else:
                self._ready.extend(self._order.complete(record, outcome))
        if self._ready:
            self._has_ready.set()

    def abandon_all(self) -> None:
        """Forget what is not sent yet, because all partitions are revoked."""
        self._metrics.rebalances.inc()
        for record in [*self._order.clear(), *(record for record, _ in self._ready)]:
            self._give_up(record)
        self._ready.clear()

    async def run(self) -> None:
        """Send what is ready, for ever."""
        while True:
            await self._has_ready.wait()
            self._has_ready.clear()
            while self._ready:
                record, outcome = self._ready.popleft()
                outputs = self._outputs.of(record, outcome)
                await self._send_all(_Telling(record, outcome, len(outputs)), outputs)

    async def _send_all(self, telling: _Telling, outputs: list[Output]) -> None:
        """Send all that tells one outcome; a reply that cannot be sent becomes a dead letter."""
        trace = telling.record.trace
        for output in outputs:
            try:
                if output.kind in (REPLY, ERROR_REPLY):
                    await self._addresses.check(output.topic, output.partition)
                send = partial(self._send, output)
                sent = await (send() if trace is None else trace.sending(output.topic, output.headers, send))
            except (RecordError, KafkaError) as fault:
                self._undeliverable(telling, output, fault)
            else:
                sent.add_done_callback(partial(self._confirmed, telling, output, monotonic()))

    def _send(self, output: Output) -> "Awaitable[asyncio.Future[object]]":
        return self._producer.send(
            output.topic, output.value, output.key, output.partition, output.timestamp_ms, output.headers
        )

    def _confirmed(self, telling: _Telling, output: Output, sent_at: float, sent: "asyncio.Future[object]") -> None:
        if sent.cancelled():
            return
        fault = sent.exception()
        if fault is not None:
            self._undeliverable(telling, output, fault)
            return
        task = telling.record.contract.name
        self._metrics.delivery.observe(monotonic() - sent_at)
        self._metrics.produced.labels(task, output.kind).inc()
        if output.kind == DEAD_LETTER and isinstance(telling.outcome, Failed):
            self._metrics.dead_letters.labels(task, telling.outcome.error.code).inc()
        self._told(telling)

    def _undeliverable(self, telling: _Telling, output: Output, fault: BaseException) -> None:
        """Replace what cannot be sent by a dead letter; a dead letter that cannot be sent stops the worker."""
        error = _record_error(output, fault)
        if output.kind == DEAD_LETTER or error is None:
            failed_delivery = DeliveryError(f"{output.topic}: {fault!r}")
            failed_delivery.__cause__ = fault
            self._fail(failed_delivery)
        elif output.kind == ERROR_REPLY:
            # Its dead letter tells what was wrong; that nobody could be told is no reason to write another.
            self._told(telling)
        else:
            failed = Failed(telling.outcome.record_id, error, STAGE_SEND)
            self._ready.appendleft((telling.record, failed))
            self._has_ready.set()

    def _told(self, telling: _Telling) -> None:
        telling.unconfirmed -= 1
        if not telling.unconfirmed:
            self._finish(telling.record, telling.outcome)

    def _finish(self, record: Incoming, outcome: Outcome) -> None:
        self._metrics.end_to_end.labels(record.contract.name).observe(max(0.0, time() - record.timestamp_ms / 1000))
        record.progress.finish(record.offset)
        self._in_flight.remove(record)
        if record.trace is not None:
            record.trace.end(outcome.record_id, outcome.error.code if isinstance(outcome, Failed) else None)

    def _give_up(self, record: Incoming) -> None:
        self._in_flight.remove(record)
        if record.trace is not None:
            record.trace.abandon()


def _record_error(output: Output, fault: BaseException) -> RecordError | None:
    """Return what the record did wrong; None where it is the broker's fault."""
    if isinstance(fault, RecordError):
        return fault
    if isinstance(fault, MessageSizeTooLargeError):
        return ResultTooLarge(f"the {output.kind} has {len(output.value or b'')} bytes, more than {output.topic} takes")
    if output.kind in (REPLY, ERROR_REPLY) and isinstance(fault, _NO_REPLY_TOPIC):
        return InvalidHeader(f"reply topic {output.topic}: it does not take the reply")
    return None
