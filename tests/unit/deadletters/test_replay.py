"""What becomes of a letter is decided before anything is sent, and a fault is told with what was sent beside it."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, NotLeaderForPartitionError
from aiokafka.structs import RecordMetadata, TopicPartition

from deadletters.letters import Letter, Source
from deadletters.replay import Replay, ReplayRules, send_all
from schemas import headers
from schemas.headers import ReplyHeaderNames

pytestmark = pytest.mark.anyio

TOPIC = "nlp.documents"
LETTER = Letter(3, 17, 1_000, Source(TOPIC, 5, 40), "internal_error", "why", 0, b"k", b"v", (("tenant", b"7"),))
RULES = ReplayRules({TOPIC: 6}, max_replays=3)
EXPIRED = replace(LETTER, headers=((headers.DEADLINE, b"1000"),))


def test_a_letter_goes_back_to_its_topic_and_partition() -> None:
    replay = RULES.plan(LETTER, 0)

    assert (replay.topic, replay.partition, replay.skipped) == (TOPIC, 5, "")
    assert replay.headers == [("tenant", b"7"), (headers.REPLAYS, b"1")]


def test_a_partition_that_is_gone_leaves_the_choice_to_the_key() -> None:
    replay = ReplayRules({TOPIC: 5}, max_replays=3).plan(LETTER, 0)

    assert (replay.topic, replay.partition, replay.skipped) == (TOPIC, None, "")


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        (replace(LETTER, source=None), "do not tell where it came from"),
        (replace(LETTER, source=Source("elsewhere", 0, 0)), "elsewhere is no request topic"),
        (replace(LETTER, source=Source("nlp.dead-letters", 0, 0)), "nlp.dead-letters is no request topic"),
        (replace(LETTER, replays=3), "replayed 3 times already"),
        (EXPIRED, "would expire again"),
    ],
)
def test_what_makes_no_sense_is_skipped_with_a_reason(letter: Letter, reason: str) -> None:
    replay = RULES.plan(letter, 2_000)

    assert reason in replay.skipped


def test_the_last_replay_that_is_allowed_is_made() -> None:
    assert not RULES.plan(replace(LETTER, replays=2), 0).skipped


def test_an_unattended_replay_does_not_expire() -> None:
    rules = replace(RULES, unattended=ReplyHeaderNames())

    replay = rules.plan(EXPIRED, 2_000)

    assert not replay.skipped
    assert replay.headers == [(headers.REPLAYS, b"1")]


@dataclass
class FakeProducer:
    refuse_to_queue: bytes = b""
    refuse_to_store: bytes = b""
    sent: list[tuple[Any, ...]] = field(default_factory=list)

    async def send(self, *sent: Any) -> "asyncio.Future[RecordMetadata]":
        topic, value, _, partition, *_ = sent
        if value == self.refuse_to_queue:
            raise MessageSizeTooLargeError("too large")
        self.sent.append(sent)
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if value == self.refuse_to_store:
            future.set_exception(NotLeaderForPartitionError())
        else:
            offset = len(self.sent)
            future.set_result(RecordMetadata(topic, partition, TopicPartition(topic, partition), offset, 0, 0, 0))
        return future


def plan(*values: bytes) -> list[Replay]:
    return [RULES.plan(replace(LETTER, offset=int(value), value=value), 0) for value in values]


async def test_key_value_headers_and_event_time_are_sent_as_they_were() -> None:
    producer = FakeProducer()

    stored, fault = await send_all(producer, [RULES.plan(LETTER, 0)])

    assert producer.sent == [(TOPIC, b"v", b"k", 5, 1_000, [("tenant", b"7"), (headers.REPLAYS, b"1")])]
    assert (stored, fault) == ([Source(TOPIC, 5, 1)], None)


async def test_what_is_skipped_is_not_sent() -> None:
    producer = FakeProducer()

    stored, fault = await send_all(producer, [RULES.plan(replace(LETTER, replays=9), 0), *plan(b"2")])

    assert [sent[1] for sent in producer.sent] == [b"2"]
    assert (stored, fault) == ([None, Source(TOPIC, 5, 1)], None)


@pytest.mark.parametrize("producer", [FakeProducer(refuse_to_queue=b"2"), FakeProducer(refuse_to_store=b"2")])
async def test_a_fault_names_its_letter_and_the_others_are_told(producer: FakeProducer) -> None:
    stored, fault = await send_all(producer, plan(b"1", b"2", b"3"))

    assert [where is not None for where in stored] == [True, False, True]
    assert fault is not None
    assert f"{TOPIC} did not take dead letter 3@2" in fault.detail
