"""Delivery with a producer that confirms when the test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from schemas import Topics
from schemas.errors import MalformedRecord
from schemas.headers import Headers, ReplyHeaderNames
from tests.records import incoming
from worker.addresses import Addresses
from worker.delivery import Delivery, DeliveryError, InFlight
from worker.metrics import Metrics
from worker.outputs import Outputs
from worker.records import Answered, Failed, Incoming

pytestmark = pytest.mark.anyio

REPLY_TO: Headers = [
    ("kafka_correlationId", b"42"),
    ("kafka_replyTopic", b"nlp.replies"),
    ("kafka_replyPartition", b"\x00\x00\x00\x03"),
]


@dataclass
class Sent:
    topic: str
    value: bytes | None
    key: bytes | None
    partition: int | None
    timestamp_ms: int | None
    headers: list[tuple[str, bytes | None]]
    confirmed: "asyncio.Future[object]"


@dataclass
class SlowProducer:
    sent: list[Sent] = field(default_factory=list)
    too_large_for: str = ""
    partitions: set[int] = field(default_factory=lambda: {0, 1, 2, 3})

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> "asyncio.Future[object]":
        if topic == self.too_large_for:
            raise MessageSizeTooLargeError
        confirmed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.sent.append(Sent(topic, value, key, partition, timestamp_ms, headers or [], confirmed))
        return confirmed

    async def list_partitions(self) -> dict[str, set[int]]:
        return {Topics().replies: self.partitions}

    async def count(self, number: int) -> list[Sent]:
        async with asyncio.timeout(5):
            while len(self.sent) < number:
                await asyncio.sleep(0)
        return self.sent


class Bench:
    def __init__(self) -> None:
        self.producer = SlowProducer()
        self.metrics = Metrics()
        self.in_flight = InFlight(4, 1_000_000, self.metrics)
        self.faults: list[BaseException] = []
        outputs = Outputs(Topics(), ReplyHeaderNames(), "minilm:1@sha256:0")
        addresses = Addresses(self.producer.list_partitions)
        self.delivery = Delivery(self.producer, addresses, outputs, self.in_flight, self.metrics, self.faults.append)

    def take(self, record: Incoming) -> Incoming:
        self.delivery.take(record)
        return record


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with _running() as running:
        yield running


@asynccontextmanager
async def _running() -> AsyncIterator[Bench]:
    bench = Bench()
    task = asyncio.create_task(bench.delivery.run())
    try:
        yield bench
    finally:
        task.cancel()


def _answered(record: Incoming) -> tuple[Incoming, Answered]:
    return record, Answered(record.default_id, b'{"result": 1}')


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_record_is_done_only_when_the_broker_confirmed(bench: Bench) -> None:
    record = bench.take(incoming(offset=7))

    bench.delivery.deliver([_answered(record)])
    (sent,) = await bench.producer.count(1)
    before = record.progress.next_offset
    sent.confirmed.set_result(None)
    await _settle()

    assert before is None
    assert record.progress.next_offset == 8
    assert bench.in_flight.records == 0


async def test_key_headers_and_event_time_go_through(bench: Bench) -> None:
    received: Headers = [("a", b"1"), ("a", None), ("nlp-id", b"forged"), ("traceparent", b"x"), ("traceparent", b"y")]
    record = bench.take(incoming(key=b"k", headers=received, timestamp_ms=123))

    bench.delivery.deliver([_answered(record)])
    (sent,) = await bench.producer.count(1)

    assert (sent.topic, sent.key, sent.timestamp_ms) == ("nlp.sentiment.results", b"k", 123)
    assert sent.headers == [
        ("a", b"1"),
        ("a", None),
        ("traceparent", b"x"),
        ("nlp-id", b"nlp.sentiment.requests/0/0"),
        ("nlp-model", b"minilm:1@sha256:0"),
        ("nlp-source", b"nlp.sentiment.requests[0]@0"),
    ]


async def test_caller_that_waits_is_answered_where_it_waits(bench: Bench) -> None:
    record = bench.take(incoming(headers=REPLY_TO))

    bench.delivery.deliver([_answered(record)])
    (sent,) = await bench.producer.count(1)

    assert (sent.topic, sent.partition) == ("nlp.replies", 3)
    assert ("kafka_correlationId", b"42") in sent.headers


async def test_failed_record_is_a_dead_letter_and_an_error_reply(bench: Bench) -> None:
    record = bench.take(incoming(b"original", key=b"k", headers=REPLY_TO))

    bench.delivery.deliver([(record, Failed("id", MalformedRecord("no JSON"), "VALUE_CONVERTER"))])
    letter, reply = await bench.producer.count(2)
    letter.confirmed.set_result(None)
    await _settle()
    halfway = record.progress.next_offset
    reply.confirmed.set_result(None)
    await _settle()

    assert (letter.topic, letter.value, letter.key) == ("nlp.dead-letters", b"original", b"k")
    assert dict(letter.headers)["__connect.errors.exception.message"] == b"no JSON"
    assert (reply.topic, reply.value) == ("nlp.replies", b"")
    assert dict(reply.headers)["nlp-error-code"] == b"malformed_record"
    assert halfway is None
    assert record.progress.next_offset == 1


async def test_reply_to_a_missing_partition_becomes_a_dead_letter(bench: Bench) -> None:
    bench.producer.partitions = {0}
    record = bench.take(incoming(headers=REPLY_TO))

    bench.delivery.deliver([_answered(record)])
    (letter,) = await bench.producer.count(1)
    letter.confirmed.set_result(None)
    await _settle()

    assert dict(letter.headers)["nlp-error-code"] == b"invalid_header"
    assert bench.in_flight.records == 0


@pytest.mark.parametrize("topic", ["nlp.documents", "nlp.dead-letters"])
async def test_reply_to_our_own_inputs_is_refused(bench: Bench, topic: str) -> None:
    record = bench.take(incoming(headers=[("kafka_correlationId", b"1"), ("kafka_replyTopic", topic.encode())]))

    bench.delivery.deliver([_answered(record)])
    (letter,) = await bench.producer.count(1)

    assert letter.topic == "nlp.dead-letters"
    assert dict(letter.headers)["nlp-error-code"] == b"invalid_header"


async def test_result_that_is_too_large_becomes_a_dead_letter(bench: Bench) -> None:
    bench.producer.too_large_for = "nlp.sentiment.results"
    record = bench.take(incoming())

    bench.delivery.deliver([_answered(record)])
    (letter,) = await bench.producer.count(1)

    assert dict(letter.headers)["nlp-error-code"] == b"result_too_large"
    assert letter.value == record.value


async def test_broker_that_takes_nothing_stops_the_worker(bench: Bench) -> None:
    record = bench.take(incoming())

    bench.delivery.deliver([_answered(record)])
    (sent,) = await bench.producer.count(1)
    sent.confirmed.set_exception(KafkaTimeoutError())
    await _settle()

    assert [type(fault) for fault in bench.faults] == [DeliveryError]
    assert record.progress.next_offset is None


async def test_records_of_a_key_leave_in_order(bench: Bench) -> None:
    first, second = (bench.take(incoming(key=b"k", offset=offset)) for offset in (0, 1))

    bench.delivery.deliver([_answered(second)])
    await _settle()
    early = len(bench.producer.sent)
    bench.delivery.deliver([_answered(first)])
    sent = await bench.producer.count(2)

    assert early == 0
    assert [dict(each.headers)["nlp-id"] for each in sent] == [
        b"nlp.sentiment.requests/0/0",
        b"nlp.sentiment.requests/0/1",
    ]


async def test_outcome_of_a_moved_partition_is_not_sent(bench: Bench) -> None:
    waiting, done, late = (bench.take(incoming(key=b"k", offset=offset)) for offset in (0, 1, 2))
    bench.delivery.deliver([_answered(done)])
    for record in (waiting, done, late):
        record.progress.is_abandoned = True

    bench.delivery.abandon_all()
    bench.delivery.deliver([_answered(waiting), _answered(late)])
    await _settle()

    assert bench.producer.sent == []
    assert bench.in_flight.records == 0


async def test_in_flight_is_bounded_by_number_and_by_bytes() -> None:
    by_number = InFlight(2, 1_000, Metrics())
    by_bytes = InFlight(100, 1_000, Metrics())

    by_number.add(incoming(b""))
    by_bytes.add(incoming(b"a" * 999))
    before = (by_number.is_full, by_bytes.is_full)
    by_number.add(incoming(b""))
    by_bytes.add(incoming(b"a"))

    assert before == (False, False)
    assert (by_number.is_full, by_bytes.is_full) == (True, True)


async def test_in_flight_tells_when_it_is_empty() -> None:
    in_flight = InFlight(2, 1_000, Metrics())
    record = incoming()
    in_flight.add(record)

    before = await in_flight.empty(0.01)
    in_flight.remove(record)

    assert (before, await in_flight.empty(0.01)) == (False, True)
