"""The processes that are measured: a broker, a worker, a gateway, a naive consumer; all end with the context."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.naive import READY
from local import process
from local.broker import HOST, Broker
from local.jars import fetch, missing_jars, read_lock
from local.ports import free_port
from local.settings import Settings
from schemas import KafkaConnection, Topics

START_S = 60.0
STOP_S = 20.0
POLL_S = 0.01


class NotReady(RuntimeError):
    """A process ended or was not ready in time; holds the end of what it printed."""


@contextmanager
def running_broker(directory: Path) -> Iterator[KafkaConnection]:
    """Run a broker of its own; its jars are downloaded where they are missing."""
    cache = Settings().jars
    if missing := missing_jars(cache, read_lock()):
        print(f"downloading {len(missing)} of the broker's jars")
        fetch(cache, missing, lambda _: None)
    broker = Broker(directory / "kafka", cache)
    broker.start()
    try:
        yield KafkaConnection(bootstrap_servers=broker.bootstrap_servers)
    finally:
        broker.stop()


@contextmanager
def running_worker(
    directory: Path, connection: KafkaConnection, bundle: Path, threads: int
) -> Iterator[tuple[int, float]]:
    """Run a worker; yields its process id and the seconds from its start until it was ready."""
    port = free_port()
    settings = {
        "NLP_WORKER_HTTP_PORT": str(port),
        "NLP_WORKER_BUNDLE": str(bundle.resolve()),
        "NLP_WORKER_ENGINE_THREADS": str(threads),
        "NLP_WORKER_LOG_LEVEL": "WARNING",
    }
    begun = time.monotonic()
    with _running([sys.executable, "-m", "worker"], directory / "worker.log", connection, settings) as worker:
        _wait(worker, directory / "worker.log", lambda: _is_ready(port))
        yield worker.pid, time.monotonic() - begun


@contextmanager
def running_gateway(directory: Path, connection: KafkaConnection) -> Iterator[int]:
    """Run a gateway; yields its port once it is ready."""
    port = free_port()
    settings = {"NLP_GATEWAY_PORT": str(port), "NLP_GATEWAY_LOG_LEVEL": "warning"}
    with _running([sys.executable, "-m", "gateway"], directory / "gateway.log", connection, settings) as gateway:
        _wait(gateway, directory / "gateway.log", lambda: _is_ready(port))
        yield port


@contextmanager
def running_naive(
    directory: Path, connection: KafkaConnection, bundle: Path, threads: int, topics: Topics
) -> Iterator[int]:
    """Run the naive consumer; yields its process id once it reads."""
    command = [sys.executable, "-m", "benchmarks.naive", connection.bootstrap_servers, str(bundle), str(threads)]
    log = directory / "naive.log"
    with _running([*command, topics.documents, topics.enriched], log, connection, {}) as naive:
        _wait(naive, log, lambda: READY in log.read_text())
        yield naive.pid


@contextmanager
def _running(
    command: list[str], log: Path, connection: KafkaConnection, settings: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, **settings, "KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers}
    with log.open("wb") as output:
        started = process.start(command, output=output, environment=environment)
    try:
        yield started
    finally:
        process.stop(started, within_s=STOP_S)


def _wait(started: "subprocess.Popen[bytes]", log: Path, is_ready: Callable[[], bool]) -> None:
    """Wait until it is ready; raises `NotReady`."""
    begun = time.monotonic()
    while not is_ready():
        waited_s = time.monotonic() - begun
        if started.poll() is not None or waited_s > START_S:
            raise NotReady(f"{log.stem} was not ready after {waited_s:.1f} s:\n{log.read_text()[-2_000:]}")
        time.sleep(POLL_S)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
