"""Processes are kept alive, given up in time, and stopped in order."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.console import Console
from local.errors import ProcessDied
from local.ports import free_port
from local.supervisor import Service, Supervised, keep_all, start_all, stop_all

_SERVER = """
import http.server, os, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
def stop(*_):
    with open(sys.argv[2], "a") as log: log.write(sys.argv[3] + " stopped\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, stop if sys.argv[4] == "obedient" else signal.SIG_IGN)
print("hello from", sys.argv[3], flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
_DEADLINE_S = 30.0


def _service(
    tmp_path: Path, name: str, *, manner: str = "obedient", restarts: int = 5, stop_s: float = 20.0
) -> Service:
    port = free_port()
    command = (sys.executable, "-c", _SERVER, str(port), str(tmp_path / "log"), name, manner)
    return Service(name, command, os.environ, f"http://127.0.0.1:{port}/", restarts, stop_s)


def _failing(script: str, **options: int) -> Service:
    return Service("broken", (sys.executable, "-c", script), os.environ, f"http://127.0.0.1:{free_port()}/", **options)


def _keep_until(services: list[Supervised], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        keep_all(services, _nothing)


def _nothing() -> None:
    """All is well."""


def test_services_are_ready_and_their_output_has_their_names(tmp_path: Path) -> None:
    output = io.StringIO()
    services = [Supervised(_service(tmp_path, name), Console(output)) for name in ("first", "second")]

    start_all(services, _DEADLINE_S, _nothing)
    stop_all(services)

    assert all(service.is_ready for service in services)
    assert "first    | hello from first" in output.getvalue()
    assert "second   | hello from second" in output.getvalue()


def test_stages_stop_one_after_the_other(tmp_path: Path) -> None:
    gateway, worker = (Supervised(_service(tmp_path, name), Console(io.StringIO())) for name in ("gateway", "worker"))
    start_all([worker, gateway], _DEADLINE_S, _nothing)

    stop_all([gateway])
    stop_all([worker])

    assert (tmp_path / "log").read_text() == "gateway stopped\nworker stopped\n"


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    service = Supervised(_service(tmp_path, "worker"), Console(io.StringIO()))
    start_all([service], _DEADLINE_S, _nothing)
    killed = service.pid
    assert killed is not None

    os.kill(killed, signal.SIGKILL)
    _keep_until([service], lambda: service.is_ready and service.pid != killed)

    assert service.pid not in (killed, None)
    stop_all([service])


def test_a_process_that_dies_too_often_is_given_up(tmp_path: Path) -> None:
    service = Supervised(_service(tmp_path, "worker", restarts=1), Console(io.StringIO()))
    start_all([service], _DEADLINE_S, _nothing)

    def kill_once_ready() -> bool:
        if service.is_ready and service.pid is not None:
            os.kill(service.pid, signal.SIGKILL)
        return False

    with pytest.raises(ProcessDied, match=r"worker died \(signal 9\), 2 times"):
        _keep_until([service], kill_once_ready)

    assert service.pid is None


def test_a_process_that_dies_before_it_is_ready_ends_the_start() -> None:
    output = io.StringIO()
    service = Supervised(_failing("print('no such bundle'); raise SystemExit(3)"), Console(output))

    with pytest.raises(ProcessDied, match=r"broken died \(exit status 3\) before it was ready"):
        start_all([service], _DEADLINE_S, _nothing)

    assert "broken   | no such bundle" in output.getvalue()


def test_a_process_that_is_never_ready_ends_the_start() -> None:
    service = Supervised(_failing("import signal; signal.pause()"), Console(io.StringIO()))

    with pytest.raises(ProcessDied, match="broken not ready within 0 s"):
        start_all([service], 0.0, _nothing)

    stop_all([service])
    assert service.pid is None


def test_a_process_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    output = io.StringIO()
    service = Supervised(_service(tmp_path, "stubborn", manner="deaf", stop_s=0.2), Console(output))
    start_all([service], _DEADLINE_S, _nothing)

    stop_all([service])

    assert "stubborn ended with signal 9" in output.getvalue()


def test_what_everything_stands_on_ends_the_start(tmp_path: Path) -> None:
    service = Supervised(_service(tmp_path, "worker"), Console(io.StringIO()))

    def is_gone() -> None:
        raise ProcessDied("the broker died")

    with pytest.raises(ProcessDied, match="the broker died"):
        start_all([service], _DEADLINE_S, is_gone)

    stop_all([service])
    assert service.pid is None


def test_a_terminal_that_is_gone_does_not_end_the_printing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    console = Console(Gone())

    console.line("worker", "one")
    console.line("worker", "two")
