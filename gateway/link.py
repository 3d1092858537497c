"""The gateway's connection to Kafka: requests out, replies in, made again whenever it is lost."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError

from gateway.metrics import Metrics
from gateway.replies import Reply
from gateway.settings import Settings
from schemas import CONTRACTS, KafkaConnection, Limits, NlpError, Topics
from schemas.access import check_access
from schemas.acls import gateway_acls
from schemas.errors import AccessDenied, BrokerUnavailable, RecordTooLarge
from schemas.headers import Headers

_FIRST_PAUSE_S = 0.1
_HEADER_ROOM_BYTES = 128 * 1024
"""Beside the value a record holds our headers and the caller's trace state; a longer one is answered 413."""
_BATCH_BYTES = 256 * 1024
"""aiokafka's own 16 KiB makes a burst of callers wait for one another's round trips."""
_CLOSE_S = 1.0
"""For each step of closing; the callers whose requests are not confirmed by then have been answered already."""

_log = logging.getLogger(__name__)

OnReply = Callable[[Reply], None]
OnFailed = Callable[[NlpError], None]


class _Unusable(Exception):
    """The cluster answers, but not with what a gateway needs; the message says what is missing."""


class KafkaLink:
    """An idempotent producer and a consumer of one reply partition, replaced together when either fails.

    The partition is assigned, never subscribed to: in a consumer group the replies would go to whichever replica the
    group gives it. The link is ready only once the consumer stands at the partition's end, so that no request is sent
    before its reply can be read.
    """

    def __init__(
        self, settings: Settings, connection: KafkaConnection, topics: Topics, limits: Limits, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._options = connection.client_options()
        self._topics = topics
        self._max_request_bytes = limits.max_record_bytes + _HEADER_ROOM_BYTES
        self._metrics = metrics
        self._producer: AIOKafkaProducer | None = None
        self._partition = settings.reply_partition
        self._next_offset: int | None = None
        self._broken = asyncio.Event()
        self._has_gap = asyncio.Event()
        self._undelivered: dict[asyncio.Future[object], AIOKafkaProducer] = {}
        self._was_ever_ready = False
        self._unready_reason: str | None = "not connected yet"

    @property
    def unready_reason(self) -> str | None:
        """Why requests cannot be sent, None when they can."""
        return self._unready_reason

    @property
    def reply_partition(self) -> int:
        """The partition that is read; known once the link has been ready."""
        if self._partition is None:
            raise BrokerUnavailable(self._unready_reason or "not connected yet")
        return self._partition

    async def run(self, on_reply: OnReply) -> NoReturn:
        """Connect, and connect again after every loss, until cancelled; each reply goes to `on_reply`.

        Raises `AccessDenied` when the cluster refuses the first connection: a new start with other credentials is
        what helps. Later ones are tried again, for an operator may be changing them.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            if await self._run_session(on_reply):
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._settings.max_reconnect_pause_s)

    async def send(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers, on_failed: OnFailed
    ) -> Callable[[], bool]:
        """Hand a record to the producer, and return a function that tells whether the broker has it.

        `on_failed` is called if the broker does not take it.
        Raises `BrokerUnavailable`, or `RecordTooLarge` for what the producer would not send.
        """
        producer = self._producer
        if producer is None or self._unready_reason is not None:
            raise BrokerUnavailable(self._unready_reason or "not connected")
        try:
            delivery: asyncio.Future[object] = await producer.send(topic, value, key, headers=headers)
        except MessageSizeTooLargeError:
            limit = self._max_request_bytes
            raise RecordTooLarge(f"the record and its headers have more than {limit} bytes", limit=limit) from None
        except KafkaError as error:
            self._break(error)
            raise BrokerUnavailable("the broker did not take the request") from error
        self._undelivered[delivery] = producer
        delivery.add_done_callback(lambda done: self._on_delivery(done, on_failed))
        return delivery.done

    def _on_delivery(self, delivery: "asyncio.Future[object]", on_failed: OnFailed) -> None:
        producer = self._undelivered.pop(delivery)
        if delivery.cancelled():
            return
        error = delivery.exception()
        if error is None:
            return
        if isinstance(error, MessageSizeTooLargeError):
            on_failed(RecordTooLarge("the request has more bytes than its topic takes"))
            self._leave_gap(producer)
            return
        on_failed(BrokerUnavailable("the broker did not take the request"))
        # What follows a gap fails as well, and that one is being mended.
        if producer is self._producer and not self._has_gap.is_set():
            self._break(error)

    def _leave_gap(self, producer: AIOKafkaProducer) -> None:
        # A failed batch leaves a gap in an idempotent producer's sequence of that partition, and the broker refuses all
        # that follow on it. The connection is sound: one caller's large record must not cost the others theirs.
        self._metrics.send_failures.inc()
        if producer is self._producer:
            self._has_gap.set()

    def _break(self, error: BaseException) -> None:
        _log.warning("a request was not delivered: %s", type(error).__name__)
        self._metrics.send_failures.inc()
        self._broken.set()

    def _lose(self, reason: str) -> None:
        """Say why requests cannot be sent, and answer the callers whose request the broker does not have."""
        if reason != self._unready_reason:
            _log.warning("no connection to Kafka: %s", reason)
        if self._producer is not None:
            self._metrics.connection_losses.inc()
        self._producer = None
        self._unready_reason = reason
        self._metrics.connected.set(0)
        self._give_up(self._undelivered, reason)

    @staticmethod
    def _give_up(deliveries: Iterable[asyncio.Future[object]], reason: str) -> None:
        for delivery in list(deliveries):
            if not delivery.done():
                delivery.set_exception(BrokerUnavailable(reason))

    async def _run_session(self, on_reply: OnReply) -> bool:
        """Connect and carry until the connection is lost; returns whether it was ever there."""
        was_ready = False
        producers = [self._new_producer()]
        # Earliest applies only when our position is gone with the topic: then every reply there is, is after it.
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=self._broker_timeout_ms,
        )
        try:
            partition = await self._connect(producers[0], consumer)
            self._producer = producers[0]
            self._unready_reason = None
            was_ready = self._was_ever_ready = True
            self._metrics.connected.set(1)
            _log.info("connected to Kafka, replies come on %s[%d]", partition.topic, partition.partition)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read_replies(consumer, partition, on_reply))
                tasks.create_task(self._watch(consumer, partition))
                tasks.create_task(self._mend_gaps(producers))
        except* (KafkaError, OSError, TimeoutError, _Unusable) as errors:
            self._lose(_describe(errors))
        finally:
            await asyncio.gather(*map(_close_producer, producers), _close_consumer(consumer))
        return was_ready

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
            max_request_size=self._max_request_bytes,
            request_timeout_ms=self._broker_timeout_ms,
        )

    @property
    def _broker_timeout_ms(self) -> int:
        return round(1_000 * self._settings.broker_timeout_s)

    async def _connect(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> TopicPartition:
        """Start both and stand at the end of the reply partition, or where the last session stopped reading."""
        self._broken.clear()
        self._has_gap.clear()
        async with asyncio.timeout(2 * self._settings.broker_timeout_s):
            await self._check_access()
            await producer.start()
            await consumer.start()
            await self._check_topics(producer, consumer)
            partition = await self._choose_partition(producer)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            if self._next_offset is None or self._next_offset > end:
                self._next_offset = end
            consumer.seek(partition, self._next_offset)
        return partition

    async def _check_access(self) -> None:
        try:
            await check_access(self._connection, gateway_acls(self._topics))
        except BrokerUnavailable as away:
            raise KafkaConnectionError(away.detail) from away
        except AccessDenied as denied:
            if not self._was_ever_ready:
                raise
            raise _Unusable(denied.detail) from denied

    async def _check_topics(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        # Asks for all topics: asking for one by name would make a cluster that creates topics on demand create it.
        wanted = {contract.requests(self._topics) for contract in CONTRACTS} | {self._topics.replies}
        missing = wanted - await consumer.topics()
        if missing:
            raise _Unusable(f"topics do not exist: {', '.join(sorted(missing))}")
        await self._look_up_partitions(producer)

    async def _look_up_partitions(self, producer: AIOKafkaProducer) -> None:
        # Now, or the first request to each topic would wait for it.
        for contract in CONTRACTS:
            await producer.partitions_for(contract.requests(self._topics))

    async def _choose_partition(self, producer: AIOKafkaProducer) -> TopicPartition:
        there = await producer.partitions_for(self._topics.replies)
        if self._settings.reply_partition is None and self._partition not in there:
            self._partition = random.choice(sorted(there))
            self._next_offset = None
        if self._partition not in there:
            raise _Unusable(f"{self._topics.replies} has no partition {self._partition}")
        return TopicPartition(self._topics.replies, self._partition)

    async def _read_replies(self, consumer: AIOKafkaConsumer, partition: TopicPartition, on_reply: OnReply) -> NoReturn:
        while True:
            records = (await consumer.getmany(timeout_ms=60_000)).get(partition, ())
            for record in records:
                self._next_offset = record.offset + 1
                on_reply(Reply(record.value, record.headers))

    async def _watch(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> NoReturn:
        """Raise as soon as a delivery failed or the broker of the reply partition is silent.

        aiokafka's clients hide a lost broker by trying for ever, so somebody has to ask.
        """
        while True:
            try:
                await asyncio.wait_for(self._broken.wait(), self._settings.probe_interval_s)
            except TimeoutError:
                await asyncio.wait_for(consumer.end_offsets([partition]), self._settings.broker_timeout_s)
            else:
                raise _Unusable("the broker did not take a request")

    async def _mend_gaps(self, producers: list[AIOKafkaProducer]) -> NoReturn:
        """Put a new producer in the place of each that has a gap; `producers` has those that must be closed."""
        while True:
            await self._has_gap.wait()
            fresh = self._new_producer()
            producers.append(fresh)
            async with asyncio.timeout(2 * self._settings.broker_timeout_s):
                await fresh.start()
                await self._look_up_partitions(fresh)
            old, self._producer = self._producer, fresh
            self._has_gap.clear()
            assert old is not None
            # Delivers what it still can, on the partitions without a gap.
            await _finish(old.stop())
            await _close_producer(old)
            producers.remove(old)
            left = [delivery for delivery, producer in self._undelivered.items() if producer is old]
            self._give_up(left, "the broker did not take the request")


def _describe(errors: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "the broker does not answer"
    return str(error) if isinstance(error, _Unusable) else f"no broker answers ({type(error).__name__})"


async def _close_producer(producer: AIOKafkaProducer) -> None:
    """Close it within a bound, whatever state it is in, which aiokafka does not offer.

    What the broker has not confirmed is given up: nobody waits for it any more, and it is expired soon.
    """
    # An idempotent producer with unconfirmed records never stops while its broker is away.
    await _finish(producer._sender.close())  # noqa: SLF001
    producer._message_accumulator._batches.clear()  # noqa: SLF001
    await _finish(producer.stop())


async def _close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Close it within a bound, too."""
    await _finish(consumer.stop())
    # A consumer with an open request raises that request's cancellation before it has closed its connections.
    await _finish(consumer._client.close())  # noqa: SLF001


async def _finish(closing: Coroutine[Any, Any, None]) -> None:
    # In a task of its own, for aiokafka's clients raise the cancellation of their inner tasks.
    task = asyncio.create_task(closing)
    await asyncio.wait({task}, timeout=_CLOSE_S)
    if not task.done():
        task.cancel()
    elif not task.cancelled() and task.exception() is not None:
        _log.debug("a Kafka client did not close well: %r", task.exception())
