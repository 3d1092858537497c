"""What every test may ask for."""

import pytest

pytest_plugins = ["tests.worker_fixtures"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as worker and gateway do."""
    return "asyncio"
