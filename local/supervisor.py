"""Keeps the processes of a local run: starts, shows, restarts and stops them, in order.

Written here rather than taken from honcho, whose Manager signals all its processes at once, ends everything when one
ends, and kills after a fixed five seconds: a worker that drains needs the broker to outlive it.
"""

import math
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from local import process
from local.console import Console
from local.errors import ProcessDied

_ANSWER_S = 2.0
_WINDOW_S = 600.0
"""Restarts older than this are forgiven."""
_LOOK_S = 0.1
Check = Callable[[], None]
"""Raises a `LocalError` when what everything stands on is gone."""
_PAUSE_S = 1.0
"""Before a restart: a process that dies at once must not take a whole core in dying."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process to keep: `ready_url` answers 200 when it may be used, `stop_s` is its time to finish its work."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready_url: str
    restarts: int = 5
    stop_s: float = 30.0


class Supervised:
    """One service over all its processes."""

    def __init__(self, service: Service, console: Console) -> None:
        self.service = service
        self.is_ready = False
        self._console = console
        self._deaths: deque[float] = deque()
        self._start_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._printing: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while nothing runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start a process; its output is printed line by line under the service's name."""
        running = process.start(
            self.service.command, output=subprocess.PIPE, environment=dict(self.service.environment)
        )
        assert running.stdout is not None, "This is a bug: the output was asked for"
        self._process, self._start_at = running, None
        self._printing = threading.Thread(target=self._print, args=(running.stdout,), daemon=True)
        self._printing.start()

    def keep(self) -> None:
        """Look after the process: notice that it is ready, or start it again when it died.

        Raises `ProcessDied` when it died before it was ever ready, or too often.
        """
        if self._start_at is not None:
            if time.monotonic() >= self._start_at:
                self.start()
        elif self._process is not None and self._process.poll() is not None:
            self._bury(self._process)
        elif not self.is_ready:
            self.is_ready = self._answers()

    def terminate(self) -> None:
        """Ask the process to end; nothing where none runs."""
        self._start_at = None
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def finish(self, at_most_s: float) -> None:
        """Wait until the process that was asked has ended; kill it when that takes longer than `stop_s` allows."""
        if self._process is None:
            return
        status = process.stop(self._process, within_s=min(self.service.stop_s, at_most_s))
        self._join_printing()
        # Some servers finish their work and then end by the signal itself.
        how = "stopped" if status in (0, -signal.SIGTERM) else f"ended with {_describe(status)}"
        self._console.say(f"{self.service.name} {how}")
        self._process = None

    def _bury(self, dead: "subprocess.Popen[bytes]") -> None:
        process.kill(dead)
        self._join_printing()
        self._process, was_ready, self.is_ready = None, self.is_ready, False
        how = f"{self.service.name} died ({_describe(dead.returncode)})"
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - _WINDOW_S:
            self._deaths.popleft()
        if not was_ready and len(self._deaths) == 1:
            raise ProcessDied(f"{how} before it was ready; what it said stands above.")
        if len(self._deaths) > self.service.restarts:
            raise ProcessDied(f"{how}, {len(self._deaths)} times within ten minutes; what it said stands above.")
        self._console.say(f"{how}; it starts again ({len(self._deaths)} of {self.service.restarts} restarts)")
        self._start_at = now + _PAUSE_S

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.service.ready_url, timeout=_ANSWER_S) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _print(self, output: IO[bytes]) -> None:
        for line in output:
            self._console.line(self.service.name, line.decode(errors="replace").rstrip())

    def _join_printing(self) -> None:
        if self._printing is not None:
            # Its last words, which say why it died. Bounded, because a grandchild may hold the pipe open.
            self._printing.join(timeout=_ANSWER_S)


def start_all(services: Sequence[Supervised], ready_s: float, check: Check) -> None:
    """Start all and wait until all are ready; raises `ProcessDied` when one dies or takes longer than `ready_s`."""
    for service in services:
        service.start()
    deadline = time.monotonic() + ready_s
    while waiting := [service.service.name for service in services if not service.is_ready]:
        if time.monotonic() > deadline:
            raise ProcessDied(f"{', '.join(waiting)} not ready within {ready_s:.0f} s")
        keep_all(services, check)


def keep_all(services: Sequence[Supervised], check: Check) -> None:
    """Look after all services once, then rest a moment; `check` raises when there is no sense in going on."""
    check()
    for service in services:
        service.keep()
    time.sleep(_LOOK_S)


def stop_all(services: Sequence[Supervised], at_most_s: float = math.inf) -> None:
    """End all at the same time, each within its own bound and `at_most_s`."""
    with ExitStack() as stack:
        for service in services:
            service.terminate()
            # On a stack, so that a second Ctrl-C, which ends one wait, does not spare the others.
            stack.callback(service.finish, at_most_s)


def _describe(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
