"""`make run` and its broker: records are kept, what is wrong is said, and nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.broker import Broker
from local.errors import PortTaken, ProcessDied
from local.ports import free_port
from schemas import KafkaConnection, Topics
from schemas.provision import create_topics, missing_topics
from tests.integration.kafka import KafkaBroker, local_broker

pytestmark = pytest.mark.anyio


_READY_S = 120.0


class Run:
    """`python -m local.run` with ports and storage of its own, and what it has printed so far."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.gateway = f"http://127.0.0.1:{(port := free_port())}"
        self.data = directory / "kafka"
        own = {
            "NLP_GATEWAY_PORT": str(port),
            "NLP_LOCAL_BROKER_PORT": str(free_port()),
            "NLP_LOCAL_DATA": str(self.data),
            "NLP_WORKER_HTTP_PORT": str(free_port()),
        }
        self._log = directory / "run.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.run"], env={**os.environ, **own, **environment}, stdout=log, stderr=log
            )

    @property
    def printed(self) -> str:
        """Everything it printed, logs of its processes included."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        """Return once it says that all is ready."""
        deadline = time.monotonic() + _READY_S
        while "Ready after" not in self.printed:
            assert self.process.poll() is None and time.monotonic() < deadline, self.printed

    def broker_pids(self) -> list[int]:
        """Return the processes that use its storage."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if str(self.data) in _read(path)]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        # The process has ended since it was listed.
        return ""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    local_broker(tmp_path)  # has the jars downloaded, which is not what is tested
    run = Run(tmp_path)
    yield run
    run.process.kill()
    run.process.wait()


@pytest.fixture
def own_broker(tmp_path: Path) -> Broker:
    return local_broker(tmp_path / "kafka")


async def _write(connection: KafkaConnection, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(**connection.client_options(), acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def _read_first(connection: KafkaConnection, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(topic, **connection.client_options(), auto_offset_reset="earliest") as consumer:
        value: bytes | None = (await consumer.getone()).value
    return value


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_records_survive_the_end_of_the_broker(private_broker: KafkaBroker, end: str) -> None:
    connection = KafkaConnection(bootstrap_servers=private_broker.bootstrap_servers)
    topics = Topics()
    await create_topics(connection, topics)
    await _write(connection, topics.documents, b"kept")

    getattr(private_broker, end)()
    private_broker.start()

    assert await _read_first(connection, topics.documents) == b"kept"


def test_a_taken_port_is_named_and_nothing_is_left(own_broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", own_broker.port)):
        with pytest.raises(PortTaken, match=f"port {own_broker.port} .*Kafka broker"):
            own_broker.start()

    assert not own_broker.is_alive
    assert not own_broker.directory.exists()


def test_a_killed_broker_explains_its_end_by_its_log(private_broker: Broker) -> None:
    private_broker.kill()

    why = private_broker.why_it_died()

    assert isinstance(why, ProcessDied)
    assert str(private_broker.log) in str(why)
    assert "Kafka Server started" in str(why)


def test_a_broker_that_cannot_start_shows_its_log(own_broker: Broker) -> None:
    own_broker.start()
    own_broker.stop()
    (own_broker.directory / "data" / "meta.properties").write_text("version=1\nnode.id=7\n")

    with pytest.raises(ProcessDied, match="the end of"):
        own_broker.start()

    assert not own_broker.is_alive


async def test_topics_are_created_once_with_their_sizes(connection: KafkaConnection) -> None:
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.", partitions=3, reply_partitions=2)
    names = [spec.name for spec in topics.specs()]

    before = await missing_topics(connection, topics)
    created = await create_topics(connection, topics)
    again = await create_topics(connection, topics)

    assert before == created == names
    assert again == []
    assert await missing_topics(connection, topics) == []


async def test_a_topic_with_other_partitions_is_left_and_warned_of(
    connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}."
    await create_topics(connection, Topics(prefix=prefix, partitions=2))

    created = await create_topics(connection, Topics(prefix=prefix, partitions=4))

    assert created == []
    assert f"{prefix}documents has 2 and not 4" in caplog.text


def test_a_run_answers_and_stops_in_order_leaving_nothing(run: Run) -> None:
    run.wait_until_ready()
    with urllib.request.urlopen(f"{run.gateway}/health/ready") as response:
        answered = response.status

    run.process.send_signal(signal.SIGINT)
    status = run.process.wait(timeout=_READY_S)

    said = [line.partition("| ")[2] for line in run.printed.splitlines() if line.startswith("local")]
    ends = said[said.index("stopping") :]
    assert (answered, status) == (200, 0)
    assert ends == ["stopping", "gateway stopped", "worker-1 stopped", "Kafka stopped"]
    assert run.broker_pids() == []


def test_a_broker_that_dies_ends_the_run_with_its_log(run: Run) -> None:
    run.wait_until_ready()
    (broker,) = run.broker_pids()

    os.kill(broker, signal.SIGKILL)
    status = run.process.wait(timeout=_READY_S)

    assert status == 1
    assert "the Kafka broker died; the end of" in run.printed
    assert run.broker_pids() == []


def test_a_run_on_a_given_cluster_starts_no_broker(broker: KafkaBroker, tmp_path: Path) -> None:
    run = Run(tmp_path, KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers, NLP_TOPIC_PREFIX=f"t{uuid.uuid4().hex[:8]}.")
    try:
        run.wait_until_ready()
        run.process.terminate()
        status = run.process.wait(timeout=_READY_S)
    finally:
        run.process.kill()

    assert status == 0
    assert f"on Kafka at {broker.bootstrap_servers}" in run.printed
    assert not run.data.exists()


def test_a_taken_gateway_port_ends_the_run_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = Run(tmp_path, NLP_GATEWAY_PORT=str(port))
        status = run.process.wait(timeout=_READY_S)

    assert status == 1
    assert f"port {port} on 127.0.0.1, which the gateway needs, is taken" in run.printed
    assert not run.data.exists()
