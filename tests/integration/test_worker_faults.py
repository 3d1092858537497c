"""Faults of records, of the model and of the broker, each kept where it belongs."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas import KafkaConnection, Topics, codec, headers
from schemas.provision import create_topics
from schemas.sentiment import SentimentRequest
from tests.integration.caller import Caller, Sending, header, ids_of
from tests.integration.fuzz import fuzzed
from tests.integration.kafka import KafkaBroker
from tests.integration.load import Load, first_seen, sent_ids
from tests.integration.polling import eventually
from tests.integration.workers import NewWorker, WorkerProcess

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

POISONED_WORKER = "tests.integration.poisoned_worker"


def _numbered(caller: Caller, count: int, poisoned: int = -1) -> list[Sending]:
    texts = [f"Record {number} holds {'poison' if number == poisoned else 'nothing'}." for number in range(count)]
    return [
        Sending(
            caller.topics.sentiment_requests,
            codec.encode(SentimentRequest(id=str(number), text=text)),
            str(number).encode(),
            partition=0,
        )
        for number, text in enumerate(texts)
    ]


async def test_a_poison_record_takes_none_of_its_batch_along(caller: Caller, new_worker: NewWorker) -> None:
    await caller.send(_numbered(caller, 64, poisoned=40))
    worker = new_worker("worker", POISONED_WORKER, "poison", max_batch_tokens=16_384, engine_threads=1)

    worker.start()
    await caller.settled()

    outputs = await caller.outputs()
    results = [each for each in outputs if each.topic == caller.topics.sentiment_results]
    (letter,) = [each for each in outputs if each.topic == caller.topics.dead_letters]
    assert sorted(map(int, filter(None, ids_of(results)))) == [number for number in range(64) if number != 40]
    assert (header(letter, headers.ID), header(letter, headers.ERROR_CODE)) == ("40", "internal_error")
    sizes = [int(size) for size in re.findall(r"poisoned batch of (\d+)", worker.log)]
    assert sizes[0] > 16, "the poison had no mates in its batch"
    assert sizes[-1] == 1


async def test_a_model_that_fails_on_everything_ends_the_worker(caller: Caller, new_worker: NewWorker) -> None:
    await caller.send(_numbered(caller, 8))
    worker = new_worker("worker", POISONED_WORKER)

    worker.start()

    assert await worker.ended() == 1
    assert "engine_failed: the model fails on every input" in worker.log
    assert await caller.outputs() == []
    assert await caller.unfinished() == 8


async def test_fuzzed_records_have_one_outcome_each_and_stop_nothing(caller: Caller, new_worker: NewWorker) -> None:
    sent = fuzzed(caller.topics, 2_000)
    worker = new_worker("worker")
    worker.start()
    await worker.ready()
    pid = worker.pid

    sources = await caller.send([each.sending for each in sent])
    await caller.settled()

    outputs = await caller.outputs()
    outcomes = {header(each, headers.SOURCE): header(each, headers.ERROR_CODE) for each in outputs}
    wrong = [
        (each.sending.value and each.sending.value[:80], outcomes.get(source))
        for source, each in zip(sources, sent, strict=True)
        if outcomes.get(source, "none") not in each.expected
    ]
    assert wrong == []
    assert len(outputs) == len(outcomes) == 2_000
    assert (worker.exit_status, worker.pid) == (None, pid)


@asynccontextmanager
async def _supervised(worker: WorkerProcess) -> AsyncIterator[list[int]]:
    """Start the worker, and again whenever it ends; yields the exit statuses."""
    statuses: list[int] = []

    async def restart() -> bool:
        if worker.exit_status is not None:
            statuses.append(worker.exit_status)
            worker.start()
        return False

    worker.start()
    watch = asyncio.create_task(eventually(restart, "never", within_s=3_600))
    try:
        yield statuses
    finally:
        watch.cancel()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_broker_that_restarts_under_load_loses_nothing(
    broker: KafkaBroker, caller: Caller, new_worker: NewWorker, end: str
) -> None:
    worker = new_worker("worker")

    async with _supervised(worker) as statuses:
        async with Load(caller) as load:
            await worker.ready()
            await _done(caller, load, 100)
            await asyncio.to_thread(getattr(broker, end))
            await asyncio.to_thread(broker.start)
            await _done(caller, load, 100)
        await caller.settled()

    outputs = await caller.outputs()
    assert set(ids_of(outputs)) == set(sent_ids(load.sent))
    assert all(ids == sorted(ids) for ids in first_seen(outputs).values())
    assert 0 not in statuses, "a worker that gives up must not look as if it had been told to"


async def _done(caller: Caller, load: Load, count: int) -> None:
    """Wait until so many records more were sent, which they only are as others are committed."""
    before = len(load.sent)

    async def has_moved() -> bool:
        return len(load.sent) >= before + count

    await eventually(has_moved, f"{count} more records are committed", within_s=90)


async def test_an_event_time_that_outputs_refuse_stops_nothing(connection: KafkaConnection, tmp_path: Path) -> None:
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")
    any_time = {"message.timestamp.after.max.ms": str(2**63 - 1)}
    await _create(connection, NewTopic(topics.sentiment_requests, topics.partitions, 1, topic_configs=any_time))
    await create_topics(connection, topics)
    tomorrow_ms = round(1_000 * (time.time() + 86_400))
    worker = WorkerProcess(connection, topics, tmp_path / "worker.log")
    try:
        async with Caller(connection, topics) as caller:
            values = (b'{"id": "good", "text": "Fine."}', b"no JSON")
            await caller.send([Sending(topics.sentiment_requests, v, b"k", (), tomorrow_ms) for v in values])
            worker.start()
            await caller.settled()
            outputs = {each.topic: each for each in await caller.outputs()}
    finally:
        worker.kill()

    assert set(outputs) == {topics.sentiment_results, topics.dead_letters}
    for output in outputs.values():
        assert header(output, headers.EVENT_TIME) == str(tomorrow_ms)
        assert output.timestamp < tomorrow_ms - 3_600_000


async def _create(connection: KafkaConnection, topic: NewTopic) -> None:
    admin = AIOKafkaAdminClient(**connection.client_options())
    await admin.start()
    try:
        await admin.create_topics([topic])

        async def is_listed() -> bool:
            return topic.name in await admin.list_topics()

        await eventually(is_listed, f"{topic.name} is listed")
    finally:
        await admin.close()
