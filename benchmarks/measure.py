"""What a piece of work cost: the clock's time, and the processors' time of one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psutil


@dataclass(slots=True)
class Spent:
    """Seconds by the clock, and seconds on any core by all threads of a process; set when the work is done."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def spending(pid: int) -> Iterator[Spent]:
    """Measure what a process spends while the context lasts."""
    process = psutil.Process(pid)
    spent = Spent()
    started, cpu_started = perf_counter(), _cpu_s(process)
    yield spent
    spent.wall_s = perf_counter() - started
    spent.cpu_s = _cpu_s(process) - cpu_started


def peak_memory_bytes(pid: int) -> int:
    """Return the most memory that a process has held since it started, in bytes (resident set, Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has ended")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
