"""A real broker for the tests: a container where a Docker-compatible engine answers, else the one of `make run`."""

import logging
import time
from pathlib import Path
from typing import Protocol

import docker
from docker.errors import DockerException
from testcontainers.community.kafka import KafkaContainer

from local.broker import HOST, Broker
from local.jars import fetch, missing_jars, read_lock
from local.ports import broker_answers, free_port
from local.settings import Settings

IMAGE = "apache/kafka:4.3.1"
_PORT_INSIDE = 9093
_START_S = 60.0


class KafkaBroker(Protocol):
    """What a test may do to a broker; what was written survives all of it."""

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; the same after a restart."""

    def start(self) -> None:
        """Start it and wait until it takes records."""

    def stop(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """End it as a power failure would."""

    def restart(self) -> None:
        """Stop and start it."""


def local_broker(directory: Path, port: int = 0) -> Broker:
    """Return the broker that `make run` starts, not yet started."""
    return Broker(directory, broker_jars(), port)


def broker_jars() -> Path:
    """Return the directory of the broker's jars, downloading those that are missing."""
    cache = Settings().jars
    missing = missing_jars(cache, read_lock())
    if missing:
        logging.getLogger(__name__).warning("downloading %d of the broker's jars", len(missing))
        fetch(cache, missing, lambda _: None)
    return cache


def engine_answers() -> bool:
    """Whether a Docker-compatible engine is there to run containers."""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


class _Image(KafkaContainer):
    """testcontainers' Kafka, made for Confluent's image, taught to start Apache's."""

    def __init__(self, image: str) -> None:
        super().__init__(image)
        # with_kraft() compares the tag with Confluent's versions and refuses it.
        self.kraft_enabled = True

    def tc_start(self) -> None:
        """Write the script that the container waits for."""
        listeners = f"{self.listener_name}://{HOST}:{self.get_exposed_port(self.port)},BROKER://$(hostname -i):9092"
        script = f"export KAFKA_ADVERTISED_LISTENERS={listeners}\nexec /etc/kafka/docker/run\n"
        self.create_file(script.encode(), self.TC_START_SCRIPT)


class ContainerBroker:
    """The public image as a container, on a port of its own that restarts keep."""

    def __init__(self) -> None:
        self._port = free_port(HOST)
        self._container = (
            _Image(IMAGE)
            .with_bind_ports(_PORT_INSIDE, self._port)
            .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
            .with_env("KAFKA_MESSAGE_MAX_BYTES", str(17 * 2**20))
            .with_env("KAFKA_REPLICA_FETCH_MAX_BYTES", str(17 * 2**20))
            .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
            .with_env("KAFKA_BROKER_SESSION_TIMEOUT_MS", "5000")
        )
        self._was_started = False

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; the same after a restart."""
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Start the container and wait until its broker takes records."""
        if self._was_started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._was_started = True
        deadline = time.monotonic() + _START_S
        while not broker_answers(HOST, self._port):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{IMAGE} was not ready within {_START_S:.0f} s")

    def stop(self) -> None:
        """End the broker in order and keep its storage."""
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        """End the broker as a power failure would."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Remove the container and its storage."""
        self._container.stop()
