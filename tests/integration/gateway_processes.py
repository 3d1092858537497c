"""`python -m gateway` as a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

WITHIN_S = 60.0
_POLL_S = 0.05


@contextmanager
def gateway_process(
    port: int, environment: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the gateway while the block does; what it writes goes to `log`, or where our own goes."""
    output = None if log is None else log.open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        env={**os.environ, "NLP_GATEWAY_PORT": str(port), **(environment or {})},
        stdout=output,
        stderr=output,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if output is not None:
            output.close()


def wait_for(url: str, status: int, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Return the answer as soon as it has the status."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            response = httpx.get(url, headers=headers)
        except httpx.TransportError:
            response = None
        if response is not None and response.status_code == status:
            return response
        assert time.monotonic() < deadline, f"{url} did not say {status}"
        time.sleep(_POLL_S)  # nothing tells when another process answers; the deadline above ends the asking
