"""One real broker for all integration tests, and fresh topics on it for each."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from schemas import KafkaConnection, Topics
from schemas.provision import create_topics
from tests.integration.caller import Caller
from tests.integration.kafka import ContainerBroker, KafkaBroker, engine_answers, local_broker
from tests.integration.workers import NewWorker, WorkerProcess


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Run one broker with its own port and storage; a test that stops it starts it again."""
    if engine_answers():
        container = ContainerBroker()
        try:
            container.start()
            yield container
        finally:
            container.remove()
        return
    local = local_broker(tmp_path_factory.mktemp("kafka"))
    local.start()
    yield local
    local.stop()


@pytest.fixture
def private_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """Run a broker for one test alone, to be killed at will."""
    local = local_broker(tmp_path / "kafka")
    local.start()
    yield local
    local.stop()


@pytest.fixture
def connection(broker: KafkaBroker) -> KafkaConnection:
    """How to reach the shared broker."""
    return KafkaConnection(bootstrap_servers=broker.bootstrap_servers)


@pytest.fixture
def fresh_topics(connection: KafkaConnection) -> Topics:
    """All topics under a prefix that no other test has, just created."""
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")
    asyncio.run(create_topics(connection, topics))
    return topics


@pytest.fixture
def new_worker(connection: KafkaConnection, fresh_topics: Topics, tmp_path: Path) -> Iterator[NewWorker]:
    """Makes workers on the fresh topics, by name and settings, not started yet; all are killed in the end."""
    made: list[WorkerProcess] = []

    def make(
        name: str, *command: str, environment: Mapping[str, str] | None = None, **settings: object
    ) -> WorkerProcess:
        log = tmp_path / f"{name}.log"
        made.append(WorkerProcess(connection, fresh_topics, log, *command, environment=environment, **settings))
        return made[-1]

    yield make
    for worker in made:
        worker.kill()


@pytest.fixture
async def caller(connection: KafkaConnection, fresh_topics: Topics) -> AsyncIterator[Caller]:
    """A caller of the workers on the fresh topics."""
    async with Caller(connection, fresh_topics) as caller:
        yield caller
