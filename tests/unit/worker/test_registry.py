"""Finding a bundle without a registry in sight: what a fetching process may say, not say, or leave behind."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import BundleError, RegistryUnavailable
from tests.integration.polling import eventually
from worker.bundle import Bundle
from worker.registry import Registry, Version
from worker.settings import Settings

pytestmark = pytest.mark.anyio

URI = "models:/nlp@champion"
Fetcher = Callable[[str], None]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry("http://registry.example", tmp_path / "cache", wait_s=30.0)


@pytest.fixture
def fetcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetcher:
    """Takes a shell script that stands in for the process that fetches."""
    program = tmp_path / "python"
    monkeypatch.setattr("sys.executable", str(program))

    def write(script: str) -> None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


@pytest.fixture
def kept(registry: Registry, bundle: Bundle) -> Version:
    """A version that the cache has already."""
    manifest = bundle.directory / "manifest.json"
    version = Version("nlp", "7", hashlib.sha256(manifest.read_bytes()).hexdigest())
    directory = version.directory(registry.cache)
    directory.mkdir(parents=True)
    for path in (manifest, bundle.model, bundle.tokenizer):
        shutil.copy(path, directory)
    return version


def _says(version: Version) -> str:
    return f"echo '{json.dumps(asdict(version))}'"


def _is_away(detail: str = "refused") -> str:
    return f"""echo '{json.dumps({"code": RegistryUnavailable.code, "detail": detail})}'; exit 1"""


async def test_a_directory_is_loaded_without_a_registry(registry: Registry, bundle: Bundle, fetcher: Fetcher) -> None:
    fetcher("exit 9")

    assert (await registry.find_bundle(str(bundle.directory))).identity == bundle.identity


async def test_the_version_that_was_fetched_is_loaded(registry: Registry, kept: Version, fetcher: Fetcher) -> None:
    fetcher(_says(kept))

    assert (await registry.find_bundle(URI)).directory == kept.directory(registry.cache)


async def test_a_registry_that_is_away_leaves_the_version_of_before(
    registry: Registry, kept: Version, fetcher: Fetcher, caplog: pytest.LogCaptureFixture
) -> None:
    fetcher(_says(kept))
    await registry.find_bundle(URI)
    fetcher(_is_away())

    bundle = await registry.find_bundle(URI)

    assert bundle.directory == kept.directory(registry.cache)
    reason = "no model registry at http://registry.example (refused)"
    assert f"{reason}; going on with version 7, which {URI} named last" in caplog.messages


async def test_what_one_name_meant_says_nothing_of_another(registry: Registry, kept: Version, fetcher: Fetcher) -> None:
    fetcher(_says(kept))
    await registry.find_bundle(URI)
    fetcher(_is_away())

    with pytest.raises(RegistryUnavailable, match="keeps nothing of models:/nlp@challenger"):
        await registry.find_bundle("models:/nlp@challenger")


async def test_a_copy_that_was_changed_is_not_used_while_the_registry_is_away(
    registry: Registry, kept: Version, fetcher: Fetcher
) -> None:
    fetcher(_says(kept))
    await registry.find_bundle(URI)
    manifest = kept.directory(registry.cache) / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
    fetcher(_is_away())

    with pytest.raises(BundleError, match=rf"its sha256 is \w+, the registry says {kept.digest}"):
        await registry.find_bundle(URI)


async def test_a_cache_that_cannot_be_written_is_read(
    registry: Registry,
    kept: Version,
    fetcher: Fetcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    fetcher(_says(kept))
    monkeypatch.setattr(Path, "replace", refuse)

    assert (await registry.find_bundle(URI)).directory == kept.directory(registry.cache)
    assert f"without the registry, {URI} will not be known: read-only" in caplog.messages


async def test_what_the_registry_refuses_is_not_replaced_by_an_old_version(
    registry: Registry, kept: Version, fetcher: Fetcher
) -> None:
    fetcher(_says(kept))
    await registry.find_bundle(URI)
    fetcher(f"""echo '{json.dumps({"code": BundleError.code, "detail": "no such alias"})}'; exit 1""")

    with pytest.raises(BundleError, match=r"^no such alias$"):
        await registry.find_bundle(URI)


async def test_a_fetch_that_dies_is_told_by_its_last_words(registry: Registry, fetcher: Fetcher) -> None:
    fetcher("echo 'Traceback' >&2; echo 'No module named mlflow' >&2; exit 3")

    with pytest.raises(BundleError, match=r"^worker\.fetch ended with 3: No module named mlflow$"):
        await registry.find_bundle(URI)


async def test_a_fetch_that_hangs_is_ended(tmp_path: Path, fetcher: Fetcher) -> None:
    fetcher(f"echo $$ > {tmp_path}/pid; exec sleep 600")

    with pytest.raises(RegistryUnavailable, match="no answer within 1 s"):
        await Registry("http://registry.example", tmp_path, wait_s=1.0).find_bundle(URI)
    assert not _lives(tmp_path / "pid")


async def test_a_worker_that_is_told_to_stop_ends_its_fetch(
    tmp_path: Path, registry: Registry, fetcher: Fetcher
) -> None:
    fetcher(f"echo $$ > {tmp_path}/pid; exec sleep 600")
    finding = asyncio.ensure_future(registry.find_bundle(URI))

    async def has_started() -> bool:
        return (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text().endswith("\n")

    await eventually(has_started, "the fetch has started")
    finding.cancel()

    with pytest.raises(asyncio.CancelledError):
        await finding
    assert not _lives(tmp_path / "pid")


def _lives(pid: Path) -> bool:
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_names_of_any_kind_stay_within_the_cache(tmp_path: Path) -> None:
    directory = Version("../up", "1", "a" * 64).directory(tmp_path)

    assert directory.resolve().parent == tmp_path.resolve()


def test_a_name_without_an_address_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    with pytest.raises(ValidationError, match="models:/nlp@champion is in a registry: MLFLOW_TRACKING_URI must say"):
        Settings(bundle=URI)
