"""`promtool` of the very Prometheus that the compose file runs, built from its source once and kept.

No package registry has the binary ready-made, so Go builds it: the toolchain is a wheel of the test environment, the
source comes through Go's module proxy, and `promtool/go.sum` holds the sum of each of its modules.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from local.settings import Settings

MODULE = Path(__file__).with_name("promtool")
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
BUILD_S = 900
"""Five CPU-minutes and some 300 MB of modules, the first time."""

_NO_NETWORK = re.compile(
    r"dial tcp|no such host|i/o timeout|connection refused|proxyconnect|TLS handshake", re.IGNORECASE
)


class PromtoolMissing(Exception):
    """The source cannot be had: no network, or one without Go's module proxy."""


def provide_promtool() -> Path:
    """Return the binary, building it if this version of it was never built here; raises `PromtoolMissing`."""
    cache = Settings().cache.expanduser()
    binary = cache / f"promtool-{_digest()}"
    if not binary.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Modules and objects are gigabytes that nothing else uses.
        with tempfile.TemporaryDirectory(prefix=".promtool-", dir=cache) as scratch:
            _build(Path(scratch)).replace(binary)
    return binary


def _digest() -> str:
    pinned = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return hashlib.sha256(pinned).hexdigest()[:16]


def _build(scratch: Path) -> Path:
    built = scratch / "promtool"
    go = Path(sys.executable).with_name("go")
    told = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(scratch / "objects"),
        # Without the bit that keeps a module from being written it could not be removed either.
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
        "GOMODCACHE": str(scratch / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    done = subprocess.run(
        [go, "build", "-ldflags=-s -w", "-o", built, PACKAGE],
        cwd=MODULE,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    if done.returncode and _NO_NETWORK.search(done.stderr):
        raise PromtoolMissing(done.stderr.strip().splitlines()[-1])
    assert not done.returncode, done.stderr[-4_000:]
    return built
