"""Child processes that never outlive us."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

_TETHER = Path(__file__).with_name("tether.py")
# The kernel ends a child when the thread that started it ends, so one thread that lives as long as we do starts all.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starter")


def start(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
    on_death: signal.Signals = signal.SIGKILL,
) -> "subprocess.Popen[bytes]":
    """Start the command in a session of its own, so that Ctrl-C reaches us alone and we stop it in our order.

    `on_death` is what it gets when we are killed. Its standard output and error both go to `output`.
    """
    tether = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), str(int(on_death))]
    return _STARTER.submit(
        subprocess.Popen,
        [*tether, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    ).result()


def stop(process: "subprocess.Popen[bytes]", *, within_s: float) -> int:
    """Ask the process to end, kill its session when it does not within the time, and return its exit status."""
    try:
        if process.poll() is None:
            process.terminate()
            process.wait(within_s)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Also when a second Ctrl-C ends the wait.
        kill(process)
    return process.returncode


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and whatever it started; nothing when all have ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
