"""A worker says what it lacks: it waits for what may come, and ends with status 1 and one clear reason for the rest."""

import shutil
import socket
import uuid
from pathlib import Path

import pytest

from local.ports import free_port
from schemas import KafkaConnection, Topics
from schemas.manifest import MANIFEST_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE
from schemas.provision import create_topics
from tests.integration.caller import Caller, ids_of
from tests.integration.kafka import KafkaBroker
from tests.integration.load import requests, sent_ids
from tests.integration.polling import eventually
from tests.integration.workers import NewWorker, WorkerProcess

pytestmark = pytest.mark.anyio

BUNDLE = Path("models/minilm")


async def _ends_saying(worker: WorkerProcess, reason: str) -> None:
    worker.start()
    assert await worker.ended() == 1
    assert reason in worker.log.splitlines()[-1]
    assert "Traceback" not in worker.log


async def test_a_worker_waits_for_its_topics(connection: KafkaConnection, tmp_path: Path) -> None:
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")
    worker = WorkerProcess(connection, topics, tmp_path / "worker.log")
    try:
        worker.start()
        await eventually(lambda: _has_problem(worker, "missing topics"), "the worker says what it waits for")
        assert f"waiting: missing topics: {topics.sentiment_requests}" in worker.log

        await create_topics(connection, topics)
        await worker.ready()
        async with Caller(connection, topics) as caller:
            sent = requests(topics, 0, 8)
            await caller.send(sent)
            await caller.settled()
            assert sorted(ids_of(await caller.outputs()), key=str) == sorted(sent_ids(sent))
    finally:
        worker.kill()


async def _has_problem(worker: WorkerProcess, problem: str) -> bool:
    health = await worker.health()
    return health is not None and health.status_code == 503 and problem in health.text


async def test_a_worker_gives_up_waiting_for_its_topics(connection: KafkaConnection, tmp_path: Path) -> None:
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")
    worker = WorkerProcess(connection, topics, tmp_path / "worker.log", topics_wait_s=2)

    await _ends_saying(worker, f"broker_unavailable: missing topics: {topics.sentiment_requests}")


async def test_a_worker_told_to_stop_while_it_waits_ends_well(connection: KafkaConnection, tmp_path: Path) -> None:
    worker = WorkerProcess(connection, Topics(prefix="nowhere."), tmp_path / "worker.log")
    worker.start()
    await eventually(lambda: _has_problem(worker, "missing topics"), "the worker waits")

    worker.terminate()

    assert await worker.ended() == 0


async def test_a_worker_without_a_broker_gives_up(tmp_path: Path) -> None:
    nobody = KafkaConnection(bootstrap_servers=f"127.0.0.1:{free_port()}")
    worker = WorkerProcess(nobody, Topics(), tmp_path / "worker.log", topics_wait_s=2)

    await _ends_saying(worker, f"broker_unavailable: no broker at {nobody.bootstrap_servers}")


async def test_a_bundle_of_another_digest_is_refused(new_worker: NewWorker, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for name in (MANIFEST_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE):
        shutil.copy(BUNDLE / name, bundle)
    with (bundle / QUANTIZED_MODEL_FILE).open("r+b") as model:
        model.seek(1_000_000)
        model.write(b"changed")

    await _ends_saying(new_worker("worker", bundle=bundle), f"{QUANTIZED_MODEL_FILE}: its sha256 is ")


async def test_a_missing_bundle_is_refused(new_worker: NewWorker, tmp_path: Path) -> None:
    worker = new_worker("worker", bundle=tmp_path / "nothing")

    await _ends_saying(worker, f"invalid_bundle: {tmp_path}/nothing: no readable {MANIFEST_FILE}")


async def test_a_taken_port_is_named(new_worker: NewWorker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        await _ends_saying(new_worker("worker", http_port=port), f"port_unavailable: cannot listen on 127.0.0.1:{port}")


async def test_a_worker_whose_broker_is_gone_for_good_gives_up(private_broker: KafkaBroker, tmp_path: Path) -> None:
    connection = KafkaConnection(bootstrap_servers=private_broker.bootstrap_servers)
    topics = Topics(prefix="t.")
    await create_topics(connection, topics)
    worker = WorkerProcess(connection, topics, tmp_path / "worker.log", stall_s=8, drain_s=2)
    try:
        worker.start()
        await worker.ready()

        private_broker.kill()

        assert await worker.ended(within_s=90) == 1
        assert "stopping: no broker answers for" in worker.log
    finally:
        worker.kill()
