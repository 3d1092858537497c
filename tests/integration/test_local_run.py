"""The broker of `make run`: it keeps its records, says what is wrong, and leaves nothing behind."""

import socket
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.broker import Broker
from local.errors import PortTaken, ProcessDied
from schemas import KafkaConnection, Topics
from schemas.provision import create_topics, missing_topics
from tests.integration.kafka import KafkaBroker, local_broker

pytestmark = pytest.mark.anyio


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
