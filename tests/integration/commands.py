"""Our commands as processes of their own: what they print, and how they end."""

import asyncio
import sys
from dataclasses import dataclass

from schemas import KafkaConnection, Topics
from tests.integration.workers import worker_environment

_END_S = 90.0


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    status: int
    output: str
    errors: str


async def run_command(connection: KafkaConnection, topics: Topics, *words: str, **environment: str) -> Ended:
    """Run `python -m …` to its end; `environment` is laid over what a worker is told."""
    told = worker_environment(connection, topics) | environment
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, env=told, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_END_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())
