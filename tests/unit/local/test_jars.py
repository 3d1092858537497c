"""The lock is the law: what it does not name to the byte is never used."""

import hashlib
from pathlib import Path

import pytest
import requests

from local import jars
from local.errors import DiskFull, JarRefused, JarsMissing
from local.jars import Jar, fetch, missing_jars, read_lock

_CONTENT = b"the jar"
_JAR = Jar("org.example:thing:1.0", hashlib.sha256(_CONTENT).hexdigest(), len(_CONTENT))


def _serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    def download(jar: Jar, scratch: Path, progress: jars.Progress) -> Path:
        path = scratch / "downloaded"
        path.write_bytes(content)
        progress(len(content))
        return path

    monkeypatch.setattr(jars, "_download", download)


def _fail(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def download(jar: Jar, scratch: Path, progress: jars.Progress) -> Path:
        raise error

    monkeypatch.setattr(jars, "_download", download)


def test_lock_names_kafkas_jars_and_a_log_binding() -> None:
    locked = read_lock()

    names = {jar.filename for jar in locked}
    assert len(names) == len(locked) == 92
    assert {"kafka_2.13-4.3.1.jar", "kafka-clients-4.3.1.jar", "log4j-slf4j-impl-2.25.4.jar"} <= names


def test_lock_names_no_host() -> None:
    assert "://" not in jars.LOCK.read_text()


def test_a_fetched_jar_is_in_the_cache_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[int] = []
    _serve(monkeypatch, _CONTENT)

    fetch(tmp_path, [_JAR], arrived.append)

    assert [path.name for path in tmp_path.iterdir()] == ["thing-1.0.jar"]
    assert missing_jars(tmp_path, [_JAR]) == []
    assert sum(arrived) == _JAR.size_bytes


def test_a_jar_with_another_sum_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, b"the jaR")

    with pytest.raises(JarRefused, match=_JAR.coordinate):
        fetch(tmp_path, [_JAR], lambda _: None)

    assert list(tmp_path.iterdir()) == []


def test_a_jar_changed_in_the_cache_counts_as_missing_and_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / _JAR.filename).write_bytes(b"tampered")
    _serve(monkeypatch, _CONTENT)

    missing = missing_jars(tmp_path, [_JAR])
    fetch(tmp_path, missing, lambda _: None)

    assert missing == [_JAR]
    assert (tmp_path / _JAR.filename).read_bytes() == _CONTENT


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (requests.ConnectionError(), JarsMissing, "is there a network"),
        (OSError(28, "No space left on device"), DiskFull, "No space left"),
    ],
)
def test_what_hinders_a_download_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception], message: str
) -> None:
    _fail(monkeypatch, error)

    with pytest.raises(raised, match=message):
        fetch(tmp_path, [_JAR], lambda _: None)

    assert list(tmp_path.iterdir()) == []
