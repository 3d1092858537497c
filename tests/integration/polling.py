"""Waiting for what must come true: polled to a deadline, never slept for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

_POLL_S = 0.05


async def eventually(look: Callable[[], Awaitable[Found | None]], what: str, within_s: float = 60.0) -> Found:
    """Return the first truthy answer of `look`; fails, naming `what`, when none comes in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s:.0f} s")
        await asyncio.sleep(_POLL_S)
