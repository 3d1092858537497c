"""The health check of the images, as they run it: alone, by its exit status."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.ports import free_port


class _Ready(BaseHTTPRequestHandler):
    """Answers 200 on /ready and 503 elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()
        self.wfile.write(b"no partitions are assigned")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def check(port: int, path: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-IS", "deploy/healthcheck.py", str(port), path]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_a_server_that_answers_200_is_healthy(port: int) -> None:
    assert check(port, "/ready").returncode == 0


def test_a_server_that_is_unready_is_not_and_says_why(port: int) -> None:
    found = check(port, "/health/ready")

    assert found.returncode == 1
    assert "503 no partitions are assigned" in found.stderr


def test_nobody_there_is_not_healthy() -> None:
    found = check(free_port(), "/ready")

    assert found.returncode == 1
    assert "no answer: ConnectionRefusedError" in found.stderr
