"""An environment is made once, mended when its requirements change, and never left half-made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from local.environment import EnvironmentProblem, make


class Place(NamedTuple):
    directory: str
    requirements: str

    def make(self) -> None:
        make(self.directory, [self.requirements])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    # Nothing to install, so that no test needs a network.
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# none\n")
    return Place(str(tmp_path / "made"), str(requirements))


def test_an_environment_is_made_once(place: Place) -> None:
    place.make()
    marker = Path(place.directory, "kept")
    marker.touch()

    place.make()

    assert marker.exists()
    assert subprocess.run([f"{place.directory}/bin/python", "-m", "pip", "--version"]).returncode == 0


def test_changed_requirements_are_installed_into_what_is_there(place: Place) -> None:
    place.make()
    marker = Path(place.directory, "kept")
    marker.touch()
    Path(place.requirements).write_text("# none, still\n")

    place.make()

    assert marker.exists()
    assert Path(place.directory, ".complete").read_text() != "unfinished"


def test_a_half_made_environment_is_made_anew(place: Place) -> None:
    place.make()
    os.remove(Path(place.directory, ".complete"))
    leftover = Path(place.directory, "leftover")
    leftover.touch()

    place.make()

    assert not leftover.exists()


def test_a_failed_installation_leaves_nothing(place: Place) -> None:
    Path(place.requirements).write_text("./no-such-package\n")

    with pytest.raises(EnvironmentProblem, match="could not be installed"):
        place.make()

    assert not Path(place.directory).exists()


def test_too_little_disk_is_said_before_anything_is_made(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(EnvironmentProblem, match="GB of free disk"):
        place.make()

    assert not Path(place.directory).exists()


def test_a_python_without_venv_says_what_to_install(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(EnvironmentProblem, match="apt install python3"):
        place.make()

    assert not Path(place.directory).exists()
