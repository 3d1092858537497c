"""Children never outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import process

_PARENT = """
import subprocess, sys, time
from local import process
child = process.start([sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"],
                      output=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


def _runs(pid: int) -> bool:
    try:
        # A child nobody has waited for is still listed after its death, as a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 30
    while _runs(child):
        assert time.monotonic() < deadline, "the child outlives its parent"


def test_a_child_does_not_get_the_terminals_signals() -> None:
    child = process.start([sys.executable, "-c", "import signal; signal.pause()"], output=subprocess.DEVNULL)

    assert os.getpgid(child.pid) != os.getpgid(0)

    assert process.stop(child, within_s=30) == -signal.SIGTERM


def test_stop_ends_grandchildren_too() -> None:
    script = (
        "import signal, subprocess, sys;"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "print(grandchild.pid, flush=True); signal.pause()"
    )
    child = process.start([sys.executable, "-c", script], output=subprocess.PIPE)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())

    process.stop(child, within_s=30)
    child.stdout.close()

    deadline = time.monotonic() + 30
    while _runs(grandchild):
        assert time.monotonic() < deadline, "the grandchild is left behind"
