"""A real Apache Kafka broker on this machine, for `make run` and for the tests: one node, KRaft, no Docker.

    directory/
      server.properties     written anew at each start
      data/                 the records; formatted once
      broker.log            the broker's own log
      broker.out            what the Java runtime prints, should it fail

Every method leaves either a broker that takes records or none.
"""

import base64
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import process
from local.broker_settings import server_properties
from local.errors import DiskFull, LocalError, PortTaken, ProcessDied
from local.java import find_java
from local.ports import broker_answers, check_free, free_port

HOST = "127.0.0.1"
_LOG4J = Path(__file__).with_name("log4j2.xml")
_START_S = 90.0
"""Two seconds are usual; a machine that builds at the same time may take much longer."""
_STOP_S = 20.0
_POLL_S = 0.05
_FREE_BYTES = 512 * 2**20
"""Below this the broker would soon stop by itself, in the middle of the work."""
_TAIL_LINES = 12
# Small heap and first compiler only: it starts in half the time and holds a third of the memory.
_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")


class Broker:
    """One broker and its storage; what was written is there after `restart`, `kill` and a new `Broker`.

    `port` 0 takes a free one, and keeps it over restarts. `jars` are the broker's. Methods block; none may be called
    from two threads at once. `properties` are laid over those of `local.broker_settings`; `format_options` are given to
    Kafka's `storage format`, users among them.
    """

    def __init__(
        self,
        directory: Path,
        jars: Path,
        port: int = 0,
        properties: Mapping[str, object] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "broker.log"
        self.port = port or free_port(HOST)
        self._jars = jars
        self._properties = properties or {}
        self._format_options = tuple(format_options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self.port}"

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raise `PortTaken` or `DiskFull` where it makes no sense to start; changes nothing."""
        check_free(HOST, self.port, "the Kafka broker", "Stop what listens there, or set NLP_LOCAL_BROKER_PORT.")
        there = next(path for path in (self.directory, *self.directory.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free < _FREE_BYTES:
            raise DiskFull(
                f"{there} has {free / 2**20:.0f} MB of free disk, the broker needs {_FREE_BYTES / 2**20:.0f} "
                "to begin with. Free some, or put NLP_LOCAL_DATA on another disk."
            )

    def start(self) -> None:
        """Start the broker, on fresh storage the first time, and wait until it takes records.

        Raises `PortTaken`, `DiskFull`, `JavaMissing`, or `ProcessDied` with the last lines of its log. After any of
        them nothing runs.
        """
        self.check()
        self.directory.mkdir(parents=True, exist_ok=True)
        # The controller speaks to this broker alone, so any free port does and none can be in the way next time.
        properties = server_properties(self.directory, HOST, self.port, free_port(HOST), self._properties)
        (self.directory / "server.properties").write_text(properties)
        self.log.unlink(missing_ok=True)
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()
        # Ended in order where we are killed: it then starts faster, with nothing to recover.
        self._process = self._java("kafka.Kafka", on_death=signal.SIGTERM)
        try:
            self._wait_until_ready()
        except BaseException:  # Ctrl-C too: whatever breaks a start off, nothing may be left running
            self.kill()
            raise

    def stop(self) -> None:
        """End the broker in order, by force after 20 seconds; nothing when it has ended."""
        if self._process is not None:
            process.stop(self._process, within_s=_STOP_S)
            self._process = None

    def kill(self) -> None:
        """End the broker as a power failure would."""
        if self._process is not None:
            process.kill(self._process)
            self._process = None

    def restart(self) -> None:
        """Stop and start on the same port and storage."""
        self.stop()
        self.start()

    def why_it_died(self) -> LocalError:
        """Return the reason that its log gives for its end, with the log's last lines."""
        text = "\n".join(
            path.read_text(errors="replace") for path in (self.directory / "broker.out", self.log) if path.exists()
        )
        # Stack frames would push out the lines that say what happened.
        lines = [line for line in text.splitlines() if not line.startswith(("\tat ", "    at "))]
        tail = "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])
        if "Address already in use" in text:
            return PortTaken(f"the Kafka broker found its port taken:\n{tail}")
        if "No space left on device" in text:
            return DiskFull(f"the Kafka broker ran out of disk space in {self.directory}:\n{tail}")
        return ProcessDied(f"the Kafka broker died; the end of {self.log}:\n{tail}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while not broker_answers(HOST, self.port):
            if not self.is_alive:
                raise self.why_it_died()
            if time.monotonic() > deadline:
                raise ProcessDied(f"the Kafka broker was not ready within {_START_S:.0f} s; see {self.log}")
            time.sleep(_POLL_S)

    def _format(self) -> None:
        # A format that was broken off leaves a directory that the next one refuses.
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        arguments = ("format", "--config", str(self.directory / "server.properties"), "--cluster-id", new_cluster_id())
        formatting = self._java("kafka.tools.StorageTool", *arguments, "--standalone", *self._format_options)
        is_done = False
        try:
            is_done = formatting.wait(_START_S) == 0
        finally:
            process.kill(formatting)
            if not is_done:
                shutil.rmtree(self.directory / "data", ignore_errors=True)
        if not is_done:
            raise self.why_it_died()

    def _java(
        self, main_class: str, *arguments: str, on_death: signal.Signals = signal.SIGKILL
    ) -> "subprocess.Popen[bytes]":
        options = (*_JVM, f"-Dnlp.log={self.log}", f"-Dlog4j2.configurationFile={_LOG4J}")
        if not arguments:
            arguments = (str(self.directory / "server.properties"),)
        java: list[str | Path] = [find_java().executable, *options, "-cp", f"{self._jars}{os.sep}*", main_class]
        with (self.directory / "broker.out").open("wb") as output:
            return process.start([*java, *arguments], output=output, on_death=on_death)


def new_cluster_id() -> str:
    """Return the 22 characters of a cluster's id; none begins with "-", which Kafka's tool takes for an option."""
    while (name := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return name
