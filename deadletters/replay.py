"""Dead letters back to where they came from: worked out first, and sent only when that was asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from deadletters.letters import Letter, Source
from schemas import KafkaConnection, ServiceError
from schemas.headers import Headers, ReplyHeaderNames
from schemas.producer import Producer
from schemas.topics import OUTPUT_BYTES


class ReplayFailed(ServiceError):
    """The broker did not take a replayed record; what was sent before it stands."""

    code = "replay_failed"


@dataclass(frozen=True, slots=True)
class Replay:
    """One letter and what becomes of it: sent to `topic` and `partition`, or skipped for a reason."""

    letter: Letter
    topic: str
    partition: int | None
    headers: Headers
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class ReplayRules:
    """What may be replayed: `partitions` of each request topic that is there, and how often one record may be.

    With `unattended`, reply and deadline headers are left off.
    """

    partitions: dict[str, int]
    max_replays: int
    unattended: ReplyHeaderNames | None = None

    def plan(self, letter: Letter, now_ms: int) -> Replay:
        """Return what becomes of a letter."""
        reason = self._reason_to_skip(letter, letter.source, now_ms)
        if letter.source is None or reason:
            return Replay(letter, "", None, (), reason)
        # The partition it stood on, so that records of its key stay together whoever chose it; where the topic was
        # made anew with fewer, the key chooses.
        is_there = letter.source.partition < self.partitions[letter.source.topic]
        partition = letter.source.partition if is_there else None
        return Replay(letter, letter.source.topic, partition, letter.headers_to_replay(self.unattended))

    def _reason_to_skip(self, letter: Letter, source: Source | None, now_ms: int) -> str:
        if source is None:
            return "its headers do not tell where it came from"
        if source.topic not in self.partitions:
            return f"{source.topic} is no request topic of these settings"
        if letter.replays >= self.max_replays:
            return f"it was replayed {letter.replays} times already"
        if self.unattended is None and letter.has_expired(now_ms):
            return "its deadline has passed and it would expire again; --unattended leaves the deadline off"
        return ""


async def send_all(producer: Producer, replays: Sequence[Replay]) -> tuple[list[Source | None], ReplayFailed | None]:
    """Send what is not skipped, in order, and wait until the broker has confirmed it.

    Returns where each of `replays` stands now, None where it was skipped or not taken, and the first fault.
    """
    sent = [None if replay.skipped else await _send(producer, replay) for replay in replays]
    await asyncio.gather(*filter(None, sent), return_exceptions=True)
    stored: list[Source | None] = []
    fault: ReplayFailed | None = None
    for replay, sending in zip(replays, sent, strict=True):
        where = None
        if sending is not None and (refused := sending.exception()) is not None:
            detail = f"{replay.topic} did not take dead letter {replay.letter.position}: {refused}"
            fault = fault or ReplayFailed(detail)
        elif sending is not None:
            told = sending.result()
            where = Source(told.topic, told.partition, told.offset)
        stored.append(where)
    return stored, fault


async def _send(producer: Producer, replay: Replay) -> "asyncio.Future[RecordMetadata]":
    letter = replay.letter
    time_ms = letter.time_ms if letter.time_ms >= 0 else None
    headers = list(replay.headers)
    try:
        return await producer.send(replay.topic, letter.value, letter.key, replay.partition, time_ms, headers)
    except KafkaError as refused:
        # Told like what the broker refuses, so that the others of its batch are heard of as well.
        failed: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        failed.set_exception(refused)
        return failed


@asynccontextmanager
async def open_producer(connection: KafkaConnection) -> AsyncIterator[AIOKafkaProducer]:
    """Connect an idempotent producer: a retry neither doubles nor reorders."""
    producer = AIOKafkaProducer(
        **connection.client_options(),
        client_id="nlp-dead-letters",
        enable_idempotence=True,
        acks="all",
        max_request_size=OUTPUT_BYTES,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
