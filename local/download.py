"""Brings the broker's jars here, showing how far it is."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console as Terminal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from local.console import Console
from local.jars import Jar, fetch, missing_jars, read_lock


def provide_jars(cache: Path, console: Console) -> None:
    """Return when the cache holds every jar of the lock, to the byte; raises as `local.jars.fetch` does."""
    missing = missing_jars(cache, read_lock())
    if not missing:
        return
    size_bytes = sum(jar.size_bytes for jar in missing)
    console.say(f"downloading Kafka: {len(missing)} jars, {size_bytes / 1e6:.0f} MB, to {cache}")
    started_at = time.monotonic()
    _fetch_visibly(cache, missing, size_bytes)
    console.say(f"downloaded and checked in {time.monotonic() - started_at:.0f} s")


def _fetch_visibly(cache: Path, jars: Sequence[Jar], size_bytes: int) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    terminal = Terminal()
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task("Kafka", total=size_bytes)
        fetch(cache, jars, lambda count: progress.advance(task, count))
