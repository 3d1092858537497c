"""What every test may ask for."""

import logging
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.worker_fixtures"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as worker and gateway do."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _own_log_levels() -> Iterator[None]:
    """Take back what a program's `main` did: several silence aiokafka, for they say in one line what is wrong."""
    aiokafka = logging.getLogger("aiokafka")
    level = aiokafka.level
    yield
    aiokafka.setLevel(level)
