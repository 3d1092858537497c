"""`python -m deadletters` on a real broker, with dead letters that a real worker wrote."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deadletters.__main__ import main
from schemas import KafkaConnection, Topics, headers
from tests.integration.caller import Caller, Received, Sending, header
from tests.integration.workers import NewWorker

pytestmark = pytest.mark.anyio

EVENT_MS = 1_700_000_000_000
BROKEN = b'{"text": '
OURS = (("tenant", b"7"), ("tenant", b"8"), ("empty", None), ("binary", b"\x00\xff"))

Command = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def command(
    connection: KafkaConnection,
    fresh_topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Command:
    """Runs the command on the fresh topics; returns the lines that it prints, the complaint where it fails."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
    monkeypatch.setenv("NLP_TOPIC_PREFIX", fresh_topics.prefix)
    monkeypatch.setenv("NLP_DEAD_LETTERS_MAX_REPLAYS", "2")

    async def run(*words: str, status: int = 0) -> list[str]:
        capsysbinary.readouterr()
        assert await asyncio.to_thread(main, list(words)) == status
        printed = capsysbinary.readouterr()
        return (printed.err if status else printed.out).decode().splitlines()

    return run


def broken(topics: Topics, *more: tuple[str, bytes | None]) -> Sending:
    """Return a record that is no JSON, with all that a replay has to keep."""
    return Sending(topics.documents, BROKEN, b"customer-7", (*OURS, *more), EVENT_MS, partition=3)


def expired(topics: Topics) -> Sending:
    """Return a good record whose caller has long gone, with where it waited."""
    waited = (("kafka_correlationId", b"1"), ("kafka_replyTopic", topics.replies.encode()))
    deadline = (headers.DEADLINE, headers.encode_deadline(EVENT_MS))
    return Sending(topics.ner_requests, b'{"id": "late", "text": "London."}', b"k", (*waited, deadline), EVENT_MS)


async def record_at(connection: KafkaConnection, topic: str, partition: int, offset: int) -> Received:
    where = TopicPartition(topic, partition)
    async with AIOKafkaConsumer(**connection.client_options()) as consumer:
        consumer.assign([where])
        consumer.seek(where, offset)
        return await consumer.getone()


async def test_letters_are_listed_shown_replayed_and_stopped_from_looping(
    connection: KafkaConnection, caller: Caller, new_worker: NewWorker, command: Command
) -> None:
    topics = caller.topics
    new_worker("worker").start()
    await caller.send([broken(topics), expired(topics)])
    await caller.settled()

    listed = await command("list")
    (found,) = [json.loads(line) for line in await command("list", "--code", "malformed_record", "--json")]
    position = found["position"]
    shown = await command("show", position)
    raw = await command("show", position, "--raw")
    planned = await command("replay", "--source", topics.documents)
    unsent = await caller.unfinished()
    replayed = await command("replay", "--source", topics.documents, "--execute")
    await caller.settled()
    again = await record_at(connection, topics.documents, 3, 1)
    second = [json.loads(line) for line in await command("list", "--source", topics.documents, "--json")]

    assert sorted(listed[-3:-1]) == ["       1  expired", "       1  malformed_record"]
    assert listed[-1] == "       2  dead letters"
    assert (found["topic"], found["partition"], found["offset"]) == (topics.documents, 3, 0)
    assert (found["time_ms"], found["replays"]) == (EVENT_MS, 0)
    assert {"  tenant: 7", "  tenant: 8", "  empty: (null)", "  nlp-error-code: malformed_record"} <= set(shown)
    assert raw == [BROKEN.decode()]
    assert unsent == 0, "a dry run sent something"
    assert planned[0].endswith(f"→ {topics.documents}[3], replay 1")
    assert replayed[0].endswith(f"→ {topics.documents}[3]@1, replay 1")
    assert replayed[-1] == "1 replayed, 0 skipped"
    assert (again.key, again.value, again.timestamp) == (b"customer-7", BROKEN, EVENT_MS)
    assert tuple(again.headers) == (*OURS, (headers.REPLAYS, b"1"))
    assert sorted(each["replays"] for each in second) == [0, 1], "the count did not travel through the worker"

    # The second time round is the last that is allowed.
    await command("replay", "--at", position, "--execute")
    letter = next(each["position"] for each in second if each["replays"] == 1)
    await command("replay", "--at", letter, "--execute")
    await caller.settled()
    last = [json.loads(line) for line in await command("list", "--source", topics.documents, "--json")]
    looping = next(each["position"] for each in last if each["replays"] == 2)
    stopped = await command("replay", "--at", looping, "--execute")

    assert "it was replayed 2 times already" in stopped[0]
    assert stopped[-1] == "0 replayed, 1 skipped"


async def test_what_expired_is_answered_when_nobody_waits_for_it(
    caller: Caller, new_worker: NewWorker, command: Command
) -> None:
    topics = caller.topics
    new_worker("worker").start()
    await caller.send([expired(topics)])
    await caller.settled()

    attended = await command("replay", "--code", "expired", "--execute")
    unattended = await command("replay", "--code", "expired", "--unattended", "--execute")
    await caller.settled()

    assert attended[-1] == "0 replayed, 1 skipped"
    assert unattended[-1] == "1 replayed, 0 skipped"
    (result,) = [each for each in await caller.outputs() if each.topic == topics.ner_results]
    assert (header(result, headers.ID), header(result, headers.REPLAYS)) == ("late", "1")
    assert (result.key, result.timestamp) == (b"k", EVENT_MS)


async def test_a_selection_is_bounded_by_its_limit_and_by_what_was_there(
    connection: KafkaConnection, caller: Caller, command: Command
) -> None:
    topics = caller.topics
    source = [
        (headers.CONNECT_TOPIC, topics.qa_requests.encode()),
        (headers.CONNECT_PARTITION, b"0"),
        (headers.CONNECT_OFFSET, b"5"),
        (headers.ERROR_CODE, b"internal_error"),
    ]
    letters = [Sending(topics.dead_letters, b"%d" % number, b"k", tuple(source), partition=1) for number in range(700)]
    await caller.send([*letters, Sending(topics.dead_letters, b"alien", b"k", partition=1)])

    rows = await command("list", "--limit", "5")
    limited = await command("replay", "--limit", "650", "--execute", "--json")
    ranged = await command("replay", "--at", "1@698-", "--execute")

    assert len([line for line in rows if line.startswith("1@")]) == 5
    assert "… and 696 more" in rows
    assert [json.loads(line)["position"] for line in limited] == [f"1@{number}" for number in range(650)]
    assert [json.loads(line)["sent_to"] for line in limited] == [f"{topics.qa_requests}[0]@{n}" for n in range(650)]
    assert ranged[-1] == "2 replayed, 1 skipped"
    assert "its headers do not tell where it came from" in ranged[2]
    assert (await record_at(connection, topics.qa_requests, 0, 651)).value == b"699"


async def test_a_letter_that_is_not_there_is_said_so(command: Command) -> None:
    assert await command("list") == ["       0  dead letters"]
    assert await command("show", "0@99", status=1) == ["dead letters: there is none at 0@99"]
