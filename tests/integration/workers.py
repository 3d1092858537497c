"""Real worker processes, started, watched, asked to end and killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import httpx
from prometheus_client.parser import text_string_to_metric_families

from local import process
from local.ports import free_port
from schemas import KafkaConnection, Topics
from tests.integration.polling import eventually

SESSION_TIMEOUT_S = 6
"""The shortest that Kafka allows: a killed worker's partitions move after it."""

_TAIL_CHARS = 4_000
_OURS = ("NLP_", "KAFKA_")


def worker_environment(connection: KafkaConnection, topics: Topics, **settings: object) -> dict[str, str]:
    """Return what a worker is told: nothing of ours from outside, and `settings` as `NLP_WORKER_*`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    worker = {"group": f"{topics.prefix}workers", "session_timeout_s": SESSION_TIMEOUT_S, "engine_threads": 2}
    return {
        **clean,
        **_connection_environment(connection),
        "NLP_TOPIC_PREFIX": topics.prefix,
        **{f"NLP_WORKER_{name.upper()}": str(value) for name, value in (worker | settings).items()},
    }


def _connection_environment(connection: KafkaConnection) -> dict[str, str]:
    told = connection.model_dump(exclude_defaults=True) | {"sasl_password": connection.sasl_password.get_secret_value()}
    return {f"KAFKA_{name.upper()}": str(value) for name, value in told.items()}


class WorkerProcess:
    """One `python -m worker`, its log in a file and its health on a port of its own."""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Topics,
        log: Path,
        *command: str,
        environment: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        self._log = log
        self._url = f"http://127.0.0.1:{settings.setdefault('http_port', free_port())}"
        self._command = [sys.executable, "-m", *(command or ("worker",))]
        self._environment = {**worker_environment(connection, topics, **settings), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that its processes wrote so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def has_started(self) -> bool:
        """Whether there was ever a process."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The id of the present process."""
        return self._running.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status of the present process, None while it runs."""
        return self._running.poll()

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the worker was never started"
        return self._process

    def start(self) -> None:
        """Start it, without waiting; its log goes on where the last one's ended."""
        with self._log.open("ab") as output:
            self._process = process.start(self._command, output=output, environment=self._environment)

    async def ready(self, within_s: float = 60.0) -> None:
        """Wait until it says that it is ready."""

        async def is_ready() -> bool:
            health = await self.health()
            if health is None or health.status_code != 200:
                assert self.exit_status is None, f"the worker ended with {self.exit_status}:\n{self._tail()}"
                return False
            return True

        try:
            await eventually(is_ready, "the worker is ready", within_s)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self._tail()}") from late

    async def produces(self, count: int) -> None:
        """Wait until it has produced so many records more."""
        before = await self.metric("nlp_records_produced_total")

        async def has_produced() -> bool:
            assert self.exit_status is None, f"the worker ended with {self.exit_status}:\n{self._tail()}"
            return await self.metric("nlp_records_produced_total") >= before + count

        await eventually(has_produced, f"the worker produces {count} records")

    async def health(self) -> httpx.Response | None:
        """Return what `/health/ready` says, None while nothing answers."""
        return await self._get("/health/ready")

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels; 0 while nothing answers."""
        answer = await self._get("/metrics")
        return 0.0 if answer is None else sum(_samples(answer.text, name, labels))

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        self._running.send_signal(signal.SIGTERM)

    async def ended(self, within_s: float = 60.0) -> int:
        """Wait for its end and return the exit status."""
        try:
            return await asyncio.to_thread(self._running.wait, within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end within {within_s:.0f} s\n{self._tail()}") from None

    def kill(self) -> None:
        """End it as a power failure would; nothing when it has ended or was never started."""
        if self._process is not None:
            process.kill(self._process)

    async def _get(self, path: str) -> httpx.Response | None:
        async with httpx.AsyncClient(base_url=self._url, timeout=5.0) as client:
            try:
                return await client.get(path)
            except httpx.TransportError:
                return None

    def _tail(self) -> str:
        return self.log[-_TAIL_CHARS:]


NewWorker: TypeAlias = Callable[..., WorkerProcess]
"""Takes a name for the log, the command when it is another than `worker`, more of an environment, and settings."""


def _samples(text: str, name: str, labels: dict[str, str]) -> list[float]:
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
