"""The broker's jars: exactly those that the lock file names, checked by sha256 before each start.

The lock holds Maven coordinates and sums, so a first run resolves nothing: it downloads what the lock says, from
Maven Central or from the repositories of the user's own `jgo` configuration.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from local.errors import DiskFull, JarRefused, JarsMissing

LOCK = Path(__file__).with_name("kafka.lock.json")
_DOWNLOADS = 8
_ATTEMPTS = 3
_ANSWER_S = 30

Progress = Callable[[int], None]
"""Told the number of bytes that have just arrived, from any thread."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar as it was when the lock was made; `coordinate` is `group:artifact:version`."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def filename(self) -> str:
        """The name it has on disk."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_in(self, path: Path) -> bool:
        """Whether the file is this jar, to the byte."""
        return path.is_file() and sha256_of(path) == self.sha256


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Return the jars that the lock names."""
    return tuple(Jar(**jar) for jar in json.loads(lock.read_text())["jars"])


def sha256_of(path: Path) -> str:
    """Return the file's sha256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing_jars(cache: Path, jars: Sequence[Jar]) -> list[Jar]:
    """Return the jars that the cache lacks or holds in any other form than the lock's."""
    return [jar for jar in jars if not jar.is_in(cache / jar.filename)]


def fetch(cache: Path, jars: Sequence[Jar], progress: Progress) -> None:
    """Download the jars into the cache; a jar is there under its name only once its sum was found right.

    Raises `JarsMissing` without a network, `JarRefused` for a wrong sum, `DiskFull`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    executor = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="jars")
    try:
        for done in [executor.submit(_fetch, jar, cache, progress) for jar in jars]:
            done.result()
    except requests.RequestException as failed:
        raise JarsMissing(
            "the broker's jars could not be downloaded: is there a network? The first run needs one, later runs do "
            f"not. ({type(failed).__name__})"
        ) from failed
    except OSError as failed:
        raise DiskFull(f"the broker's jars could not be written to {cache}: {failed.strerror or failed}") from failed
    finally:
        executor.shutdown(cancel_futures=True)


def _fetch(jar: Jar, cache: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as scratch:
        path = _download(jar, Path(scratch), progress)
        if not jar.is_in(path):
            raise JarRefused(
                f"{jar.coordinate} is not the jar that the lock file names: its sha256 is {sha256_of(path)} and "
                f"should be {jar.sha256}. Nothing was installed; a proxy may have changed it on its way."
            )
        path.replace(cache / jar.filename)


def _download(jar: Jar, scratch: Path, progress: Progress) -> Path:
    group, artifact, version = jar.coordinate.split(":")
    failed: Exception | None = None
    for attempt in range(_ATTEMPTS):
        # A directory for each attempt: the resolver takes a half-written file for a whole one.
        context = maven_context(scratch / str(attempt), progress)
        try:
            path = context.resolver.download(context.project(group, artifact).at_version(version).artifact())
            assert path is not None, "This is a bug: the Python resolver returns a path or raises"
            return path
        except (requests.RequestException, RuntimeError) as error:
            failed = error
    if isinstance(failed, requests.RequestException):
        raise failed
    raise JarsMissing(f"{jar.coordinate} is in none of the Maven repositories asked") from failed


def maven_context(directory: Path, progress: Progress) -> MavenContext:
    """Return a Maven repository client that writes below `directory` and reports each chunk."""

    @contextmanager
    def report(filename: str, total_bytes: int) -> Iterator[Progress]:
        yield progress

    return MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=directory,
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
        timeout=_ANSWER_S,
    )
