"""`promtool` of the very Prometheus that the compose file runs, built from its source once and kept.

No package registry has the binary ready-made, so Go builds it: the toolchain is a wheel of the test environment, the
source comes through Go's module proxy, and `promtool/go.sum` holds the sum of each of its modules.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local.settings import Settings

MODULE = Path(__file__).with_name("promtool")
SOURCE = "github.com/prometheus/prometheus"
BUILD_S = 900
"""Some three CPU-minutes and 200 MB of modules, the first time; what was done when time was up is not done again."""

_DISCOVERIES = f'"{SOURCE}/plugins"'
_DISCOVERY = f'"{SOURCE}/discovery/dns"'
"""Of the ways to find targets only ours: those of the clouds would double the time."""

_NO_NETWORK = re.compile(r"dial tcp|no such host|i/o timeout|connection refused|proxyconnect|TLS handshake")


class PromtoolMissing(Exception):
    """It cannot be built here: no network, one without Go's module proxy, or a machine that is too slow."""


def provide_promtool() -> Path:
    """Return the binary, building it if this version of it was never built here; raises `PromtoolMissing`."""
    cache = Settings().cache.expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    binary = cache / f"promtool-{_digest()}"
    with (cache / "promtool.lock").open("w") as lock:
        # Another run of the tests may be building it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            scratch = cache / "promtool-build"
            _build(scratch).replace(binary)
            # Modules and objects are a gigabyte that nothing else uses.
            shutil.rmtree(scratch)
    return binary


def _digest() -> str:
    parts = [(MODULE / name).read_bytes() for name in ("go.mod", "go.sum")]
    return hashlib.sha256(b"".join([*parts, _DISCOVERY.encode()])).hexdigest()[:16]


def _build(scratch: Path) -> Path:
    build = scratch / "source"
    build.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(MODULE / name, build)
    _go(scratch, "mod", "download", SOURCE)
    source = Path(_go(scratch, "list", "-m", "-f", "{{.Dir}}", SOURCE).strip())
    for file in (source / "cmd/promtool").glob("*.go"):
        if not file.name.endswith("_test.go"):
            (build / file.name).write_text(file.read_text().replace(_DISCOVERIES, _DISCOVERY))
    _go(scratch, "build", "-ldflags=-s -w", "-o", "promtool", ".")
    return build / "promtool"


def _go(scratch: Path, *arguments: str) -> str:
    told = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(scratch / "objects"),
        # Modules that cannot be written could not be removed either.
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
        "GOMODCACHE": str(scratch / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    try:
        done = subprocess.run(
            [Path(sys.executable).with_name("go"), *arguments],
            cwd=scratch / "source",
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
        )
    except subprocess.TimeoutExpired:
        raise PromtoolMissing(f"it was not built within {BUILD_S} s; the next run goes on with it") from None
    if done.returncode and _NO_NETWORK.search(done.stderr):
        raise PromtoolMissing(done.stderr.strip().splitlines()[-1])
    assert not done.returncode, done.stderr[-4_000:]
    return done.stdout
