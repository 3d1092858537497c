"""Makes a virtual environment from pinned requirements, or mends one; does nothing where it is complete.

    python3 local/environment.py DIRECTORY REQUIREMENTS...

Standard library only: it runs before anything is installed.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from types import FrameType

FREE_BYTES = {".venv": 1 * 2**30, ".venv-dev": 8 * 2**30}
"""What a whole environment takes with its downloads; the one for development holds PyTorch."""
_STAMP = ".complete"


class EnvironmentProblem(Exception):
    """Why there can be no environment, for the person at the terminal."""


def make(directory: str, requirements: list[str]) -> None:
    """Make or mend the environment; raises `EnvironmentProblem`, after which no half-made one is left."""
    wanted = _digest(requirements)
    stamp = os.path.join(directory, _STAMP)
    python = os.path.join(directory, "bin", "python")
    if _read(stamp) == wanted and _runs(python):
        return
    is_new = not (os.path.exists(stamp) and _runs(python))
    try:
        if is_new:
            _create(directory)
        _write(stamp, "unfinished")
        _install(python, directory, requirements)
        _write(stamp, wanted)
    except BaseException:
        # One that was whole before is mended by the next run; of a new one nothing half-made is left.
        if is_new:
            shutil.rmtree(directory, ignore_errors=True)
        raise


def _create(directory: str) -> None:
    free = shutil.disk_usage(os.path.dirname(os.path.abspath(directory))).free
    needed = FREE_BYTES.get(os.path.basename(directory), 2**30)
    if free < needed:
        raise EnvironmentProblem(
            f"{directory} needs {needed / 2**30:.0f} GB of free disk, there are {free / 2**30:.1f}"
        )
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"making {directory} with Python {version}", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        raise EnvironmentProblem(
            f"{sys.executable} cannot make virtual environments: its venv or ensurepip is missing. On Debian and "
            f"Ubuntu, install it with: apt install python3.{sys.version_info.minor}-venv"
        )


def _install(python: str, directory: str, requirements: list[str]) -> None:
    command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--retries", "2"]
    for name in requirements:
        command += ["-r", name]
    if subprocess.run(command).returncode == 0:
        return
    if shutil.disk_usage(directory).free < 200 * 2**20:
        raise EnvironmentProblem("the disk is full: the packages could not be installed")
    raise EnvironmentProblem(
        "the packages could not be installed; pip says why above. The first run needs a network, later runs do not."
    )


def _digest(requirements: list[str]) -> str:
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for name in requirements:
        with open(name, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _runs(python: str) -> bool:
    try:
        return subprocess.run([python, "-c", "pass"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Return the exit status; a problem is one line on standard error."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        make(arguments[0], arguments[1:])
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
