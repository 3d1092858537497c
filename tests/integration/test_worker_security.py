"""Credentials and certificates pass through, by the worker's consumer, its producer and every tool alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas import KafkaConnection, Topics
from schemas.provision import create_topics
from tests.integration.caller import Caller, ids_of
from tests.integration.load import requests, sent_ids
from tests.integration.secure import secure_broker
from tests.integration.workers import WorkerProcess

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaConnection]:
    with secure_broker(tmp_path_factory.mktemp("secure") / "broker") as connection:
        yield connection


async def test_a_worker_answers_over_tls_with_a_password(secure: KafkaConnection, tmp_path: Path) -> None:
    topics = Topics()
    await create_topics(secure, topics)
    worker = WorkerProcess(secure, topics, tmp_path / "worker.log")
    try:
        worker.start()
        async with Caller(secure, topics) as caller:
            sent = requests(topics, 0, 16)
            await caller.send(sent)
            await caller.settled()
            outputs = await caller.outputs()
    finally:
        worker.kill()

    assert sorted(ids_of(outputs), key=str) == sorted(sent_ids(sent))
    assert "correct horse" not in worker.log


@pytest.mark.parametrize(
    "wrong", [{"sasl_password": SecretStr("wrong horse")}, {"ssl_cafile": None}], ids=["password", "certificate"]
)
async def test_a_worker_that_is_not_let_in_says_so_and_ends(
    secure: KafkaConnection, tmp_path: Path, wrong: dict[str, object]
) -> None:
    worker = WorkerProcess(secure.model_copy(update=wrong), Topics(), tmp_path / "worker.log", topics_wait_s=1)
    worker.start()

    assert await worker.ended() == 1
    assert "broker_unavailable: no broker at" in worker.log.splitlines()[-1]
    assert "horse" not in worker.log
