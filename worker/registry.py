"""Where the worker's bundle comes from: a directory, or a version in MLflow's registry, which is fetched and kept.

MLflow's client takes a second and 50 MB to import, starts threads of its own and may wait for minutes: it runs in a
process beside the worker (`worker.fetch`) that ends before the work begins.
"""

import asyncio
import hashlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from schemas.errors import BundleError, RegistryUnavailable
from worker.bundle import Bundle, load_bundle

BUNDLE_PATH = "artifacts/bundle"
"""Where a model version holds the bundle's directory."""
DIGEST_TAG = "bundle_sha256"
"""The tag of a model version that is the sha256 of the bundle's manifest, and by it of every file."""
MODEL_URI = r"models:/(?P<name>[^/@:]+)(?:@(?P<alias>[\w-]+)|/(?P<version>[0-9]+))"
"""What names a version: `models:/<name>@<alias>`, or `models:/<name>/<version>`."""

log = logging.getLogger("worker.registry")


def is_registered(bundle: str) -> bool:
    """Return whether a bundle is in a registry; else it is a directory."""
    return bundle.startswith("models:")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the registry: its model's name, its number, and the sha256 of its bundle's manifest."""

    name: str
    version: str
    digest: str

    @property
    def uri(self) -> str:
        """What names this version and no other."""
        return f"models:/{self.name}/{self.version}"

    def directory(self, cache: Path) -> Path:
        """Return where its files are kept; the digest keeps the versions of two registries apart."""
        return cache / f"{quote(self.name, safe=' ')}-{self.version}-{self.digest[:16]}"


@dataclass(frozen=True, slots=True)
class Registry:
    """MLflow's address, the directory that keeps what came from it, and how long to wait for it, in seconds."""

    tracking_uri: str
    cache: Path
    wait_s: float

    async def find_bundle(self, name: str) -> Bundle:
        """Return the bundle of a directory or a `models:/` URI; raises `BundleError` or `RegistryUnavailable`.

        Without the registry, the version that the URI named last is used again: a worker that restarts must not depend
        on one server more.
        """
        if not is_registered(name):
            return load_bundle(Path(name))
        try:
            found = await self._fetch(name)
        except RegistryUnavailable as gone:
            found = self._last_known(name, gone)
            log.warning("%s; going on with version %s, which %s named last", gone, found.version, name)
        else:
            self._remember(name, found)
        bundle = load_bundle(found.directory(self.cache), found.digest)
        log.info("%s is version %s of %s", name, found.version, found.name)
        return bundle

    async def _fetch(self, uri: str) -> Version:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker.fetch", uri, str(self.cache)),
            env={**_CLIENT, **os.environ, "MLFLOW_TRACKING_URI": self.tracking_uri},
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(self.wait_s):
                said, complaints = await process.communicate()
        except TimeoutError:
            raise self._unavailable(f"no answer within {self.wait_s:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return self._understand(process.returncode, said, complaints)

    def _understand(self, status: int | None, said: bytes, complaints: bytes) -> Version:
        answer: dict[str, Any] = json.loads(said) if said else {}
        if status == 0:
            return Version(**answer)
        if answer.get("code") == RegistryUnavailable.code:
            raise self._unavailable(answer["detail"])
        last = complaints.decode(errors="replace").strip().rpartition("\n")[2]
        raise BundleError(answer.get("detail") or f"worker.fetch ended with {status}: {last}")

    def _unavailable(self, reason: str) -> RegistryUnavailable:
        return RegistryUnavailable(f"no model registry at {self.tracking_uri} ({reason})")

    def _remember(self, uri: str, found: Version) -> None:
        path = self._memory(uri)
        fresh = path.with_suffix(f".{os.getpid()}")  # several workers of a machine may start at once
        try:
            fresh.write_text(json.dumps(asdict(found)))
            fresh.replace(path)
        except OSError as fault:
            log.warning("without the registry, %s will not be known: %s", uri, fault)

    def _last_known(self, uri: str, gone: RegistryUnavailable) -> Version:
        try:
            return Version(**json.loads(self._memory(uri).read_bytes()))
        except OSError:
            raise RegistryUnavailable(f"{gone.detail}, and {self.cache} keeps nothing of {uri}") from gone

    def _memory(self, uri: str) -> Path:
        """Return the file that says what a URI named last; the address counts, two registries may share names."""
        return self.cache / f"{hashlib.sha256(f'{self.tracking_uri} {uri}'.encode()).hexdigest()[:16]}.json"


_CLIENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # a worker reports to nobody
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # with 7, a server that is gone is missed after four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
